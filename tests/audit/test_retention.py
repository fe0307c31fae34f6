"""Retention and legal hold: only a whole, old, signed, verified beginning goes, and the rest still verifies."""

import datetime as dt

import psycopg
import pytest
from django.db import connections
from psycopg import sql

from apps.audit import ledger, queries
from apps.audit.erasure import close_ledger
from apps.audit.merkle.maker import sign_now
from apps.audit.models import Entry, ExportPosition, Retention
from apps.audit.privacy import erasure, holds, retention
from apps.audit.verify import verify
from apps.core.actor import SYSTEM
from apps.core.db.owner import owner_session
from apps.core.errors import Problem
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.tenants import lifecycle, removal
from apps.tenants.models import Tenant
from apps.tenants.states import State
from tests.audit.settling import settle
from tests.audit.test_sealing import person


def later(days: int = 40) -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(days=days)


@pytest.fixture
def old(fresh_tenant: TenantRef) -> TenantRef:
    """A tenant that keeps 30 days, with entries that are signed."""
    with tenant_scope(fresh_tenant):
        for number in range(20):
            ledger.record("lead.created", by=SYSTEM, target=f"lead:{number}", after={"number": number})
        retention.set_days(30, by=SYSTEM)
    settle(fresh_tenant)
    sign_now(fresh_tenant)
    return fresh_tenant


def seqs(tenant: TenantRef) -> list[int]:
    with tenant_scope(tenant):
        return list(Entry.objects.order_by("seq").values_list("seq", flat=True))


def test_an_old_beginning_goes_and_the_rest_verifies(old: TenantRef) -> None:
    before = seqs(old)
    assert retention.prune(old, by=SYSTEM).why == "nothing is old enough"
    done = retention.prune(old, by=SYSTEM, now=later())
    assert (done.removed, done.until) == (len(before) - 1, before[-2])
    assert seqs(old) == before[-1:]
    settle(old)
    sign_now(old)
    verdict = verify(old)
    assert verdict.ok, verdict.bad
    assert verdict.pruned == done.until
    with tenant_scope(old):
        (entry,) = queries.browse(queries.Filters(action="ledger.pruned")).entries
    assert (entry.details["from"], entry.details["until"]) == (1, done.until)
    again = retention.prune(old, by=SYSTEM, now=later())
    assert again.until > done.until
    settle(old)
    assert verify(old).ok


def test_removing_more_than_was_written_down_is_found(old: TenantRef, superuser_url: str) -> None:
    """Negative control: a superuser who cuts one entry more, and moves the mark along, is found."""
    retention.prune(old, by=SYSTEM, now=later())
    with tenant_scope(old):
        for number in range(5):
            ledger.record("lead.created", by=SYSTEM, after={"number": number})
    settle(old)
    sign_now(old)
    assert verify(old).ok
    entry = sql.Identifier(old.schema, "audit_entry")
    with psycopg.connect(superuser_url) as attacker:
        attacker.execute("SET session_replication_role = replica")
        attacker.execute(sql.SQL("DELETE FROM {} WHERE seq = (SELECT min(seq) FROM {})").format(entry, entry))
    assert not verify(old).ok
    with psycopg.connect(superuser_url) as attacker:
        attacker.execute(
            sql.SQL(
                "UPDATE audit_retention SET pruned_seq = pruned_seq + 1, pruned_hash = %s WHERE tenant_id = %s"
            ),
            [b"\x01" * 32, old.id],
        )
    assert not verify(old).ok


def test_without_a_policy_everything_stays(fresh_tenant: TenantRef) -> None:
    with tenant_scope(fresh_tenant):
        ledger.record("lead.created", by=SYSTEM)
    settle(fresh_tenant)
    sign_now(fresh_tenant)
    before = seqs(fresh_tenant)
    assert retention.prune(fresh_tenant, by=SYSTEM, now=later(40_000)).why == "no policy"
    assert seqs(fresh_tenant) == before


def test_what_is_not_signed_yet_stays(fresh_tenant: TenantRef) -> None:
    with tenant_scope(fresh_tenant):
        retention.set_days(30, by=SYSTEM)
        for _ in range(5):
            ledger.record("lead.created", by=SYSTEM)
    settle(fresh_tenant)
    before = seqs(fresh_tenant)
    assert retention.prune(fresh_tenant, by=SYSTEM, now=later()).removed == 0
    assert seqs(fresh_tenant) == before


def test_a_ledger_that_does_not_verify_keeps_everything(old: TenantRef, superuser_url: str) -> None:
    with psycopg.connect(superuser_url) as attacker:
        attacker.execute("SET session_replication_role = replica")
        attacker.execute(
            sql.SQL("UPDATE {} SET action = 'lead.forged' WHERE seq = 3").format(
                sql.Identifier(old.schema, "audit_entry")
            )
        )
    before = seqs(old)
    assert retention.prune(old, by=SYSTEM, now=later()).why == "it does not verify"
    assert seqs(old) == before


def test_what_was_not_sent_on_yet_stays(old: TenantRef, settings: object) -> None:
    settings.SIEM_URL = "tcp://192.0.2.1:514"  # type: ignore[attr-defined]
    assert retention.prune(old, by=SYSTEM, now=later()).removed == 0
    with platform_scope("test"):
        ExportPosition.objects.create(tenant_id=old.id, target="siem", seq=3)
    assert retention.prune(old, by=SYSTEM, now=later()).until == 3


def test_a_hold_stops_removal_until_it_is_released(old: TenantRef) -> None:
    with tenant_scope(old):
        hold = holds.place(subject="lead:3", reason="case 17", by=SYSTEM)
    assert retention.prune(old, by=SYSTEM, now=later()).why == "a legal hold stands"
    with tenant_scope(old):
        holds.release(hold.id, by=SYSTEM, reason="case closed")
    assert retention.prune(old, by=SYSTEM, now=later()).removed


def test_the_chore_serves_every_ledger_with_a_policy(old: TenantRef) -> None:
    assert "nothing is old enough" in retention.prune_all()
    with platform_scope("test"):
        Retention.objects.filter(tenant_id=old.id).update(days=None)
    assert retention.prune_all() == "nothing due"


@pytest.mark.parametrize("days", [0, 29, -1, 40_000])
def test_a_policy_that_would_remove_what_is_fresh_is_refused(fresh_tenant: TenantRef, days: int) -> None:
    with pytest.raises(Problem), tenant_scope(fresh_tenant):
        retention.set_days(days, by=SYSTEM)


def test_the_policy_is_an_entry(fresh_tenant: TenantRef) -> None:
    with tenant_scope(fresh_tenant):
        retention.set_days(365, by=SYSTEM)
        retention.set_days(365, by=SYSTEM)
        retention.set_days(None, by=SYSTEM)
        found = queries.browse(queries.Filters(action="retention.changed")).entries
        assert [(e.before["days"], e.after["days"]) for e in found] == [(365, None), (None, 365)]
        assert retention.policy().days is None


def test_the_application_cannot_remove_entries_whatever_it_says(old: TenantRef) -> None:
    with (
        pytest.raises(Exception, match="permission denied"),
        tenant_scope(old),
        connections["default"].cursor() as cursor,
    ):
        cursor.execute("SELECT set_config('audit.prune_until', '10', true)")
        cursor.execute("DELETE FROM audit_entry WHERE seq < 5")


def test_the_owner_removes_no_more_than_it_says(old: TenantRef) -> None:
    for said in ("", "4"):
        with (
            pytest.raises(Exception, match="append-only"),
            owner_session(),
            tenant_scope(old),
            connections["default"].cursor() as cursor,
        ):
            cursor.execute("SELECT set_config('audit.prune_until', %s, true)", [said])
            cursor.execute("DELETE FROM audit_entry WHERE seq <= 5")


# -- legal hold -------------------------------------------------------------------------------------------


def test_a_hold_forbids_erasing_its_subject_and_says_which(fresh_tenant: TenantRef) -> None:
    anna, ben = person(), person("Ben Bauer")
    with tenant_scope(fresh_tenant):
        for who in (anna, ben):
            ledger.record("lead.updated", by=who)
        hold = holds.place(subject=f"user:{anna.user_id}", reason="case 17", by=SYSTEM)
    with pytest.raises(Problem) as refusal, tenant_scope(fresh_tenant):
        erasure.erase(f"user:{anna.user_id}", by=SYSTEM, reason="asked")
    assert (refusal.value.code, refusal.value.details) == ("LEGAL_HOLD", {"holds": [str(hold.id)]})
    with tenant_scope(fresh_tenant):
        erasure.erase(f"user:{ben.user_id}", by=SYSTEM, reason="asked")
        (denial,) = queries.browse(queries.Filters(action="subject.erasure_denied")).entries
        assert denial.target == f"user:{anna.user_id}"
        holds.release(hold.id, by=SYSTEM, reason="closed")
        erasure.erase(f"user:{anna.user_id}", by=SYSTEM, reason="asked")


def test_a_hold_on_the_whole_ledger_protects_everybody_and_the_ledger_itself(fresh_tenant: TenantRef) -> None:
    with tenant_scope(fresh_tenant):
        hold = holds.place(subject="", reason="case 18", by=SYSTEM)
    with pytest.raises(Problem, match="legal hold"), tenant_scope(fresh_tenant):
        erasure.erase("lead:1", by=SYSTEM, reason="asked")
    with owner_session(), platform_scope("test"), pytest.raises(Problem, match="legal hold"):
        close_ledger(fresh_tenant, by=SYSTEM, reason="contract ended")
    with tenant_scope(fresh_tenant):
        holds.release(hold.id, by=SYSTEM, reason="closed")


def test_holds_are_entries_and_stay_on_record(fresh_tenant: TenantRef, globex: TenantRef) -> None:
    with tenant_scope(fresh_tenant):
        hold = holds.place(subject="lead:1", reason="case 19", by=SYSTEM)
        holds.release(hold.id, by=SYSTEM, reason="closed")
        holds.release(hold.id, by=SYSTEM, reason="closed again")
        actions = [entry.action for entry in queries.history("lead:1")]
        assert actions == ["hold.released", "hold.placed"]
        (row,) = holds.every()
        assert (row.released_by, row.reason) == ("system:system", "case 19")
    with pytest.raises(Problem), tenant_scope(globex):
        holds.release(hold.id, by=SYSTEM, reason="not mine")
    with pytest.raises(Problem), tenant_scope(globex):
        holds.place(subject="", reason="  ", by=SYSTEM)


def test_a_deleted_tenant_under_a_hold_stays_and_holds_up_nobody(
    fresh_tenant: TenantRef, monkeypatch: object
) -> None:
    with platform_scope("test"):
        for state in (State.ARCHIVED, State.DELETED):
            lifecycle.move(tenant_id=fresh_tenant.id, to=state, by=SYSTEM)
        Tenant.objects.filter(pk=fresh_tenant.id).update(delete_after=dt.datetime.now(dt.UTC))
    with tenant_scope(fresh_tenant):
        hold = holds.place(subject="lead:1", reason="case 21", by=SYSTEM)
    assert removal.remove_due() == []
    with tenant_scope(fresh_tenant):
        holds.release(hold.id, by=SYSTEM, reason="closed")
    assert removal.remove_due() == [fresh_tenant.slug]
