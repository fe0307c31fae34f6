"""The integrity report: what it says, its signature, the command, and verifying a long ledger as a job."""

import copy
import io
import json
from uuid import UUID

import psycopg
import pytest
from django.core.management import call_command
from psycopg import sql

from apps.audit import ledger, report, verdicts
from apps.core import signing
from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.events.health import verifying
from apps.events.jobs import runner
from tests.audit.settling import settle
from tests.events.working import job


@pytest.fixture
def book(fresh_tenant: TenantRef) -> TenantRef:
    with tenant_scope(fresh_tenant):
        ledger.record("lead.created", by=SYSTEM, target="crm_lead:1")
    settle()
    return fresh_tenant


def read(book: TenantRef) -> dict[str, object]:
    with tenant_scope(book):
        return report.integrity()


def test_it_says_what_was_found_last(book: TenantRef, superuser_url: str) -> None:
    assert read(book)["status"] == "unverified"
    verdict = verdicts.judge(book, by=SYSTEM)
    found = read(book)
    assert (found["status"], found["ledger"], found["tenant"]) == ("holds", book.slug, str(book.id))
    assert found["head"]["hash"] == verdict.head  # type: ignore[index]
    assert found["alerts"] == []
    with psycopg.connect(superuser_url) as attacker:
        attacker.execute("SET LOCAL session_replication_role = replica")
        attacker.execute(
            sql.SQL("UPDATE {} SET action = 'x' WHERE seq = 1").format(
                sql.Identifier(book.schema, "audit_entry")
            )
        )
    verdicts.judge(book, by=SYSTEM)
    found = read(book)
    assert found["status"] == "tampered"
    assert [item["ok"] for item in found["verifications"]] == [False, True]  # type: ignore[attr-defined, index]
    assert found["verifications"][0]["firstBadEntry"] == 1  # type: ignore[index]
    assert len(found["alerts"]) == 1  # type: ignore[arg-type]


def test_its_signature_is_of_this_installation_and_covers_everything(book: TenantRef) -> None:
    verdicts.judge(book, by=SYSTEM)
    found = json.loads(json.dumps(read(book)))
    assert report.signature_holds(found)
    assert found["signature"]["fingerprint"] == signing.fingerprint(signing.public_key(report.PURPOSE))
    for change in (
        lambda it: it.update(status="tampered"),
        lambda it: it["verifications"][0].update(entries=7),
        lambda it: it.update(extra=1),
        lambda it: it["head"].update(hash="00" * 32),
    ):
        forged = copy.deepcopy(found)
        change(forged)
        assert not report.signature_holds(forged), "negative control: a changed report"


def test_the_command_prints_it_and_ends_with_one_when_tampered(book: TenantRef, superuser_url: str) -> None:
    verdicts.judge(book, by=SYSTEM)
    out = io.StringIO()
    call_command("ledger", "report", "--tenant", book.slug, stdout=out)
    assert json.loads(out.getvalue())["status"] == "holds"
    with psycopg.connect(superuser_url) as attacker:
        attacker.execute("SET LOCAL session_replication_role = replica")
        attacker.execute(
            sql.SQL("DELETE FROM {} WHERE seq = 1").format(sql.Identifier(book.schema, "audit_entry"))
        )
    verdicts.judge(book, by=SYSTEM)
    with pytest.raises(SystemExit):
        call_command("ledger", "report", "--tenant", book.slug, stdout=io.StringIO())


def test_a_long_ledger_is_verified_by_a_job(book: TenantRef, monkeypatch: pytest.MonkeyPatch) -> None:
    with tenant_scope(book):
        assert not isinstance(verifying.verify(book, by=SYSTEM), UUID), (
            "negative control: a short one at once"
        )
    monkeypatch.setattr(verifying, "AT_ONCE", 0)
    with tenant_scope(book):
        job_id = verifying.verify(book, by=SYSTEM)
    assert isinstance(job_id, UUID)
    while runner.run_next():
        pass
    done = job(job_id)
    assert (done.state, done.tenant_id, done.result["ok"]) == ("done", book.id, True)
    with tenant_scope(book):
        assert len(verdicts.recent(book.id)) == 2


def test_a_tenants_job_verifies_no_other_ledger(book: TenantRef, acme: TenantRef) -> None:
    with tenant_scope(acme):
        job_id = verifying.enqueue(book.id, tenant_id=acme.id, by=SYSTEM)
    while runner.run_next():
        pass
    assert job(job_id).result == {"verified": False}
    with tenant_scope(book):
        assert verdicts.recent(book.id) == []


def test_the_platforms_own_ledger_has_one_too(acme: TenantRef) -> None:
    settle()
    verdicts.judge(None, by=SYSTEM)
    with platform_scope("test"):
        found = report.integrity()
    assert (found["ledger"], found["tenant"], found["status"]) == ("platform", None, "holds")
