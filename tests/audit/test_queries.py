"""Reading: chained and waiting entries as one list, newest first, in pages that neither skip nor repeat."""

import datetime as dt
from decimal import Decimal

import pytest
from django.core.management import call_command

from apps.audit import ledger, queries
from apps.audit.queries import Filters
from apps.audit.verify import verify
from apps.core.actor import SYSTEM, Actor
from apps.core.errors import Invalid
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from tests.audit.settling import settle

ANNA = Actor(kind="member", id="anna", label="Anna Adler")


def test_history_shows_waiting_and_chained_entries(fresh_tenant: TenantRef) -> None:
    with tenant_scope(fresh_tenant):
        ledger.record("lead.created", by=ANNA, target="lead:1", after={"name": "One"})
    settle(fresh_tenant)
    with tenant_scope(fresh_tenant):
        ledger.record("lead.updated", by=ANNA, target="lead:1", before={"name": "One"}, after={"name": "Two"})
        ledger.record("lead.created", by=ANNA, target="lead:2")
        newest, oldest = queries.history("lead:1")
    assert (newest.chained, oldest.chained) == (False, True)
    (change,) = newest.changes
    assert (change.field, change.before, change.after) == ("name", "One", "Two")
    assert (newest.actor.label, newest.tenant_id) == ("Anna Adler", fresh_tenant.id)
    settle(fresh_tenant)
    with tenant_scope(fresh_tenant):
        again = queries.history("lead:1")
        assert [entry.id for entry in again] == [newest.id, oldest.id]
        assert all(entry.chained and entry.hash for entry in again)
        assert queries.entry(newest.id) == again[0]


def test_pages_follow_each_other_while_the_chain_moves(fresh_tenant: TenantRef) -> None:
    with tenant_scope(fresh_tenant):
        made = [ledger.record("lead.created", by=SYSTEM, target="lead:1", after={"n": n}) for n in range(25)]
        first = queries.browse(Filters(target="lead:1"), limit=10)
    settle(fresh_tenant)
    with tenant_scope(fresh_tenant):
        second = queries.browse(Filters(target="lead:1"), cursor=first.next, limit=10)
        third = queries.browse(Filters(target="lead:1"), cursor=second.next, limit=10)
    seen = [entry.id for page in (first, second, third) for entry in page.entries]
    assert seen == made[::-1]
    assert third.next is None
    assert queries.history.__name__ == "history"


@pytest.mark.parametrize("chained", [False, True], ids=["waiting", "chained"])
def test_filters(fresh_tenant: TenantRef, chained: bool) -> None:
    now = dt.datetime.now(dt.UTC)
    with tenant_scope(fresh_tenant):
        ledger.record("lead.created", by=ANNA, target="lead:1")
        ledger.record("lead.updated", by=SYSTEM, target="lead:1", after={"amount": Decimal("1.10")})
        ledger.record("leads.imported", by=ANNA)
    if chained:
        settle(fresh_tenant)
    hour = dt.timedelta(hours=1)

    def found(**filters: object) -> list[str]:
        with tenant_scope(fresh_tenant):
            return [entry.action for entry in queries.browse(Filters(**filters)).entries]

    assert found(action="lead.*", since=now - hour) == ["lead.updated", "lead.created"]
    assert found(action="lead.created") == ["lead.created"]
    assert found(actor="member:anna") == ["leads.imported", "lead.created"]
    assert found(target="lead:1", actor="system:system") == ["lead.updated"]
    assert found(since=now + hour) == []
    assert found(until=now - hour) == []
    assert found(action="lead.created", until=now + hour) == ["lead.created"]


def test_a_scope_sees_its_own_ledger(acme: TenantRef, globex: TenantRef) -> None:
    with tenant_scope(globex):
        secret = ledger.record("lead.created", by=SYSTEM, target="lead:secret")
    for _ in range(2):
        with tenant_scope(acme):
            assert queries.history("lead:secret") == ()
            assert queries.entry(secret) is None
        with platform_scope("test"):
            assert queries.history("lead:secret") == ()
        settle(globex)
    with tenant_scope(globex):
        assert len(queries.history("lead:secret")) == 1


def test_a_cursor_from_elsewhere_is_refused(in_acme: object) -> None:
    with pytest.raises(Invalid, match="cursor"):
        queries.browse(Filters(), cursor="nonsense")


def test_once_links_what_waits(fresh_tenant: TenantRef, capsys: pytest.CaptureFixture[str]) -> None:
    with tenant_scope(fresh_tenant):
        ledger.record("lead.created", by=SYSTEM)
    settle(fresh_tenant)
    call_command("sequencer", "--once")
    assert "entries chained" in capsys.readouterr().out
    assert verify(fresh_tenant).pending == 0
