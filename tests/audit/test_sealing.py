"""Sealing: personal data lie in boxes, the chain holds over the boxes, and without the key nobody reads them."""

import base64
from typing import Any
from uuid import UUID, uuid4

import orjson
import psycopg
import pytest
from django.db import connections, transaction
from psycopg import sql

from apps.audit import ledger, queries
from apps.audit.models import Pending, SubjectKey
from apps.audit.privacy import erasure
from apps.audit.sealing import KeyUnknown, keys
from apps.audit.verify import verify
from apps.core import context
from apps.core.actor import SYSTEM, Actor
from apps.core.scope import Scope, TenantRef, tenant_scope
from tests.audit.settling import settle


def person(label: str = "Anna Adler") -> Actor:
    user = uuid4()
    return Actor(kind="member", id=str(user), label=label, user_id=user)


def body_of(entry_id: UUID) -> bytes:
    return bytes(Pending.objects.get(entry_id=entry_id).body)


def test_the_name_and_address_of_who_acts_are_sealed(in_acme: Scope) -> None:
    anna = person()
    with context.carrying(ip="192.0.2.7"):
        entry_id = ledger.record("lead.updated", by=anna, target="crm_lead:1", after={"status": "won"})
    raw = body_of(entry_id)
    assert b"Anna" not in raw
    assert b"192.0.2.7" not in raw
    stored = orjson.loads(raw)
    assert stored["actor"] == {"kind": "member", "id": anna.id}
    (box,) = stored["sealed"]
    assert (box["subject"], box["names"]) == (f"user:{anna.user_id}", ["actor.label", "ip"])
    found = queries.entry(entry_id)
    assert found is not None
    assert (found.actor.label, found.ip, found.after) == ("Anna Adler", "192.0.2.7", {"status": "won"})


def test_the_platforms_own_acts_have_nobody_to_seal_for(in_acme: Scope) -> None:
    assert b"sealed" not in body_of(ledger.record("lead.created", by=SYSTEM))


def test_fields_are_sealed_for_whom_they_are_about(in_acme: Scope) -> None:
    anna = person()
    entry_id = ledger.record(
        "contact.updated",
        by=anna,
        target="crm_contact:7",
        before={"email": "old@example.org", "city": "Ulm"},
        after={"email": "new@example.org", "city": "Bonn"},
        personal={"crm_contact:7": ["email", "phone"]},
    )
    raw = body_of(entry_id)
    assert b"example.org" not in raw
    assert orjson.loads(raw)["after"] == {"city": "Bonn"}
    found = queries.entry(entry_id)
    assert found is not None
    changes = {change.field: (change.before, change.after) for change in found.changes}
    assert changes == {"city": ("Ulm", "Bonn"), "email": ("old@example.org", "new@example.org")}


def test_after_an_erasure_the_chain_holds_and_the_data_are_gone(
    fresh_tenant: TenantRef, superuser_url: str
) -> None:
    anna, ben = person(), person("Ben Bauer")
    with tenant_scope(fresh_tenant):
        mine = ledger.record("lead.updated", by=anna, before={"a": 1}, after={"a": 2})
        his = ledger.record("lead.updated", by=ben)
    settle(fresh_tenant)
    head = verify(fresh_tenant).head
    with tenant_scope(fresh_tenant):
        erasure.erase(f"user:{anna.user_id}", by=SYSTEM, reason="asked for it")
    settle(fresh_tenant)
    verdict = verify(fresh_tenant)
    assert verdict.ok
    with tenant_scope(fresh_tenant):
        gone, kept = queries.entry(mine), queries.entry(his)
        assert gone is not None
        assert kept is not None
        assert (gone.actor.label, gone.erased) == ("Erased person", {"actor.label"})
        assert gone.after == {"a": 2}
        assert kept.actor.label == "Ben Bauer"
    # Not even the superuser, who sees every row and knows every wrapped key, finds the name.
    with psycopg.connect(superuser_url) as attacker:
        entry = sql.Identifier(fresh_tenant.schema, "audit_entry")
        rows = attacker.execute(sql.SQL("SELECT hash, body FROM {} ORDER BY seq").format(entry)).fetchall()
        left = attacker.execute("SELECT subject FROM audit_subjectkey").fetchall()
    assert head in {bytes(digest).hex() for digest, _body in rows}
    assert not [body for _digest, body in rows if b"Anna" in bytes(body)]
    assert (f"user:{anna.user_id}",) not in left


def test_who_was_erased_is_erased_in_what_comes_later_too(fresh_tenant: TenantRef) -> None:
    anna = person()
    with tenant_scope(fresh_tenant):
        ledger.record("lead.updated", by=anna)
    with tenant_scope(fresh_tenant):
        erasure.erase(f"user:{anna.user_id}", by=SYSTEM, reason="asked for it")
    with tenant_scope(fresh_tenant):
        late = ledger.record("lead.updated", by=anna)
    with tenant_scope(fresh_tenant):
        found = queries.entry(late)
        assert found is not None
        assert found.actor.label == "Erased person"
        assert not SubjectKey.objects.filter(subject=f"user:{anna.user_id}").exists()


def test_a_remembered_key_is_not_used_once_another_process_erased_it(
    fresh_tenant: TenantRef, superuser_url: str
) -> None:
    """Negative control: without the moved clock this process would go on sealing with a key nobody has."""
    anna = person()
    with tenant_scope(fresh_tenant):
        ledger.record("lead.updated", by=anna)
    with tenant_scope(fresh_tenant) as scope:
        tick = ("tenant", scope.clock)
        first = keys.take(fresh_tenant.id, f"user:{anna.user_id}")
        assert keys.ring.find(fresh_tenant.id, f"user:{anna.user_id}", tick) is not None
    with psycopg.connect(superuser_url) as other:
        other.execute("DELETE FROM public.audit_subjectkey WHERE id = %s", [first.id])
    with tenant_scope(fresh_tenant):
        assert keys.take(fresh_tenant.id, f"user:{anna.user_id}").id == first.id
    with psycopg.connect(superuser_url) as other:
        other.execute("UPDATE public.tenant_clock SET ticks = ticks + 1 WHERE key = %s", [fresh_tenant.id])
    with tenant_scope(fresh_tenant):
        assert keys.take(fresh_tenant.id, f"user:{anna.user_id}").id != first.id


def test_a_key_whose_transaction_rolled_back_is_never_used(fresh_tenant: TenantRef) -> None:
    anna = person()
    with tenant_scope(fresh_tenant):
        ledger.record("lead.updated", by=anna)
        ledger.record("lead.updated", by=anna)  # finds the key of its own transaction
        transaction.set_rollback(True)
    with tenant_scope(fresh_tenant):
        kept = ledger.record("lead.updated", by=anna)
    with tenant_scope(fresh_tenant):
        found = queries.entry(kept)
        assert found is not None
        assert found.actor.label == "Anna Adler"


def test_a_person_has_one_key_in_a_ledger_however_often_they_act(fresh_tenant: TenantRef) -> None:
    anna = person()
    for _ in range(3):
        with tenant_scope(fresh_tenant):
            ledger.record("lead.updated", by=anna)
        keys.ring.clear()
    with tenant_scope(fresh_tenant):
        assert SubjectKey.objects.filter(subject=f"user:{anna.user_id}").count() == 1


def test_outside_a_scope_an_unknown_person_is_left_to_the_transaction(acme: TenantRef) -> None:
    with pytest.raises(KeyUnknown):
        ledger.part("lead.updated", by=person(), tenant=acme, clock=1)


def test_a_box_opens_in_its_own_entry_only(in_acme: Scope) -> None:
    """Somebody who may write rows moves a box of one entry into another: it stays closed."""
    anna = person()
    first, second = (
        ledger.record("lead.updated", by=anna),
        ledger.record("lead.updated", by=anna, target="lead:2"),
    )
    boxes = [orjson.loads(body_of(item))["sealed"] for item in (first, second)]
    moved = orjson.loads(body_of(first)) | {"sealed": boxes[1]}
    from apps.audit.sealing import opened

    (right,) = opened([body_of(first)])
    (wrong,) = opened([orjson.dumps(moved)])
    assert right["actor"]["label"] == "Anna Adler"
    assert "label" not in wrong["actor"]
    assert wrong["erased"] == ["actor.label"]


def test_the_keys_of_a_tenant_are_its_own(acme: TenantRef, globex: TenantRef) -> None:
    anna = person()
    with tenant_scope(acme):
        mine = ledger.record("lead.updated", by=anna)
        (box,) = orjson.loads(body_of(mine))["sealed"]
        assert keys.read([UUID(box["key"])])
    with tenant_scope(globex):
        assert keys.read([UUID(box["key"])]) == {}
        with (
            pytest.raises(Exception, match="row-level security"),
            transaction.atomic(),
            connections["default"].cursor() as cursor,
        ):
            cursor.execute(
                "INSERT INTO public.audit_subjectkey (id, tenant_id, subject, wrapped) VALUES (%s, %s, 'x', '')",
                [uuid4(), acme.id],
            )


def test_the_table_alone_opens_nothing(in_acme: Scope, settings: Any) -> None:
    """Negative control: with another SECRET_KEY the very same rows stay closed; as a fallback it opens them."""
    entry_id = ledger.record("lead.updated", by=person())
    body = body_of(entry_id)
    from apps.audit.sealing import opened

    old = settings.SECRET_KEY
    settings.SECRET_KEY = "another" * 10
    assert "label" not in opened([body])[0]["actor"]
    settings.SECRET_KEY_FALLBACKS = [old]
    assert opened([body])[0]["actor"]["label"] == "Anna Adler"


def test_the_length_of_a_box_says_little(in_acme: Scope) -> None:
    sizes = set()
    for name in ("Al", "Alexander"):
        (box,) = orjson.loads(body_of(ledger.record("lead.updated", by=person(name))))["sealed"]
        sizes.add(len(base64.b64decode(box["box"])))
    assert len(sizes) == 1


def test_a_denial_is_sealed_too_and_its_key_survives_the_rollback(acme: TenantRef) -> None:
    anna = person()
    with pytest.raises(PermissionError), tenant_scope(acme):
        entry_id = ledger.denied("lead.update_denied", by=anna, reason="read only")
        raise PermissionError
    with tenant_scope(acme):
        assert b"Anna" not in body_of(entry_id)
        found = queries.entry(entry_id)
        assert found is not None
        assert found.actor.label == "Anna Adler"


def test_the_platforms_ledger_has_keys_of_its_own(platform: Scope, acme: TenantRef) -> None:
    anna = person()
    own = ledger.record("plan.created", by=anna)
    theirs = ledger.record("tenant.renamed", by=anna, tenant=acme)
    boxes = [orjson.loads(body_of(item))["sealed"][0]["key"] for item in (own, theirs)]
    assert boxes[0] != boxes[1]
    found = queries.entry(own)
    assert found is not None
    assert found.actor.label == "Anna Adler"
