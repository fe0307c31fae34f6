"""The interactive page in a real Chromium: it works under the strict policy and loads nothing from elsewhere."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.portal.browser import opened, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("objects")]


def test_a_member_tries_an_operation_on_the_page(server, people, acme, tmp_path):
    base = server.url("", "acme")
    asked: list[str] = []
    with opened() as page:
        page.on("request", lambda request: asked.append(request.url))
        sign_in(page, base, people.email("owner"), people.password)
        page.goto(f"{base}/api/v1/docs")
        page.set_default_timeout(60_000)
        page.get_by_role("heading", name="AI-BOS").wait_for()
        page.locator("#operations-tag-Account").click()
        page.locator("#operations-Account-get_v1_data_api_account .opblock-summary-control").click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        expect(page.locator(".live-responses-table .response .response-col_status")).to_contain_text(
            "200", timeout=30_000
        )
        page.screenshot(path=tmp_path / "docs.png")
    assert {urlsplit(url).hostname for url in asked if not url.startswith("data:")} == {"acme.localhost"}
