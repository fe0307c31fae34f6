"""A morning with the pipeline: a card dragged and one moved by keys, a nested filter, a report, a dashboard."""

import pytest
from playwright.sync_api import expect

from tests.portal.atelier import PASSWORD, Atelier, atelier
from tests.portal.browser import faults, opened, overflow, sign_in
from tests.servers import LiveServer

__all__ = ["atelier"]
pytestmark = pytest.mark.browser
BOARD = "/o/crm_opportunity?f=&as=board&by=stage&columns=account,amount,owner_id&sort=name"


def test_a_morning_with_the_pipeline(server: LiveServer, atelier: Atelier) -> None:
    base = server.url("", tenant=atelier.ref.slug)
    with opened() as page:
        sign_in(page, base, atelier.email("manager"), PASSWORD)

        page.goto(base + BOARD)
        card = page.locator("[data-lane=discovery] [data-card]").first
        key, title = card.get_attribute("data-card"), card.get_attribute("data-title")
        here = page.locator(f'[data-card="{key}"]')
        card.drag_to(page.locator("[data-lane=negotiation] [data-cards]"))
        expect(page.locator("[data-said]")).to_have_text(f"{title} is now in Negotiation.")
        expect(page.locator("[data-lane=negotiation]").locator(here)).to_be_visible()
        here.locator("a").first.focus()
        page.keyboard.press("Shift+ArrowLeft")
        expect(page.locator("[data-lane=proposal]").locator(here)).to_be_visible()
        page.keyboard.press("m")
        expect(page.locator("#move")).to_be_visible()
        assert faults(page) == []
        page.locator("#move").get_by_role("button", name="Won").click()
        expect(page.locator("[data-lane=won]").locator(here)).to_be_visible()
        assert atelier.rows("crm_opportunity", {"where": {"id": key}})[0]["stage"] == "won"

        page.get_by_role("link", name="Calendar").click()
        expect(page.locator("table.ab-cal")).to_be_visible()
        assert faults(page) == [] and overflow(page) <= 0
        page.get_by_role("link", name="Gallery").click()
        expect(page.locator(".ab-tile").first).to_be_visible()
        assert faults(page) == []

        page.get_by_role("link", name="Table", exact=True).click()
        page.locator("#list summary", has_text="Filter").click()
        row = page.locator(".ab-filter-row").first
        row.get_by_label("Field").select_option("stage")
        page.locator(".ab-ticks label", has_text="Won").click()
        page.get_by_role("button", name="Group", exact=True).click()
        inner = page.locator(".ab-filter-group .ab-filter-row").last
        inner.get_by_label("Field").select_option("amount")
        inner = page.locator(".ab-filter-group .ab-filter-row").last
        inner.get_by_label("Operator").select_option("gte")
        page.locator(".ab-filter-row").last.get_by_label("Value", exact=True).fill("1")
        assert faults(page) == []
        page.get_by_role("button", name="Apply filters").click()
        expect(page.locator(".ab-chips")).to_contain_text("Stage is any of Won")
        expect(page.locator(".ab-chips")).to_contain_text("Amount is at least 1")

        page.goto(f"{base}/reports/new?object=crm_opportunity")
        page.get_by_label("Grouped by").select_option("stage")
        page.get_by_label("Figure", exact=True).select_option("sum:amount")
        page.locator(".ab-charts label", has_text="Columns").click()
        expect(page.locator("svg.ab-chart rect").first).to_be_visible()
        assert faults(page) == [] and overflow(page) <= 0
        page.locator("summary", has_text="Save").click()
        page.get_by_label("Name").fill("Sums by stage")
        page.get_by_role("button", name="Save the report").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Sums by stage")

        page.goto(f"{base}/dashboards")
        page.get_by_label("Name").fill("Morning")
        page.get_by_role("button", name="Make the dashboard").click()
        expect(page.locator(".ab-widget").first).to_be_visible()
        page.get_by_role("link", name="Arrange").click()
        page.get_by_label("Add a report or a list").select_option(label="Sums by stage")
        page.get_by_role("button", name="Add", exact=True).click()
        expect(page.get_by_role("heading", name="Sums by stage")).to_be_visible()
        assert faults(page) == [] and overflow(page) <= 0
