"""Somebody makes a kind of record in a browser: fields by forms, a look at what it will be, published, used, widened."""

import pytest
from playwright.sync_api import expect

from tests.portal.atelier import PASSWORD, Atelier, atelier
from tests.portal.browser import faults, opened, sign_in
from tests.servers import LiveServer

__all__ = ["atelier"]
pytestmark = pytest.mark.browser


def test_an_object_is_made_published_used_and_widened(server: LiveServer, atelier: Atelier) -> None:
    base = server.url("", tenant=atelier.ref.slug)
    with opened() as page:
        sign_in(page, base, atelier.email("admin"), PASSWORD)
        page.goto(f"{base}/settings/objects/new")
        page.get_by_label("One of them").fill("Ferry")
        page.get_by_label("Everybody sees and changes all").check()
        page.get_by_role("button", name="Begin the object").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Ferry")

        page.get_by_role("link", name="New field").click()
        page.get_by_role("link", name="One of a list").click()
        page.get_by_label("Label", exact=True).fill("State")
        page.get_by_role("button", name="Keep in the draft").click()
        expect(page.get_by_role("alert")).to_contain_text(
            "needs options"
        )  # and what was typed is still there
        expect(page.get_by_label("Label", exact=True)).to_have_value("State")
        page.get_by_label("Options").fill("At sea\nport | In port | green")
        page.get_by_role("button", name="Keep in the draft").click()
        preview = page.get_by_role("region", name="Preview")
        expect(preview.locator("option", has_text="In port")).to_have_count(1)
        assert faults(page) == []

        page.get_by_role("link", name="Review and publish").click()
        expect(page.get_by_text("Create the object x_ferry with 2 fields.")).to_be_visible()
        assert faults(page) == []
        page.get_by_role("button", name="Publish").click()
        expect(page.get_by_text("Ferry is published.")).to_be_visible()

        page.goto(f"{base}/o/x_ferry/new")
        page.get_by_label("Name", exact=True).fill("Aurora")
        page.get_by_label("State").select_option(label="In port")
        page.get_by_role("button", name="Create", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Aurora")

        page.goto(f"{base}/settings/objects/x_ferry/fields/state")
        page.get_by_role("button", name="Remove the field").click()
        page.get_by_role("link", name="Review and publish").click()
        expect(page.get_by_text("values are lost")).to_be_visible()
        page.get_by_label("Type x_ferry to go on").fill("x_ferry")
        page.get_by_role("button", name="Publish").click()
        page.get_by_role("link", name="History").click()
        page.get_by_label("Compare from version 1").check()
        page.get_by_label("Compare to version 2").check()
        page.get_by_role("button", name="Compare the two").click()
        expect(page.get_by_role("rowheader", name="fields.state")).to_be_visible()
        assert faults(page) == []
