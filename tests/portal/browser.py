"""A real Chromium for journeys: refuses when it is missing, listens for every complaint of the page."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from tests.programs import CHROMIUM

AXE = (Path(__file__).resolve().parents[1] / "data" / "axe.min.js").read_text(encoding="utf-8")
# Pages are complete without the sockets' process, and most journeys run without it.
SOCKETLESS = "WebSocket connection to"
SWITCHES = [
    "--no-sandbox",
    "--disable-background-networking",
    "--host-resolver-rules=MAP *.localhost 127.0.0.1",
]


@contextmanager
def opened(*, tolerated: str = "status of 4", **context: Any) -> Iterator[Page]:
    """Open a page; at the end no script may have failed and the policy may not have been violated.

    Complaints that contain `tolerated` do not count.
    """
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM.needed(), args=SWITCHES)
        settings = {
            "viewport": {"width": 1280, "height": 860},
            "locale": "en-US",
            "timezone_id": "Europe/Berlin",
        }
        page = browser.new_context(**settings | context).new_page()
        page.set_default_timeout(15_000)
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        try:
            yield page
            assert [text for text in complaints if tolerated not in text and SOCKETLESS not in text] == []
        finally:
            browser.close()


def sign_in(page: Page, base: str, email: str, password: str) -> None:
    """Sign a member in through the form."""
    page.goto(f"{base}/sign-in")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{base}/")


def faults(page: Page) -> list[str]:
    """Return what axe-core finds wrong on the page as it stands."""
    page.evaluate(AXE + ";0")
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found["violations"]]


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
