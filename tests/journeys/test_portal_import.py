"""An administrator brings the real Northwind customers in, in a real browser, with a worker in its own process."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests import northwind
from tests.looks import LOOKS, chosen
from tests.portal.atelier import PASSWORD, Atelier, make_atelier
from tests.portal.browser import faults, opened, overflow, sign_in
from tests.servers import ROOT, LiveServer

pytestmark = pytest.mark.browser
NORTHWIND = northwind.folder() / "customers.csv"


@contextmanager
def working(folder: Path) -> Iterator[None]:
    """Run the product's worker until the block ends."""
    env = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings.test"}
    with (folder / "worker.log").open("wb") as out:
        command = [sys.executable, "manage.py", "work", "--threads", "1"]
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=out, start_new_session=True)
        try:
            yield
            assert process.poll() is None, (folder / "worker.log").read_text()[-3000:]
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.fixture(scope="module")
def wharf(database: dict[str, Any]) -> Atelier:
    """A tenant for this journey alone."""
    return make_atelier("wharf")


@pytest.fixture(scope="module")
def worker(wharf: Atelier, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A worker beside the server."""
    with working(tmp_path_factory.mktemp("worker")):
        yield


def upload(page: Page, base: str, file: Any) -> None:
    """Choose a file and send it; ends on its columns."""
    page.goto(f"{base}/o/crm_account/import")
    page.get_by_label("File to import").set_input_files(file)
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url(re.compile(r"/imports/[0-9a-f-]{36}$"))


def accounts(wharf: Atelier, **where: Any) -> list[dict[str, Any]]:
    return wharf.rows("crm_account", {"where": where, "limit": 200})


def test_an_administrator_imports_northwind_and_takes_it_back(
    server: LiveServer, wharf: Atelier, worker: None
) -> None:
    base, before = server.url("", tenant=wharf.ref.slug), len(accounts(wharf))
    with opened() as page:
        sign_in(page, base, wharf.email("admin"), PASSWORD)
        page.goto(f"{base}/o/crm_account")
        page.locator("summary", has_text="More").click()
        page.get_by_role("link", name="Import from a file").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Import Accounts")
        upload(page, base, NORTHWIND)
        expect(page.get_by_label("Field for the column company_name")).to_have_value("name")
        page.get_by_label("Field for the column customer_id").select_option(label="Customer code")
        expect(page.get_by_label("Find existing records by")).to_be_hidden()
        page.get_by_role("radio", name="Change existing records, create the others").check()
        page.get_by_label("Find existing records by").select_option(label="Customer code")
        page.get_by_role("button", name="Check the rows").click()
        page.get_by_role("button", name="Import 91 records").click()
        expect(page.get_by_role("heading", name="The import is done")).to_be_visible(timeout=30_000)
        expect(page.locator(".ab-counts .is-green dd")).to_have_text("91")
        page.reload()
        expect(page.get_by_role("heading", name="The import is done")).to_be_visible(timeout=30_000)
        address = page.url
        page.get_by_role("link", name="Show the Accounts").click()
        expect(page.locator(".ab-pager [role=status]")).to_have_text(f"{before + 91} records")
        page.goto(f"{base}/o/crm_account?f=0.customer_code.filled.")
        expect(page.locator(".ab-pager [role=status]")).to_have_text("91 records")
        page.goto(f"{base}/o/crm_account?q=ALFKI")
        expect(page.locator(".ab-title-cell")).to_have_text("Alfreds Futterkiste")
        page.goto(address)
        page.get_by_role("link", name="Take back").click()
        expect(page.get_by_text("91 records that it created go into the bin.")).to_be_visible()
        page.get_by_role("button", name="Take back").click()
        expect(page.get_by_role("heading", name="The import is taken back")).to_be_visible(timeout=30_000)
    assert len(accounts(wharf)) == before


def test_a_file_is_dropped_and_a_too_large_one_stopped_before_it_is_sent(
    server: LiveServer, wharf: Atelier
) -> None:
    base = server.url("", tenant=wharf.ref.slug)
    drop = """([zone, size]) => {
      const kept = new DataTransfer();
      kept.items.add(new File(["name\\n" + "x".repeat(size) + "\\n"], "dropped.csv", {type: "text/csv"}));
      zone.dispatchEvent(new DragEvent("drop", {dataTransfer: kept, bubbles: true, cancelable: true}));
    }"""
    with opened() as page:
        sign_in(page, base, wharf.email("admin"), PASSWORD)
        page.goto(f"{base}/o/crm_account/import")
        zone, button = page.locator("[data-drop]").element_handle(), page.get_by_role("button", name="Upload")
        page.get_by_label("File to import").evaluate("node => { node.dataset.most = '1000'; }")
        page.evaluate(drop, [zone, 5000])
        button.click()
        expect(page.get_by_text("Split it into several files.")).to_be_visible()
        assert page.url.endswith("/import")
        page.evaluate(drop, [zone, 20])
        expect(button).to_be_focused()
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("/imports/"))
        expect(page.get_by_role("heading", level=1).locator("..")).to_contain_text("dropped.csv")


def test_required_fields_are_told_while_choosing(server: LiveServer, wharf: Atelier) -> None:
    base = server.url("", tenant=wharf.ref.slug)
    with opened() as page:
        sign_in(page, base, wharf.email("admin"), PASSWORD)
        upload(page, base, {"name": "a.csv", "mimeType": "text/csv", "buffer": b"name,city\nA,B\n"})
        note = page.locator("[data-required]")
        expect(note).to_be_hidden()
        page.get_by_label("Field for the column name").select_option("")
        expect(note).to_contain_text("Name")
        page.get_by_role("radio", name="Change existing records", exact=False).nth(0).check()
        expect(note).to_be_hidden()
        page.get_by_label("Find existing records by").select_option(label="Phone")
        page.get_by_role("button", name="Check the rows").click()
        expect(page.get_by_role("alert")).to_be_focused()
        page.get_by_role("alert").get_by_role("link").click()
        expect(page.get_by_label("Find existing records by")).to_be_focused()


def test_without_the_right_the_page_names_who_can_grant_it(server: LiveServer, wharf: Atelier) -> None:
    base = server.url("", tenant=wharf.ref.slug)
    with opened() as page:
        sign_in(page, base, wharf.email("sales"), PASSWORD)
        page.goto(f"{base}/o/crm_account")
        page.locator("summary", has_text="More").click()
        expect(page.get_by_role("link", name="Import from a file")).to_have_count(0)
        answer = page.goto(f"{base}/o/crm_account/import")
        assert answer is not None and answer.status == 403
        expect(page.get_by_role("heading", name="You cannot see this")).to_be_visible()
        expect(page.get_by_text("Adam Admin")).to_be_visible()


def test_it_works_without_scripts(server: LiveServer, wharf: Atelier, worker: None) -> None:
    base = server.url("", tenant=wharf.ref.slug)
    with opened(java_script_enabled=False) as page:
        sign_in(page, base, wharf.email("admin"), PASSWORD)
        upload(page, base, {"name": "a.csv", "mimeType": "text/csv", "buffer": b"name\nNo Script\n"})
        page.get_by_role("button", name="Check the rows").click()
        page.get_by_role("button", name="Import 1 record").click()
        expect(page.get_by_role("heading", name="The import is done")).to_be_visible(timeout=30_000)
    assert len(accounts(wharf, name="No Script")) == 1


@pytest.mark.parametrize("look", chosen())
def test_every_step_is_in_order(server: LiveServer, wharf: Atelier, worker: None, look: str) -> None:
    base, found = server.url("", tenant=wharf.ref.slug), {}
    content = "name,E-mail,what\n" + "".join(f"{look} {n} {'x' * 180},{'y' * n}@,z\n" for n in range(3))
    long_name = f"{'accounts ' * 15}.csv"
    with opened(**LOOKS[look]) as page:
        page.context.add_cookies([{"name": "aibos_language", "value": "en", "url": base}])
        sign_in(page, base, wharf.email("admin"), PASSWORD)
        if look == "arabic":
            page.context.add_cookies([{"name": "aibos_language", "value": "ar", "url": base}])

        def judge(step: str) -> None:
            wrong: list[Any] = faults(page)
            if overflow(page) > 0:
                wrong.append(f"{overflow(page)} px wider than the window")
            if wrong:
                found[step] = wrong

        page.goto(f"{base}/o/crm_account/import")
        judge("start")
        page.locator("#file").set_input_files(
            {"name": long_name, "mimeType": "text/csv", "buffer": content.encode() + b"Good,,\n"}
        )
        page.locator("[data-upload] button").click()
        page.wait_for_url(re.compile("/imports/"))
        judge("columns")
        page.locator("[data-columns] [type=submit]").click()
        page.locator(".ab-faults").wait_for()
        judge("checked")
        page.locator("form[action$='/begin'] button").click()
        page.locator("a[href$='/undo']").click()
        page.locator(".ab-consequences").wait_for()
        judge("undo")
        page.locator("form[data-once] .btn-danger").click()
        page.locator("a[href$='/trash']").wait_for()
        judge("undone")
    assert found == {}
