"""An operator's day in a real browser: open a tenant, install the CRM, suspend, resume, export, delete."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connections
from playwright.sync_api import Page, expect

from apps.core.actor import SYSTEM
from apps.core.scope import platform_scope
from apps.events.jobs import runner
from apps.identity.services import operators
from apps.modules import catalogue
from tests.looks import LOOKS, chosen
from tests.people import People
from tests.portal.browser import faults, opened, overflow
from tests.servers import LiveServer

pytestmark = pytest.mark.browser
PAGES = (
    "",
    "?range=hour",
    "tenants/tenant/",
    "tenants/new/",
    "tenants/host/",
    "tenants/plan/",
    "modules/",
    "identity/user/",
    "identity/membership/",
    "identity/session/",
    "events/job/",
    "dead-letters/",
    "dead-letters/replay/",
    "events/schedule/",
    "schedules/new/",
    "ledger/",
    "health/",
    "integrity/",
    "settings/",
    "nothing-here/",
)


@contextmanager
def worker() -> Iterator[None]:
    """The product's own worker loop, in a thread of the test."""
    stop = threading.Event()

    def run() -> None:
        try:
            runner.work_forever(stop)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, name="worker", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)


@pytest.fixture(scope="module")
def crm(people: People) -> None:
    """The CRM in the catalogue."""
    with platform_scope("journeys of the console"):
        catalogue.register_all(by=SYSTEM, replace=True)


def enter(page: Page, server: LiveServer, email: str = "operator@aibos.test") -> None:
    """Sign in at the console."""
    page.goto(server.url("/"))
    page.get_by_label("Email address").fill(email)
    page.get_by_label("Password").fill(People.password)
    page.get_by_role("button", name="Sign in").click()


def confirm(page: Page, verb: str) -> None:
    """Press the button of a confirmation."""
    page.locator("main").get_by_role("button", name=verb, exact=False).last.click()


def press(page: Page, verb: str) -> None:
    """Open the confirmation of a deed from the page of a row."""
    page.locator(".c-head").get_by_role("link", name=verb).click()


def finished(page: Page) -> None:
    """Wait for a job's page to say that it is done; it polls by itself."""
    expect(page.get_by_role("status").filter(has_text="Done.")).to_be_visible(timeout=60_000)


def test_the_life_of_a_tenant(server: LiveServer, people: People, crm: None, tmp_path: Path) -> None:
    name = f"Hooli {os.urandom(2).hex()}"
    slug = name.lower().replace(" ", "-")
    with worker(), opened(accept_downloads=True) as page:
        enter(page, server)
        expect(page.get_by_role("heading", name="Is everything well?")).to_be_visible()
        open_tenant(page, server, name, slug)
        press(page, "Install module")
        page.get_by_label("Module").select_option("crm")
        confirm(page, "Install module")
        finished(page)
        page.get_by_role("link", name=f"Go to {name}").click()
        expect(page.locator("#modules")).to_contain_text("CRM")
        suspend_and_resume(page, server, name, slug)
        export(page, tmp_path)
        delete(page, name)
        verify(page, server, slug)


def open_tenant(page: Page, server: LiveServer, name: str, slug: str) -> None:
    """Order a tenant and watch the job that builds it."""
    page.goto(server.url("/console/tenants/tenant/"))
    page.get_by_role("link", name="New tenant").click()
    page.get_by_label("Name").fill(name)
    expect(page.get_by_label("Address", exact=False).first).to_have_value(slug)
    page.get_by_label("Email address of the owner").fill(f"owner@{slug}.test")
    page.get_by_role("button", name="Open tenant").click()
    finished(page)
    page.get_by_role("link", name=f"Go to {name}").click()
    expect(page.locator(".c-title")).to_contain_text("active")
    expect(page.locator("#hosts")).to_contain_text(f"{slug}.localhost")


def suspend_and_resume(page: Page, server: LiveServer, name: str, slug: str) -> None:
    """Close the doors with a reason, see it at the portal, open them again."""
    here, portal = page.url, server.url("/", tenant=slug)
    press(page, "Suspend")
    page.get_by_label("Reason").fill("The invoice of May is unpaid")
    confirm(page, "Suspend")
    expect(page.locator(".c-title")).to_contain_text("suspended")
    expect(page.get_by_role("link", name="See it in the ledger")).to_be_visible()
    page.wait_for_timeout(1100)  # a door may know a host's tenant for a second
    answer = page.goto(portal)
    assert answer is not None
    assert answer.status == 403
    expect(page.locator("body")).to_contain_text("The invoice of May is unpaid")
    page.goto(here)
    press(page, "Resume")
    confirm(page, "Resume")
    expect(page.locator(".c-title")).to_contain_text("active")
    page.wait_for_timeout(1100)
    answer = page.goto(portal)
    assert answer is not None
    assert answer.status == 200
    page.goto(here)


def export(page: Page, folder: Path) -> None:
    """Write the archive and take it."""
    here = page.url
    press(page, "Export")
    confirm(page, "Export")
    finished(page)
    page.goto(here)
    with page.expect_download() as download:
        page.locator("#archives").get_by_role("link").click()
    target = folder / "tenant.zip"
    download.value.save_as(target)
    assert target.read_bytes()[:2] == b"PK"
    shutil.rmtree(Path(settings.EXPORT_ROOT) / here.rstrip("/").split("/")[-2])


def delete(page: Page, name: str) -> None:
    """Archive, then delete: not without the typed name."""
    press(page, "Archive")
    page.get_by_label("Reason").fill("The contract ended")
    confirm(page, "Archive")
    press(page, "Delete")
    page.get_by_label("Reason").fill("The customer asked for it")
    page.get_by_label("Type the name").fill("something else")
    confirm(page, "Delete")
    expect(page.get_by_text("This is not the name")).to_be_visible()
    page.get_by_label("Type the name").fill(name)
    confirm(page, "Delete")
    expect(page.locator(".c-title")).to_contain_text("deleted")
    expect(page.locator(".c-head").get_by_role("link", name="Restore")).to_be_visible()


def verify(page: Page, server: LiveServer, slug: str) -> None:
    """Find the day in the ledger, and have it recomputed."""
    page.goto(server.url("/console/ledger/?book=platform&action=tenant.deleted"))
    expect(page.locator(".c-ledger tbody tr").first).to_contain_text("Olga Operator")
    page.get_by_role("button", name="Verify this ledger").click()
    expect(page.locator("#verdict")).to_contain_text("holds")


def test_operators_of_one_tenant_and_members_are_kept_out(server: LiveServer, people: People) -> None:
    email = f"sam-{os.urandom(3).hex()}@aibos.test"
    with platform_scope("journeys of the console"):
        sam = operators.create_operator(email=email, name="Sam", password=People.password, by=SYSTEM)
        operators.grant_tenant(user_id=sam.pk, tenant_id=people.tenants["acme"].id, by=SYSTEM)
    with opened() as page:
        enter(page, server, people.email("owner"))
        expect(page.get_by_role("alert")).to_contain_text("Invalid email or password")
        enter(page, server, email)
        page.goto(server.url("/console/tenants/tenant/"))
        rows = page.locator("#result_list tbody tr")
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text("Acme")
        globex = people.tenants["globex"].id
        for path in (
            f"tenants/tenant/{globex}/change/",
            f"tenants/tenant/{globex}/do/suspend/",
            "ledger/?book=globex",
        ):
            answer = page.goto(server.url(f"/console/{path}"))
            assert answer is not None
            assert answer.status == 404
        answer = page.goto(server.url("/console/settings/"))
        assert answer is not None
        assert answer.status == 403


def test_control_a_superuser_opens_the_same_pages(server: LiveServer, people: People) -> None:
    """Negative control of the refusals above."""
    globex = people.tenants["globex"].id
    with opened() as page:
        enter(page, server)
        for path in (
            f"tenants/tenant/{globex}/change/",
            f"tenants/tenant/{globex}/do/suspend/",
            "ledger/?book=globex",
        ):
            answer = page.goto(server.url(f"/console/{path}"))
            assert answer is not None
            assert answer.status == 200


@pytest.mark.parametrize("look", chosen(("light", "dark", "phone"), "dark"))
def test_every_page_is_in_order(server: LiveServer, people: People, look: str) -> None:
    """No fault that axe-core finds, nothing wider than the window, no complaint of script or policy."""
    own = (
        f"tenants/tenant/{people.tenants['acme'].id}/change/",
        f"tenants/tenant/{people.tenants['acme'].id}/do/suspend/",
    )
    found = {}
    with opened(**LOOKS[look]) as page:
        page.goto(server.url("/console/login/"))
        found["login"] = faults(page)
        enter(page, server)
        for path in (*PAGES, *own):
            page.goto(server.url(f"/console/{path}"))
            page.wait_for_load_state("networkidle")
            wide = overflow(page)
            found[path] = faults(page) + ([f"{wide} px wider than the window"] if wide > 0 else [])
    assert {path: wrong for path, wrong in found.items() if wrong} == {}
