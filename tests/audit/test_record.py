"""Writing: in the caller's transaction, canonical, only what changed, and gone with a rollback."""

import os
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import psycopg
import pytest
from django.db import connections, transaction

from apps.audit import aside, ledger, queries
from apps.audit.models import Pending
from apps.core import context
from apps.core.actor import SYSTEM, Actor
from apps.core.scope import Scope, ScopeMissing, TenantRef, platform_scope, tenant_scope

ANNA = Actor(kind="member", id="0192-anna", label="Anna Adler", via="session:1")


def body_of(entry_id: UUID) -> dict[str, Any]:
    """Return the stored body of a waiting entry."""
    return orjson.loads(bytes(Pending.objects.get(entry_id=entry_id).body))


def test_an_entry_says_who_did_what_to_which(in_acme: Scope, acme: TenantRef) -> None:
    with context.carrying(request_id="req-7", ip="192.0.2.7"):
        entry_id = ledger.record(
            "lead.updated",
            by=ANNA,
            target="crm_lead:1",
            before={"status": "new", "amount": Decimal("10.50"), "name": "Müller"},
            after={"status": "won", "amount": Decimal("10.50"), "name": "Müller"},
        )
    body = body_of(entry_id)
    assert body.pop("at").endswith("Z")
    assert body == {
        "id": str(entry_id),
        "action": "lead.updated",
        "actor": {"kind": "member", "id": "0192-anna", "label": "Anna Adler", "via": "session:1"},
        "tenant": str(acme.id),
        "request": "req-7",
        "ip": "192.0.2.7",
        "target": "crm_lead:1",
        "before": {"status": "new"},
        "after": {"status": "won"},
    }


def test_the_bytes_are_canonical(in_acme: Scope) -> None:
    entry_id = ledger.record("lead.created", by=SYSTEM, after={"ö": 1, "z": [True, None], "a": "\u20ac\x07"})
    raw = bytes(Pending.objects.get(entry_id=entry_id).body)
    assert '"after":{"a":"€\\u0007","z":[true,null],"ö":1}' in raw.decode()
    assert b", " not in raw
    assert b'": ' not in raw


@pytest.mark.parametrize("value", [1.5, {"deep": [float("nan")]}, [0.1]])
def test_floats_are_refused(in_acme: Scope, value: object) -> None:
    with pytest.raises(TypeError, match="float"):
        ledger.record("lead.created", by=SYSTEM, after={"amount": value})


@pytest.mark.parametrize("action", ["created", "Lead.created", "lead created", "lead.", ""])
def test_an_action_is_noun_and_verb(in_acme: Scope, action: str) -> None:
    with pytest.raises(ValueError, match=r"noun\.verbed"):
        ledger.record(action, by=SYSTEM)


def test_outside_a_scope_nothing_is_written(acme: TenantRef) -> None:
    with pytest.raises(ScopeMissing):
        ledger.record("lead.created", by=SYSTEM)


def test_an_entry_goes_with_its_transaction(acme: TenantRef) -> None:
    with tenant_scope(acme):
        entry_id = ledger.record("lead.created", by=SYSTEM, target="t:rollback")
        transaction.set_rollback(True)
    with tenant_scope(acme):
        assert queries.entry(entry_id) is None


def test_a_tenant_cannot_write_into_anothers_ledger(acme: TenantRef, globex: TenantRef) -> None:
    for foreign in (globex, None):
        with pytest.raises(Exception, match="row-level security"), tenant_scope(acme):
            ledger.record("lead.created", by=SYSTEM, tenant=foreign)


def test_the_platform_may_write_into_every_ledger(platform: Scope, globex: TenantRef) -> None:
    entry_id = ledger.record("tenant.renamed", by=SYSTEM, tenant=globex)
    assert body_of(entry_id)["tenant"] == str(globex.id)
    assert "tenant" not in body_of(ledger.record("plan.created", by=SYSTEM))


def test_the_statement_is_part_of_a_larger_one(in_acme: Scope) -> None:
    part = ledger.part("lead.created", by=ANNA, target="crm_lead:9", after={"name": "Ö"})
    texts = ", ".join(f"{name} AS ({text})" for name, text in part.texts)
    with connections["default"].raw_cursor() as cursor:
        assert cursor.execute(f"WITH {texts} SELECT 40 + %s", [*part.params, 2]).fetchone() == (42,)
    part.settle()
    (found,) = queries.history("crm_lead:9")
    assert (found.action, found.after, found.actor.label) == ("lead.created", {"name": "Ö"}, "Anna Adler")


def test_a_denial_survives_the_rollback_of_what_was_denied(acme: TenantRef) -> None:
    target = f"crm_lead:{os.urandom(4).hex()}"
    with pytest.raises(PermissionError), tenant_scope(acme):
        lost = ledger.record("lead.updated", by=ANNA, target=target)
        kept = ledger.denied("lead.update_denied", by=ANNA, target=target, reason="read only")
        raise PermissionError
    with tenant_scope(acme):
        (found,) = queries.history(target)
        assert (found.id, found.details["reason"]) == (kept, "read only")
        assert queries.entry(lost) is None


def test_a_denial_outside_any_scope_goes_to_the_ledger_named(acme: TenantRef) -> None:
    entry_id = ledger.denied("session.refused", by=SYSTEM, reason="wrong password", tenant=None)
    with platform_scope("test"):
        found = queries.entry(entry_id)
        assert found is not None
        assert found.tenant_id is None


def test_a_denial_waits_for_no_lock_of_the_request(acme: TenantRef, superuser_url: str) -> None:
    """The table locked for long: the caller goes on, and the entry is written when the lock is gone."""
    with psycopg.connect(superuser_url) as attacker:
        attacker.execute("LOCK TABLE public.audit_pending IN SHARE MODE")
        patience, aside.PATIENCE = aside.PATIENCE, 0.2
        try:
            kept = ledger.denied("lead.read_denied", by=ANNA, reason="no right", tenant=acme)
        finally:
            aside.PATIENCE = patience
        attacker.rollback()
    aside.denials.drain()
    with tenant_scope(acme):
        assert queries.entry(kept) is not None


def test_what_can_never_be_written_is_in_the_log(acme: TenantRef, caplog: pytest.LogCaptureFixture) -> None:
    aside.write("INSERT INTO public.audit_pending (id) VALUES ('no number')", [], note=b"the entry itself")
    assert "the entry itself" in caplog.text
