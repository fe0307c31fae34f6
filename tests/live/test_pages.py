"""Pages that hear what others do: a record in two tabs, a form that keeps what was typed, a list that offers news."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from playwright.sync_api import Page, expect

from apps.core.scope import tenant_scope
from apps.objects import records
from tests.live.stage import staged
from tests.objects.world import published, world  # noqa: F401
from tests.portal.browser import faults, opened, sign_in

pytestmark = pytest.mark.browser
expect.set_options(
    timeout=40_000
)  # transactions elsewhere in the cluster hold the edge of what is settled back


@pytest.fixture(scope="module")
def stage(published, tmp_path_factory):  # noqa: F811
    with staged(tmp_path_factory.mktemp("stage")) as running:
        yield running


def beside(work: Any, *args: Any, **named: Any) -> Any:
    """Work in another thread: the browser's driver keeps a loop in this one, and Django refuses to work there."""

    def run() -> Any:
        try:
            return work(*args, **named)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


class Office:
    """Somebody at work beside the browser, and the browser's addresses."""

    def __init__(self, world: Any, stage: Any) -> None:  # noqa: F811
        self.world, self.base = world, stage.origin("acme")

    def create(self, name: str = "Ada", **data: Any) -> str:
        return beside(self._create, name, data)

    def _create(self, name: str, data: dict[str, Any]) -> str:
        with tenant_scope(self.world.acme):
            return records.create("qa_lead", {"name": name, **data}, by=self.world.actor("manager")).id

    def update(self, record: str, **data: Any) -> None:
        beside(self._update, record, data)

    def _update(self, record: str, data: dict[str, Any]) -> None:
        with tenant_scope(self.world.acme):
            records.update("qa_lead", record, data, by=self.world.actor("manager"))

    def delete(self, record: str) -> None:
        beside(self._delete, record)

    def _delete(self, record: str) -> None:
        with tenant_scope(self.world.acme):
            records.delete("qa_lead", record, by=self.world.actor("manager"))


@pytest.fixture
def office(stage, world) -> Office:  # noqa: F811
    return Office(world, stage)


@pytest.fixture
def page(office) -> Iterator[Page]:
    with opened() as found:
        sign_in(found, office.base, office.world.people.email("owner"), office.world.people.password)
        yield found


def visit(page: Page, address: str) -> Page:
    page.goto(address)
    expect(page.locator("#live[data-live=on]")).to_be_attached()
    return page


def test_a_record_open_in_two_tabs(page, office):
    lead = office.create("Two tabs", company="Before")
    address = f"{office.base}/o/qa_lead/{lead}"
    first, second = visit(page, address), visit(page.context.new_page(), address)
    second.evaluate("window.kept = true")
    second.get_by_role("link", name="Edit").focus()
    first.get_by_role("link", name="Edit").click()
    first.get_by_label("Company").fill("After")
    first.get_by_role("button", name="Save").click()
    expect(second.locator("dd", has_text="After").first).to_be_visible()
    expect(second.locator(".ab-fresh dd", has_text="After")).to_have_count(1)
    expect(second.locator("#live")).to_contain_text("Changed by Owner Acme.")
    expect(second.get_by_role("link", name="Edit")).to_be_focused()
    assert second.evaluate("window.kept") is True  # the page was not loaded again
    assert faults(second) == []
    office.delete(lead)
    expect(second.locator("#live")).to_contain_text("no longer here")
    second.get_by_role("link", name="Back to the list").click()
    second.wait_for_url(f"{office.base}/o/qa_lead")


def test_a_change_between_the_page_and_its_socket_is_not_missed(page, office):
    """The socket opens late: what happened since the page was made is told all the same."""
    lead = office.create("Late", company="Before")
    page.route("**/js/live.js*", lambda route: (office.update(lead, company="Meanwhile"), route.continue_()))
    page.goto(f"{office.base}/o/qa_lead/{lead}")
    expect(page.locator("dd", has_text="Meanwhile").first).to_be_visible()


def test_what_was_typed_is_never_lost(page, office):
    lead = office.create("Form", company="Before")
    visit(page, f"{office.base}/o/qa_lead/{lead}/edit")
    page.get_by_label("Company").fill("Half a sent")
    office.update(lead, email="new@example.com")
    expect(page.locator("#live")).to_contain_text("Changed by Manager Acme in the meantime.")
    expect(page.get_by_label("Company")).to_have_value("Half a sent")
    assert faults(page) == []
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.get_by_role("link", name="Reload").click()
    page.wait_for_timeout(300)
    assert asked == ["beforeunload"]
    expect(page.get_by_label("Company")).to_have_value("Half a sent")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Half a sent").first).to_be_visible()


def test_a_list_offers_what_is_new_and_fits_its_filter(page, office):
    shown = office.create("Shown", status="won")
    visit(page, f"{office.base}/o/qa_lead?q=Fresh")
    office.create("Fresh one")
    office.create("Elsewhere")
    office.create("Fresh two")
    expect(page.locator("#live")).to_contain_text("2 new")
    rows = page.locator("#list tbody tr")
    expect(rows).to_have_count(0)
    page.get_by_role("link", name="Refresh").click()
    expect(rows).to_have_count(2)
    expect(page.locator("#live .ab-live-bar")).to_have_count(0)
    visit(page, f"{office.base}/o/qa_lead?q=Shown")
    office.update(shown, company="New")
    expect(page.locator("#live")).to_contain_text("1 changed")
    assert faults(page) == []


def test_a_list_says_nothing_of_what_is_hidden(office):
    people = office.world.people
    with opened() as page:
        sign_in(page, office.base, people.email("sales"), people.password)
        visit(page, f"{office.base}/o/qa_lead")
        office.create("Hidden")
        page.wait_for_timeout(1500)
        expect(page.locator("#live .ab-live-bar")).to_have_count(0)


def test_a_line_that_breaks_goes_on_where_it_was(page, office):
    lead = office.create("Broken", company="Before")
    visit(page, f"{office.base}/o/qa_lead/{lead}")
    page.context.set_offline(True)
    page.evaluate("document.dispatchEvent(new Event('x'))")
    office.update(lead, company="While away")
    page.context.set_offline(False)
    expect(page.locator("dd", has_text="While away").first).to_be_visible(timeout=60_000)
