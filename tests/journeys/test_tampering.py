"""In a browser: a superuser of the database edits a ledger; both faces say so until it holds again."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from playwright.sync_api import Page, expect
from psycopg import sql

from apps.audit import ledger
from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, tenant_scope
from tests.audit.settling import settle
from tests.journeys.test_console_operator import enter
from tests.people import People
from tests.portal.browser import faults, opened, overflow, sign_in
from tests.servers import LiveServer

pytestmark = pytest.mark.browser
FORGED = "-- forged"


@pytest.fixture
def edit(acme: TenantRef, superuser_url: str) -> Iterator[Callable[[bool], None]]:
    """Change the second entry of acme's ledger with the triggers off, or change it back."""
    with tenant_scope(acme):
        for number in range(3):
            ledger.record("lead.created", by=SYSTEM, target=f"crm_lead:{number}")
    settle()
    table = sql.Identifier(acme.schema, "audit_entry")
    forge = sql.SQL("UPDATE {} SET target = coalesce(target, '') || %s WHERE seq = 2").format(table)
    mend = sql.SQL("UPDATE {} SET target = nullif(replace(target, %s, ''), '') WHERE seq = 2").format(table)

    def change(forged: bool) -> None:
        with psycopg.connect(superuser_url) as attacker:
            attacker.execute("SET LOCAL session_replication_role = replica")
            attacker.execute(forge if forged else mend, [FORGED])

    yield change
    change(False)


def verify(page: Page, server: LiveServer) -> None:
    """Recompute acme's ledger from the console."""
    page.goto(server.url("/console/integrity/?book=acme"))
    page.get_by_role("button", name="Verify now").click()
    page.wait_for_url("**verified=1")


def test_tamper_verify_banner_acknowledge_mend(
    server: LiveServer, people: People, edit: Callable[[bool], None]
) -> None:
    base = server.url("", "acme").rstrip("/")
    with opened() as page:
        enter(page, server)
        verify(page, server)
        expect(page.locator("#verdict")).to_contain_text("entries hold")
        expect(page.locator(".c-banner")).to_have_count(0)

        edit(True)
        verify(page, server)
        expect(page.locator("#verdict")).to_contain_text("does not hold from entry 2 on")
        page.goto(server.url("/console/"))
        banner = page.locator(".c-banner")
        expect(banner).to_contain_text("A ledger was changed outside the product.")
        assert faults(page) == []
        banner.get_by_role("button", name="Acknowledge").click()
        expect(page.locator(".c-banner")).to_have_count(0)
        expect(page.get_by_role("row", name="ledger.tampered")).to_contain_text("Olga Operator")
        assert faults(page) == []
        assert overflow(page) <= 0

    with opened() as page:
        sign_in(page, base, people.email("reader"), People.password)
        expect(page.get_by_text("changed outside the product")).to_have_count(0)
    with opened() as page:
        sign_in(page, base, people.email("owner"), People.password)
        banner = page.get_by_role("alert").filter(has_text="changed outside the product")
        expect(banner).to_contain_text("from entry 2 on")
        assert faults(page) == []
        banner.get_by_role("link", name="Look").click()
        expect(page.get_by_role("status").filter(has_text="Entry 2 does not hold.")).to_be_visible()
        assert faults(page) == []

        edit(False)
        page.get_by_role("button", name="Verify the chain").click()
        expect(page.get_by_text("The chain holds.")).to_be_visible()
        page.goto(f"{base}/")
        expect(page.get_by_text("changed outside the product")).to_have_count(0)
        page.goto(f"{base}/settings/status")
        expect(page.get_by_role("heading", name="Status")).to_be_visible()
        assert faults(page) == []
        assert overflow(page) <= 0

    with opened() as page:
        enter(page, server)
        page.goto(server.url("/console/health/"))
        expect(page.get_by_text("Alerts that are over")).to_be_visible()
        expect(page.get_by_text("No alert is open.").first).to_be_visible()
