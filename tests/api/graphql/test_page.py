"""The interactive page in a real Chromium: it works under the strict policy and loads nothing from elsewhere."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.portal.browser import opened, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("objects")]


def test_a_member_asks_on_the_page(server, people, acme, tmp_path):
    base = server.url("", "acme")
    asked: list[str] = []
    with opened() as page:
        page.on("request", lambda request: asked.append(request.url))
        sign_in(page, base, people.email("owner"), people.password)
        page.goto(f"{base}/api/v1/graphiql")
        page.set_default_timeout(30_000)
        page.get_by_role("button", name="Execute query").click()
        expect(page.locator(".result-window")).to_contain_text("Owner Acme")
        page.get_by_role("button", name="Show Documentation Explorer").click()
        page.locator("a.graphiql-doc-explorer-type-name", has_text="Query").first.click()
        expect(page.locator(".graphiql-doc-explorer")).to_contain_text("api_lead_list")
        page.screenshot(path=tmp_path / "graphiql.png")
    assert {urlsplit(url).hostname for url in asked if not url.startswith(("data:", "blob:"))} == {
        "acme.localhost"
    }
