"""A browser's journey: change a record, compare its versions, go back, hold it, release it, erase it; looked at as it is."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.looks import LOOKS, chosen
from tests.portal.atelier import PASSWORD, Atelier, make_atelier
from tests.portal.browser import faults, opened, overflow, sign_in
from tests.servers import LiveServer

pytestmark = pytest.mark.browser
PICTURES = os.environ.get("AIBOS_PICTURES", "")


@pytest.fixture(scope="module")
def atelier(database: object) -> Atelier:
    return make_atelier()


def look(page: Page, name: str) -> None:
    """Find nothing wrong on the page, in width and to axe; keep a picture where one is wanted."""
    assert overflow(page) <= 0, name
    assert faults(page) == [], name
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"), full_page=True)


def base(server: LiveServer, atelier: Atelier) -> str:
    return server.url("", tenant=atelier.ref.slug)


def change(page: Page, **values: str) -> None:
    page.get_by_role("link", name="Edit").click()
    for label, value in values.items():
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_role("link", name="Edit")).to_be_visible()


def test_versions_privacy_and_the_end_of_a_record(server: LiveServer, atelier: Atelier) -> None:
    here = base(server, atelier)
    account = atelier.rows("crm_account", {"limit": 1})[0]["id"]
    with opened() as page:
        sign_in(page, here, atelier.email("owner"), PASSWORD)
        page.goto(f"{here}/o/crm_contact/new?account={account}")
        page.get_by_label("Name", exact=True).fill("Paula Past")
        page.get_by_role("button", name="Create").first.click()
        expect(page.get_by_role("heading", name="Paula Past")).to_be_visible()
        record = page.url
        change(page, Department="Sales", City="Ulm")
        change(page, City="Bonn")

        page.get_by_role("link", name="Versions").click()
        expect(page.get_by_role("button", name="Compare the two")).to_be_visible()
        look(page, "versions")
        page.get_by_label("Compare from version 1").check()
        page.get_by_label("Compare to version 3").check()
        page.get_by_role("button", name="Compare the two").click()
        expect(page.get_by_role("heading", name="Version 1 beside version 3")).to_be_visible()
        look(page, "compare")
        page.get_by_role("link", name="Go back to version 2").click()
        expect(page.get_by_role("heading", name="Go back to version 2")).to_be_visible()
        look(page, "go-back")
        page.get_by_role("button", name="Bring these values back").click()
        expect(page.get_by_text("Version 2 is back.")).to_be_visible()
        expect(page.get_by_text("Ulm").first).to_be_visible()

        page.goto(f"{here}/settings/privacy")
        page.get_by_label("Hold", exact=True).select_option("record")
        page.locator("#f-record").fill(f"crm_contact:{record.rsplit('/', 1)[1]}")
        page.locator("#f-reason").fill("case 17")
        page.get_by_role("button", name="Place the hold").click()
        expect(page.get_by_text("The hold stands.")).to_be_visible()
        look(page, "privacy")

        page.goto(f"{record}/erase")
        page.get_by_label("Why").fill("asked for it")
        page.get_by_label("Type the name to confirm").fill("Paula Past")
        page.get_by_role("button", name="Erase for good").click()
        expect(page.get_by_text("A legal hold stands")).to_be_visible()
        look(page, "erase-held")

        page.goto(f"{here}/settings/privacy")
        page.get_by_text("Release", exact=True).click()
        page.get_by_label("Why it may go").fill("closed")
        page.get_by_role("button", name="Release the hold").click()
        expect(page.get_by_text("The hold is released.")).to_be_visible()
        page.goto(f"{record}/erase")
        page.get_by_label("Why").fill("asked for it")
        page.get_by_label("Type the name to confirm").fill("Paula Past")
        page.get_by_role("button", name="Erase for good").click()
        expect(page.get_by_text("The record is erased for good.")).to_be_visible()
        page.goto(f"{here}/settings/ledger?action=crm_contact.*")
        expect(page.get_by_text("Paula")).to_have_count(0)


@pytest.mark.parametrize("name", chosen())
def test_the_pages_in_other_clothes(server: LiveServer, atelier: Atelier, name: str) -> None:
    here = base(server, atelier)
    lead = atelier.rows("crm_lead", {"limit": 1})[0]["id"]
    with opened(**LOOKS[name]) as page:
        page.context.add_cookies([{"name": "aibos_language", "value": "en", "url": here}])
        sign_in(page, here, atelier.email("owner"), PASSWORD)
        if name == "arabic":
            page.context.add_cookies([{"name": "aibos_language", "value": "ar", "url": here}])
        for path, what in ((f"/o/crm_lead/{lead}/versions", "versions"), ("/settings/privacy", "privacy")):
            page.goto(here + path)
            look(page, f"{what}-{name}")
        page.goto(f"{here}/o/crm_lead/{lead}/erase")
        look(page, f"erase-{name}")
