"""What three people do in a day: an administrator, a salesman, somebody who only reads."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.portal.atelier import PASSWORD, Atelier, atelier
from tests.portal.browser import opened, sign_in
from tests.servers import LiveServer

__all__ = ["atelier"]
pytestmark = pytest.mark.browser


def heading(page: Page) -> str:
    """Return the title of the page."""
    return page.get_by_role("heading", level=1).inner_text()


def test_sales_works_through_the_leads(server: LiveServer, atelier: Atelier) -> None:
    base = server.url("", tenant=atelier.ref.slug)
    with opened() as page:
        sign_in(page, base, atelier.email("sales"), PASSWORD)
        page.get_by_role("navigation", name="Main").get_by_role("link", name="Leads").click()
        page.wait_for_url(re.compile("/o/crm_lead$"))
        page.keyboard.press("n")
        page.wait_for_url(re.compile("/o/crm_lead/new"))
        page.get_by_role("button", name="Create", exact=True).click()
        summary = page.locator("[data-error-summary]")
        expect(summary).to_be_focused()
        summary.get_by_role("link", name="Name").click()
        expect(page.get_by_label("Name", exact=True)).to_be_focused()
        page.get_by_label("Name", exact=True).fill("Journey Lead")
        page.get_by_label("Company").fill("Journey Ltd")
        page.keyboard.press("Control+s")
        page.wait_for_url(re.compile(r"/o/crm_lead/[0-9a-f-]{36}(#.*)?$"))
        assert heading(page) == "Journey Lead"
        page.keyboard.press("e")
        page.wait_for_url(re.compile("/edit$"))
        page.get_by_label("City").fill("Bremen")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("status").filter(has_text="saved")).to_be_visible()
        expect(page.locator(".ab-changes")).to_contain_text("Bremen")


def test_sales_filters_saves_a_view_and_ticks_rows(server: LiveServer, atelier: Atelier) -> None:
    base = server.url("", tenant=atelier.ref.slug)
    with opened() as page:
        sign_in(page, base, atelier.email("sales"), PASSWORD)
        page.goto(f"{base}/o/crm_lead?f=")
        page.locator("#list summary", has_text="Filter").click()
        page.locator("#filter-form select[name=field]").select_option("rating")
        page.locator("#filter-form .ab-ticks").get_by_label("Hot").check()
        page.get_by_role("button", name="Apply filters").click()
        page.wait_for_url(re.compile("rating.in.hot"))
        expect(page.locator(".ab-chip")).to_contain_text("Hot")
        count = page.locator("tbody tr").count()
        page.get_by_role("link", name="Company").click()
        expect(page.locator("th[aria-sort=ascending]")).to_contain_text("Company")
        expect(page.locator("tbody tr")).to_have_count(count)
        page.locator("#list summary", has_text="Save view").click()
        page.locator("#view-name").fill("My hot ones")
        page.locator("#view-name").press("Enter")
        expect(page.get_by_role("link", name="My hot ones")).to_have_attribute("aria-current", "page")
        page.locator(".ab-pick").first.check()
        expect(page.locator(".ab-bulk")).to_contain_text("1 selected")
        page.get_by_role("searchbox", name="Search Leads").fill("zzzz")
        expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()


def test_sales_finds_a_record_by_keyboard_alone(server: LiveServer, atelier: Atelier) -> None:
    base = server.url("", tenant=atelier.ref.slug)
    account = atelier.rows("crm_account", {"limit": 1})[0]
    with opened() as page:
        sign_in(page, base, atelier.email("sales"), PASSWORD)
        page.keyboard.press("Control+k")
        page.keyboard.type(account["name"][:12])
        page.get_by_role("option", name=account["name"]).wait_for()
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("/o/crm_account/"))
        assert heading(page) == account["name"]
        page.keyboard.press("/")
        expect(page.get_by_role("searchbox", name="Search records")).to_be_focused()


def test_a_look_up_is_chosen_by_keyboard_and_changes_are_guarded(
    server: LiveServer, atelier: Atelier
) -> None:
    base = server.url("", tenant=atelier.ref.slug)
    account = atelier.rows("crm_account", {"limit": 1})[0]
    with opened() as page:
        sign_in(page, base, atelier.email("sales"), PASSWORD)
        page.goto(f"{base}/o/crm_contact/new")
        page.get_by_label("Name", exact=True).fill("Keyboard Contact")
        box = page.get_by_role("combobox", name="Account")
        box.fill(account["name"])
        expect(page.locator("#options-account [role=option]")).to_have_count(1)
        box.press("Enter")
        assert page.locator("input[type=hidden][name=account]").input_value() == account["id"]
        asked: list[str] = []
        page.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
        page.get_by_role("link", name="Cancel").click()
        page.wait_for_timeout(200)
        assert asked == ["beforeunload"]
        page.get_by_role("button", name="Create", exact=True).click()
        page.wait_for_url(re.compile(r"/o/crm_contact/[0-9a-f-]{36}(#.*)?$"))
        assert heading(page) == "Keyboard Contact"


def test_an_administrator_invites_brands_and_makes_a_key(server: LiveServer, atelier: Atelier) -> None:
    base = server.url("", tenant=atelier.ref.slug)
    with opened() as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=base)
        sign_in(page, base, atelier.email("admin"), PASSWORD)
        page.get_by_role("link", name="Settings").click()
        page.get_by_label("E-mail address").fill("journey@guest.test")
        page.get_by_role("button", name="Invite").click()
        link = page.get_by_label("Invitation link").input_value()
        page.get_by_role("button", name="Copy").click()
        page.wait_for_function(
            "link => navigator.clipboard.readText().then(found => found === link)", arg=link
        )
        page.get_by_role("link", name="API keys").click()
        page.get_by_label("Name").fill("Journey key")
        page.get_by_role("button", name="Make a key").click()
        assert page.get_by_label("API key", exact=True).input_value().startswith("osk_")
        page.reload()
        page.goto(f"{base}/settings/ledger")
        page.get_by_role("button", name="Verify the chain").click()
        expect(page.get_by_text("The chain holds.")).to_be_visible()


def test_the_theme_and_the_navigation_are_remembered(server: LiveServer, atelier: Atelier) -> None:
    base = server.url("", tenant=atelier.ref.slug)
    with opened() as page:
        sign_in(page, base, atelier.email("admin"), PASSWORD)
        page.get_by_role("button", name="Switch between light and dark").click()
        page.get_by_role("button", name="Collapse").click()
        page.reload()
        assert page.locator("html").get_attribute("data-bs-theme") == "dark"
        assert page.locator("html").get_attribute("data-nav") == "small"


def test_a_deleted_record_comes_back_with_undo(server: LiveServer, atelier: Atelier) -> None:
    base = server.url("", tenant=atelier.ref.slug)
    with opened() as page:
        sign_in(page, base, atelier.email("manager"), PASSWORD)
        page.goto(f"{base}/o/crm_lead/new")
        page.get_by_label("Name", exact=True).fill("Undo Lead")
        page.get_by_label("Company").fill("Undo Ltd")
        page.get_by_role("button", name="Create", exact=True).click()
        page.wait_for_url(re.compile(r"/o/crm_lead/[0-9a-f-]{36}(#.*)?$"))
        page.goto(page.url + "/delete")
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("button", name="Undo").click()
        page.wait_for_url(re.compile(r"/o/crm_lead/[0-9a-f-]{36}(#.*)?$"))
        assert heading(page) == "Undo Lead"


def test_a_reader_reads_and_is_offered_nothing_else(server: LiveServer, atelier: Atelier) -> None:
    base = server.url("", tenant=atelier.ref.slug)
    with opened(viewport={"width": 360, "height": 740}) as page:
        sign_in(page, base, atelier.email("reader"), PASSWORD)
        page.get_by_role("button", name="Open navigation").click()
        page.get_by_role("navigation", name="Main").get_by_role("link", name="Leads").click()
        page.wait_for_url(re.compile("/o/crm_lead"))
        assert page.get_by_role("link", name=re.compile("^New")).count() == 0
        assert page.locator(".ab-pick").count() == 0
        page.locator("tbody tr a.ab-title-cell").first.click()
        page.wait_for_url(re.compile(r"/o/crm_lead/[0-9a-f-]{36}(#.*)?$"))
        assert page.get_by_role("link", name="Edit").count() == 0
        page.goto(page.url + "/edit")
        expect(page.get_by_role("heading", name="You cannot see this")).to_be_visible()
