"""Erasing people and records of a tenant: the row is gone, the ledger's words are gone, the chain holds."""

from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from apps.audit import queries as ledger
from apps.audit.privacy import holds
from apps.audit.verify import verify
from apps.core.actor import SYSTEM, Actor
from apps.core.errors import Problem
from apps.core.scope import platform_scope, tenant_scope
from apps.identity.models import Membership, User
from apps.identity.services import erasure, members
from apps.objects import privacy, records
from apps.objects.parse import load_body
from apps.objects.publish import publish_in
from apps.permissions import services as permissions
from tests.audit.settling import settle
from tests.objects.world import EVERY

CLIENT = {
    "name": "qa_client",
    "label": "Client",
    "sharingModel": "public_read_write",
    "fields": {"name": {"type": "text", "personal": True}, "stage": {"type": "text"}},
}


@pytest.fixture(scope="module")
def stage(published):
    publish_in(published.acme, [load_body(CLIENT)], by=SYSTEM)
    with tenant_scope(published.acme):
        body = {"objects": {"qa_client": EVERY | {"allowPurge": True}}}
        permissions.create_set(
            name="qa_privacy",
            label="Privacy",
            body=body | {"systemPermissions": ["manage_privacy"]},
            by=SYSTEM,
        )
        permissions.create_set(name="qa_clients", label="Clients", body=body, by=SYSTEM)
        permissions.assign(user_id=published.user("sales"), name="qa_privacy", by=SYSTEM)
        permissions.assign(user_id=published.user("reader"), name="qa_clients", by=SYSTEM)
    return published


@pytest.fixture
def operator(stage):
    with platform_scope("test"):
        user = User.objects.get(email="operator@aibos.test")
    return Actor(kind="operator", id=str(user.pk), label=user.name, user_id=user.pk)


def joined(stage, name="Zora Quill", tenant=None):
    with tenant_scope(tenant or stage.acme):
        made = members.create_member(
            email=f"{uuid4().hex[:8]}@quill.example", name=name, password=None, role="member", by=SYSTEM
        )
        permissions.assign(user_id=made.user_id, name="qa_clients", by=SYSTEM)
        return made.user_id


def acting(stage, user_id, name="Zora Quill"):
    return Actor(
        kind="member", id=str(user_id), label=name, tenant_id=stage.acme.id, user_id=user_id, role="member"
    )


def raw(stage, superuser_url):
    with psycopg.connect(superuser_url) as attacker:
        entry = sql.Identifier(stage.acme.schema, "audit_entry")
        rows = attacker.execute(sql.SQL("SELECT body FROM {}").format(entry)).fetchall()
        rows += attacker.execute("SELECT body FROM public.audit_pending").fetchall()
    return b"".join(bytes(row[0]) for row in rows)


def test_a_record_is_erased_from_table_bin_and_ledger(stage, superuser_url):
    by = stage.actor("sales")
    with tenant_scope(stage.acme):
        made = records.create("qa_client", {"name": "Vanishing Vera", "stage": "one"}, by=by)
        records.update("qa_client", made.id, {"name": "Vera Gone"}, by=by)
    settle(stage.acme)
    with tenant_scope(stage.acme):
        row = privacy.erase(f"qa_client:{made.id}", by=by, reason="Vera asked for it")
        again = privacy.erase_record("qa_client", UUID(made.id), by=by, reason="asked twice")
    assert (row.keys, again.pk) == (2, row.pk), "a key for each entry of one transaction"
    with tenant_scope(stage.acme):
        entries = ledger.history(f"qa_client:{made.id}")
        assert [entry.action for entry in entries] == [
            "subject.erased",
            "qa_client.purged",
            "qa_client.deleted",
            "qa_client.updated",
            "qa_client.created",
        ]
        assert entries[-1].after["stage"] == "one"
        assert entries[-1].erased == {"after.name"}
        assert entries[0].details == {"reason": "Vera asked for it", "keys": 2}
        with pytest.raises(Problem):
            records.restore("qa_client", made.id, by=by)
    settle(stage.acme)
    assert verify(stage.acme).ok
    assert b"Vera" not in raw(stage, superuser_url).replace(b"Vera asked for it", b"")


def test_erasing_wants_its_own_permission_and_the_right_to_purge(stage):
    reader, sales = stage.actor("reader"), stage.actor("sales")
    with tenant_scope(stage.acme):
        made = records.create("qa_client", {"name": "Ann"}, by=reader)
        lead = records.create("qa_lead", {"name": "Ann"}, by=sales)
    for act in (
        lambda: privacy.erase(f"qa_client:{made.id}", by=reader, reason="no right"),
        lambda: privacy.erase_member(uuid4(), by=reader, reason="no right"),
        lambda: privacy.place_hold(subject="", reason="no right", by=reader),
        lambda: privacy.set_retention(90, by=reader),
        lambda: privacy.erase(f"qa_lead:{lead.id}", by=sales, reason="may not purge leads"),
    ):
        with pytest.raises(Problem) as refusal, tenant_scope(stage.acme):
            act()
        assert refusal.value.status == 403
    with tenant_scope(stage.acme):
        assert ledger.history(f"qa_client:{made.id}")[0].after["name"] == "Ann"
        assert ledger.history(f"qa_lead:{lead.id}")[-1].action == "qa_lead.created"


def test_a_held_record_stays(stage):
    by = stage.actor("sales")
    with tenant_scope(stage.acme):
        made = records.create("qa_client", {"name": "Held"}, by=by)
        hold = privacy.place_hold(subject=f"qa_client:{made.id}", reason="case 17", by=by)
    with pytest.raises(Problem) as refusal, tenant_scope(stage.acme):
        privacy.erase(f"qa_client:{made.id}", by=by, reason="asked")
    assert refusal.value.code == "LEGAL_HOLD"
    with tenant_scope(stage.acme):
        assert records.update("qa_client", made.id, {"stage": "two"}, by=by).record()["name"] == "Held"
        privacy.release_hold(hold.id, reason="closed", by=by)
        privacy.erase(f"qa_client:{made.id}", by=by, reason="asked")


@pytest.mark.parametrize(
    "subject", ["", "nonsense", "user:x", "nothing:01a1f900-0000-7000-8000-000000000000", "qa_client:1"]
)
def test_a_subject_that_is_none(stage, subject):
    with pytest.raises(Problem) as refusal, tenant_scope(stage.acme):
        privacy.erase(subject, by=stage.actor("sales"), reason="asked")
    assert refusal.value.status == 400


def test_a_member_is_erased_after_leaving_and_may_come_back(stage, superuser_url):
    by, user_id = stage.actor("sales"), joined(stage)
    with tenant_scope(stage.acme):
        made = records.create("qa_client", {"stage": "x"}, by=acting(stage, user_id))
    with pytest.raises(Problem) as refusal, tenant_scope(stage.acme):
        privacy.erase_member(user_id, by=by, reason="asked")
    assert refusal.value.code == "STILL_MEMBER"
    with tenant_scope(stage.acme):
        members.remove(user_id=user_id, by=SYSTEM)
    with tenant_scope(stage.acme):
        assert user_id in {person.user_id for person in privacy.former_members()}
        privacy.erase_member(user_id, by=by, reason="asked")
    with tenant_scope(stage.acme):
        assert user_id not in {person.user_id for person in privacy.former_members()}
        assert ledger.history(f"qa_client:{made.id}")[0].actor.label == "Erased person"
    assert b"Zora" not in raw(stage, superuser_url)
    with platform_scope("test"):
        user = User.objects.get(pk=user_id)
    assert user.name == "Zora Quill", "the account elsewhere is not the tenant's to erase"
    with tenant_scope(stage.acme):
        members.join(user=user, role="member", by=SYSTEM, tenant=stage.acme)
        permissions.assign(user_id=user_id, name="qa_clients", by=SYSTEM)
    with tenant_scope(stage.acme):
        late = records.create("qa_client", {"stage": "y"}, by=acting(stage, user_id))
    with tenant_scope(stage.acme):
        assert ledger.history(f"qa_client:{late.id}")[0].actor.label == "Zora Quill"
        assert ledger.history(f"qa_client:{made.id}")[0].actor.label == "Erased person"


def test_a_person_is_erased_everywhere(stage, operator, superuser_url):
    user_id = joined(stage, "Yves Nowhere")
    with platform_scope("test"):
        user = User.objects.get(pk=user_id)
    with tenant_scope(stage.globex):
        members.join(user=user, role="member", by=SYSTEM, tenant=stage.globex)
    with tenant_scope(stage.acme):
        made = records.create("qa_client", {"stage": "x"}, by=acting(stage, user_id, "Yves Nowhere"))
    with platform_scope("test"):
        done = erasure.erase_person(user_id=user_id, by=operator, reason="asked")
    assert (done.email, done.name, done.is_active) == (f"erased-{user_id}@invalid", "", False)
    with platform_scope("test"):
        assert not Membership.objects.filter(user=user_id).exists()
    with tenant_scope(stage.acme):
        assert ledger.history(f"qa_client:{made.id}")[0].actor.label == "Erased person"
        assert [entry.action for entry in ledger.history(f"user:{user_id}")][:2] == [
            "subject.erased",
            "member.removed",
        ]
    with psycopg.connect(superuser_url) as attacker:
        for table in ("identity_user", "identity_session", "identity_invitation"):
            rows = attacker.execute(
                sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(table))
            ).fetchall()
            assert not [row for row in rows if user.email in row[0] or "Yves" in row[0]]
    assert b"Yves" not in raw(stage, superuser_url)


def test_nobody_is_erased_while_a_hold_stands_anywhere(stage, operator):
    user_id = joined(stage, "Hana Held")
    with tenant_scope(stage.globex):
        hold = holds.place(subject=f"user:{user_id}", reason="case 20", by=SYSTEM)
    with pytest.raises(Problem) as refusal, platform_scope("test"):
        erasure.erase_person(user_id=user_id, by=operator, reason="asked")
    assert refusal.value.code == "LEGAL_HOLD"
    with platform_scope("test"):
        assert User.objects.get(pk=user_id).name == "Hana Held"
        assert Membership.objects.filter(user=user_id).exists()
    with tenant_scope(stage.globex):
        holds.release(hold.id, by=SYSTEM, reason="closed")


def test_who_may_not_be_erased(stage, operator):
    with platform_scope("test"):
        owner = Membership.objects.filter(tenant=stage.acme.id, role="owner").first().user_id
    for user_id, by, code in (
        (owner, operator, "LAST_OWNER"),
        (operator.user_id, operator, "INVALID_STATE"),
        (uuid4(), operator, "RESOURCE_NOT_FOUND"),
        (owner, stage.actor("owner"), "PERMISSION_DENIED"),
    ):
        with pytest.raises(Problem) as refusal, platform_scope("test"):
            erasure.erase_person(user_id=user_id, by=by, reason="asked")
        assert refusal.value.code == code
