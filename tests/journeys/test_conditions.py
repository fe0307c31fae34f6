"""A browser's journey through a form whose fields come, go and close while it is filled in."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from apps.core.actor import SYSTEM
from apps.core.scope import tenant_scope
from apps.objects.parse import load_body
from apps.objects.publish import publish_in
from apps.permissions import services as permissions
from tests.portal.atelier import PASSWORD, Atelier, make_atelier
from tests.portal.browser import faults, opened, sign_in
from tests.portal.test_conditions import OFFER, RIGHTS
from tests.servers import LiveServer

pytestmark = pytest.mark.browser
PICTURES = os.environ.get("AIBOS_PICTURES", "")
NAME = "qc_journey"


@pytest.fixture(scope="module")
def atelier(database: object) -> Atelier:
    made = make_atelier()
    publish_in(made.ref, [load_body(OFFER | {"name": NAME})], by=SYSTEM)
    with tenant_scope(made.ref):
        permissions.create_set(name=NAME, label=NAME, body={"objects": {NAME: RIGHTS}}, by=SYSTEM)
        permissions.assign(user_id=made.ids["manager"], name=NAME, by=SYSTEM)
    return made


def look(page: Page, name: str) -> None:
    """Find nothing wrong on the page; keep a picture where one is wanted."""
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"conditions-{name}.png"), full_page=True)
    assert faults(page) == [], name


def test_fields_come_and_go_while_one_types(server: LiveServer, atelier: Atelier) -> None:
    base = server.url("", tenant=atelier.ref.slug)
    with opened(color_scheme="dark") as page:
        sign_in(page, base, atelier.email("manager"), PASSWORD)
        page.goto(f"{base}/o/{NAME}/new")
        reason = page.get_by_label("Reason", exact=True)
        expect(reason).to_be_hidden()
        page.get_by_label("Title").fill("Journey")
        page.get_by_label("Status", exact=True).select_option("lost")
        expect(reason).to_be_visible()
        expect(reason).to_have_attribute("aria-required", "true")
        look(page, "lost")
        page.get_by_role("button", name="Create", exact=True).click()
        expect(page.locator("#error-reason")).to_be_visible()
        page.get_by_label("Status", exact=True).select_option("draft")
        expect(page.get_by_label("Tier").locator("option[value=gold]")).to_be_disabled()
        page.get_by_label("Amount").fill("1500")
        expect(page.get_by_label("Tier").locator("option[value=gold]")).to_be_enabled()
        page.get_by_label("Tier").select_option("gold")
        page.get_by_role("button", name="Create", exact=True).click()
        page.wait_for_url(lambda url: "/new" not in url)
        record = page.url
        page.goto(f"{record}/edit")
        page.get_by_label("Status", exact=True).select_option("won")
        page.get_by_role("button", name="Save").click()
        page.wait_for_url(record)
        page.goto(f"{record}/edit")
        amount = page.locator("[data-field=amount]")
        expect(amount).to_have_js_property("inert", True)
        look(page, "locked")
