"""A morning with the pipeline: a card dragged and one moved by keys, a nested filter, a report, a dashboard."""

import pytest
from playwright.sync_api import Page, expect

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
        key = cards_are_moved(page, base)
        other_layouts(page)
        a_filter_is_built(page)
        a_report_is_kept(page, base)
        a_dashboard_is_arranged(page, base)
    assert atelier.rows("crm_opportunity", {"where": {"id": key}})[0]["stage"] == "won"


def cards_are_moved(page: Page, base: str) -> str:
    """Drag a card, take it along with a key, and move it through its menu; return its record's id."""
    page.goto(base + BOARD)
    card = page.locator("[data-lane=discovery] [data-card]").first
    key, title = str(card.get_attribute("data-card")), card.get_attribute("data-title")
    here, said = page.locator(f'[data-card="{key}"]'), page.locator("[data-said]")
    card.drag_to(page.locator("[data-lane=negotiation] [data-cards]"))
    expect(said).to_have_text(f"{title} is now in Negotiation.")
    here.locator("a").first.focus()
    page.keyboard.press("Shift+ArrowLeft")
    expect(said).to_have_text(f"{title} is now in Proposal.")
    page.keyboard.press("m")
    expect(page.locator("#move")).to_be_visible()
    assert faults(page) == []
    page.locator("#move").get_by_role("button", name="Won").click()
    expect(said).to_have_text(f"{title} is now in Won.")
    return key


def other_layouts(page: Page) -> None:
    """Switch through the other layouts; all of them are in order."""
    for name, part in (("Calendar", "table.ab-cal"), ("Gallery", ".ab-tile"), ("Table", "table.ab-table")):
        page.locator(".ab-switch").get_by_role("link", name=name).click()
        expect(page.locator(part).first).to_be_visible()
        assert faults(page) == [] and overflow(page) <= 0, name


def a_filter_is_built(page: Page) -> None:
    """Build a group within a group."""
    page.locator("#list summary", has_text="Filter").click()
    page.locator(".ab-filter-row").first.get_by_label("Field").select_option("stage")
    page.locator(".ab-ticks label", has_text="Won").click()
    page.get_by_role("button", name="Group", exact=True).click()
    inner = page.locator(".ab-filter-group .ab-filter-group .ab-filter-row")
    expect(inner).to_be_visible()
    expect(page.locator(".htmx-added")).to_have_count(0)  # from here on the new line listens
    inner.get_by_label("Field").select_option("amount")
    expect(inner.locator("option[value=gte]")).to_have_count(1)
    expect(page.locator(".htmx-added")).to_have_count(0)
    old = inner.element_handle()
    inner.get_by_label("Operator").select_option("gte")
    page.wait_for_function("node => !node.isConnected", arg=old)  # the line is drawn anew for its operator
    expect(page.locator(".htmx-added")).to_have_count(0)
    inner.get_by_label("Value", exact=True).fill("1")
    assert faults(page) == []
    page.get_by_role("button", name="Apply filters").click()
    expect(page.locator(".ab-chips")).to_contain_text("Stage is any of Won")
    expect(page.locator(".ab-chips")).to_contain_text("Amount is at least 1")


def a_report_is_kept(page: Page, base: str) -> None:
    """Ask a question, see it drawn, keep it."""
    page.goto(f"{base}/reports/new?object=crm_opportunity")
    page.get_by_label("Grouped by").select_option("kind")
    expect(page.get_by_role("heading", name="Kind")).to_be_visible()
    page.locator(".ab-charts label", has_text="Ring").click()
    expect(page.locator("svg.ab-chart .ab-slice").first).to_be_visible()
    assert faults(page) == [] and overflow(page) <= 0
    page.locator("summary", has_text="Save").click()
    page.get_by_label("Name").fill("Sums by kind")
    page.get_by_role("button", name="Save the report").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sums by kind")


def a_dashboard_is_arranged(page: Page, base: str) -> None:
    """Make a dashboard out of the module's suggestions and put the report on it."""
    page.goto(f"{base}/dashboards")
    page.get_by_label("Name").fill("Morning")
    page.get_by_role("button", name="Make the dashboard").click()
    expect(page.locator(".ab-widget").first).to_be_visible()
    assert faults(page) == [] and overflow(page) <= 0
    page.get_by_role("link", name="Arrange").click()
    page.get_by_label("Add a report or a list").select_option(label="Sums by kind")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("heading", name="Sums by kind")).to_be_visible()
    assert faults(page) == []
