"""Every page in a real browser: no fault that axe-core finds, nothing wider than a phone, no broken script."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.looks import LOOKS, chosen
from tests.portal.atelier import PASSWORD, Atelier, atelier
from tests.portal.browser import faults, opened, overflow, sign_in
from tests.servers import LiveServer

__all__ = ["atelier"]
pytestmark = pytest.mark.browser

PATHS = [
    "/", "/o/crm_lead", "/o/crm_lead?q=zzzz", "/o/crm_lead?f=0.rating.in.hot&f=1.name.has.a", "/o/crm_lead/new", "/o/crm_lead/trash",
    "/o/crm_opportunity?f=&as=board&by=stage", "/o/crm_opportunity?f=&as=calendar&by=close_date", "/o/crm_contact?f=&as=gallery",
    "/reports", "/reports/new?object=crm_opportunity", "/dashboards",
    "/search?q=a", "/settings/members", "/settings/permissions", "/settings/permissions/crm_sales", "/settings/permissions/new",
    "/settings/groups", "/settings/record-rules", "/settings/access?object=crm_lead&op=read",
    "/settings/objects", "/settings/objects/new", "/settings/objects/crm_lead", "/settings/objects/crm_lead/new-field",
    "/settings/objects/crm_lead/new-field/select", "/settings/objects/crm_lead/settings", "/settings/objects/crm_lead/history",
    "/settings/keys", "/settings/brand", "/settings/plan", "/settings/modules", "/settings/ledger", "/settings/ledger/integrity", "/settings/status", "/settings/jobs", "/profile", "/profile/password",
    "/profile/sessions", "/nothing-here",
]  # fmt: skip


def judge(page: Page, base: str, paths: list[str]) -> dict[str, Any]:
    """Return the faults of each page that has some."""
    found: dict[str, Any] = {}
    for path in paths:
        page.goto(base + path)
        wrong: list[Any] = faults(page)
        if overflow(page) > 0:
            wrong.append(f"{overflow(page)} px wider than the window")
        if wrong:
            found[path] = wrong
    return found


@pytest.mark.parametrize("look", chosen())
def test_every_page_is_in_order(server: LiveServer, atelier: Atelier, look: str) -> None:
    base = server.url("", tenant=atelier.ref.slug)
    record = atelier.rows("crm_account", {"limit": 1})[0]
    own = [
        f"/o/crm_account/{record['id']}",
        f"/o/crm_account/{record['id']}/edit",
        f"/o/crm_account/{record['id']}/share",
        f"/o/crm_account/{record['id']}/delete",
    ]
    with opened(**LOOKS[look]) as page:
        page.goto(f"{base}/sign-in")
        gate = judge(page, base, ["/sign-in", "/forgot", "/reset/dead"])
        page.context.add_cookies([{"name": "aibos_language", "value": "en", "url": base}])
        sign_in(page, base, atelier.email("admin"), PASSWORD)
        if look == "arabic":
            page.context.add_cookies([{"name": "aibos_language", "value": "ar", "url": base}])
        assert gate | judge(page, base, PATHS + own) == {}


def test_open_parts_are_in_order_too(server: LiveServer, atelier: Atelier) -> None:
    base = server.url("", tenant=atelier.ref.slug)
    with opened() as page:
        sign_in(page, base, atelier.email("admin"), PASSWORD)
        page.goto(f"{base}/o/crm_lead?f=0.rating.in.hot")
        for name in ("Filter", "Columns", "Save view", "Rows and density"):
            page.locator("#list summary", has_text=name).or_(
                page.locator(f"#list summary[aria-label='{name}']")
            ).click()
            assert faults(page) == [], name
            page.keyboard.press("Escape")
        page.keyboard.press("Control+k")
        page.locator("#palette-list [role=option]").first.wait_for()
        assert faults(page) == []


def test_the_judge_notices_faults(server: LiveServer, atelier: Atelier) -> None:
    """Negative control: a page that is harmed on purpose is reported."""
    with opened() as page:
        page.goto(server.url("/sign-in", tenant=atelier.ref.slug))
        assert faults(page) == []
        page.evaluate("document.querySelector('label[for=email]').remove()")
        page.evaluate(
            "document.body.append(Object.assign(document.createElement('img'), {src: '/static/img/mark.svg'}))"
        )
        assert {text.split(":")[0] for text in faults(page)} >= {"image-alt"}


def test_pages_read_and_write_without_scripts(server: LiveServer, atelier: Atelier) -> None:
    base = server.url("", tenant=atelier.ref.slug)
    with opened(java_script_enabled=False) as page:
        sign_in(page, base, atelier.email("manager"), PASSWORD)
        page.get_by_role("link", name="Leads").first.click()
        page.get_by_role("link", name="New Lead").click()
        page.get_by_label("Name").fill("No Script")
        page.get_by_label("Company").fill("Plain Forms Ltd")
        page.get_by_role("button", name="Create", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("No Script")
        page.goto(f"{base}/o/crm_lead?f=")
        page.get_by_role("searchbox", name="Search Leads").fill("Plain Forms")
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="No Script")).to_be_visible()
