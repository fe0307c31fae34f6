"""Growing a ledger's tree and signing it: proofs from tiles, refusals to sign, and the platform's tree above."""

import base64
import dataclasses
import os
from typing import Any

import psycopg
import pytest
from django.test import override_settings
from psycopg import sql

from apps.audit import ledger
from apps.audit.erasure import close_ledger
from apps.audit.merkle import checkpoints, note, tiles, tree
from apps.audit.merkle.hashing import fold, leaf_hash
from apps.audit.merkle.maker import Checkpointer, NotSound, sign_now
from apps.audit.merkle.proofs import consistent, included
from apps.audit.models import ROOTS
from apps.core import signing
from apps.core.actor import SYSTEM
from apps.core.db import fast
from apps.core.errors import Invalid
from apps.core.ids import NIL
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from tests.audit.settling import settle


def write(tenant: TenantRef, count: int, *, padding: int = 0) -> None:
    with tenant_scope(tenant):
        for number in range(count):
            ledger.record("lead.created", by=SYSTEM, after={"number": number, "more": "x" * padding})
    settle(tenant)


def bodies(tenant: TenantRef) -> list[bytes]:
    with tenant_scope(tenant), fast.cursor() as cursor:
        return [
            bytes(row[0]) for row in cursor.execute("SELECT body FROM audit_entry ORDER BY seq").fetchall()
        ]


@pytest.fixture
def book(fresh_tenant: TenantRef) -> TenantRef:
    """A tenant with some entries, signed in several steps, so that tiles are partial and full."""
    for count in (3, 250, 1, 300):
        write(fresh_tenant, count)
        sign_now(fresh_tenant)
    return fresh_tenant


def test_every_entry_is_proven_by_the_signed_root(book: TenantRef) -> None:
    leaves = [leaf_hash(body) for body in bodies(book)]
    size = len(leaves)
    with tenant_scope(book):
        newest = checkpoints.latest(book.id)
        assert newest is not None
        said = note.opened(newest.note)
        assert (said.size, said.root, said.origin) == (size, fold(leaves), f"aibos/{book.id}")
        found = tree.inclusions(book.id, [1, 2, 256, 257, size], size)
        for seq, proof in found.items():
            assert included(leaves[seq - 1], seq - 1, size, proof, said.root)
            assert proof == tree.inclusion(book.id, seq, size)
            assert not included(leaves[seq - 2], seq - 1, size, proof, said.root)
        assert tree.leaf_hashes(book.id, 100, 300) == leaves[100:300]
        assert tree.leaf_hashes(book.id, 0, size) == leaves


def test_each_checkpoint_begins_the_next(book: TenantRef) -> None:
    with tenant_scope(book):
        signed = list(checkpoints.every(book.id))
        assert len(signed) >= 4
        for old in signed:
            assert tree.root_at(book.id, old.size) == old.root
            for new in signed[signed.index(old) + 1 :]:
                proof = tree.consistency(book.id, old.size, new.size)
                assert consistent(old.size, new.size, old.root, new.root, proof)
                assert not consistent(old.size, new.size, new.root, new.root, proof)


def test_a_proof_beyond_the_tree_is_refused(book: TenantRef) -> None:
    with tenant_scope(book):
        grown = tree.state(book.id)
        assert grown is not None
        for act in (
            lambda: tree.inclusion(book.id, 1, grown.size + 1),
            lambda: tree.inclusion(book.id, 0, grown.size),
            lambda: tree.consistency(book.id, 5, 4),
        ):
            with pytest.raises(Invalid, match=r"tree"):
                act()
        with pytest.raises(tiles.TilesDamaged):
            tree.leaf_hashes(book.id, 0, grown.size + 300)


def test_the_signed_link_is_the_chains(book: TenantRef) -> None:
    with tenant_scope(book), fast.cursor() as cursor:
        head = cursor.execute(
            "SELECT seq, hash FROM public.audit_head WHERE tenant_id = %s", [book.id]
        ).fetchone()
        newest = checkpoints.latest(book.id)
        assert newest and head
        assert note.opened(newest.note).link == bytes(head[1])


def test_the_platforms_tree_holds_every_checkpoint(book: TenantRef, acme: TenantRef) -> None:
    write(acme, 2)
    sign_now(acme)
    with platform_scope("test"):
        top = checkpoints.latest(ROOTS)
        assert top is not None
        said = note.opened(top.note)
        assert (said.origin, said.link) == ("aibos/checkpoints", b"")
        for tenant in (book, acme):
            for mine in checkpoints.every(tenant.id):
                assert mine.position is not None
                leaf = leaf_hash(note.unchecked(mine.note).text().encode())
                proof = tree.inclusion(ROOTS, mine.position + 1, top.size)
                assert included(leaf, mine.position, top.size, proof, said.root)


def test_a_tenant_sees_its_own_trees_alone(book: TenantRef, acme: TenantRef) -> None:
    """Negative control: the platform's scope sees them."""
    with tenant_scope(acme):
        assert checkpoints.latest(book.id) is None
        assert checkpoints.latest(ROOTS) is None
        assert tree.state(book.id) is None
        with pytest.raises(tiles.TilesDamaged):
            tree.leaf_hashes(book.id, 0, 1)
    with platform_scope("test"):
        assert checkpoints.latest(book.id) is not None
        assert tree.leaf_hashes(book.id, 0, 1)


def superuser(url: str, statement: str, tenant: TenantRef, *params: Any) -> None:
    with psycopg.connect(url) as attacker:
        attacker.execute("SET session_replication_role = replica")
        attacker.execute(sql.SQL(statement).format(sql.Identifier(tenant.schema, "audit_entry")), params)


FORGERIES = {
    "altered": "UPDATE {} SET body = convert_to(replace(convert_from(body, 'UTF8'), 'lead', 'deal'), 'UTF8') WHERE seq > %s",
    "removed": "DELETE FROM {} WHERE seq = (SELECT max(seq) - 1 FROM {0}) AND seq > %s".replace("{}", "{0}"),
    "cut": "DELETE FROM {} WHERE seq > %s",
    "relinked": "UPDATE {} SET prev = sha256('x') WHERE seq > %s",
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_what_does_not_follow_is_not_signed(
    fresh_tenant: TenantRef, superuser_url: str, forgery: str
) -> None:
    write(fresh_tenant, 3)
    before = sign_now(fresh_tenant)
    write(fresh_tenant, 3)
    superuser(superuser_url, FORGERIES[forgery], fresh_tenant, before)
    with pytest.raises(NotSound):
        sign_now(fresh_tenant)
    assert Checkpointer().run_once(now=True) >= 0
    with tenant_scope(fresh_tenant):
        stuck = tree.state(fresh_tenant.id)
        assert stuck
        assert stuck.size == before
        assert "NotSound" in stuck.error
    with platform_scope("test"):
        assert [key for key, _ in checkpoints.standing().errors] == [fresh_tenant.id]


def test_untouched_entries_are_signed(fresh_tenant: TenantRef) -> None:
    """Negative control of the refusals."""
    write(fresh_tenant, 3)
    before = sign_now(fresh_tenant)
    write(fresh_tenant, 3)
    assert sign_now(fresh_tenant) == before + 3


def test_a_ledger_is_due_by_age_or_by_number(fresh_tenant: TenantRef) -> None:
    sign_now(fresh_tenant)
    Checkpointer().run_once(now=True)
    write(fresh_tenant, 3)
    with override_settings(LEDGER_CHECKPOINT_SECONDS=3600, LEDGER_CHECKPOINT_ENTRIES=100):
        assert size_of(fresh_tenant) == signed_size(fresh_tenant)
    with override_settings(LEDGER_CHECKPOINT_SECONDS=3600, LEDGER_CHECKPOINT_ENTRIES=3):
        assert size_of(fresh_tenant) == len(bodies(fresh_tenant))
    write(fresh_tenant, 1)
    with override_settings(LEDGER_CHECKPOINT_SECONDS=0, LEDGER_CHECKPOINT_ENTRIES=100):
        assert size_of(fresh_tenant) == len(bodies(fresh_tenant))


def size_of(tenant: TenantRef) -> int:
    Checkpointer().run_once()
    return signed_size(tenant)


def signed_size(tenant: TenantRef) -> int:
    with tenant_scope(tenant):
        found = tree.state(tenant.id)
    return found.size if found else 0


def test_small_steps_and_one_large_one_make_the_same_tree(fresh_tenant: TenantRef) -> None:
    write(fresh_tenant, 530)
    size = Checkpointer(batch=77).advance(fresh_tenant.id, fresh_tenant)
    leaves = [leaf_hash(body) for body in bodies(fresh_tenant)]
    with tenant_scope(fresh_tenant):
        assert size == len(leaves)
        assert tree.root_at(fresh_tenant.id, size) == fold(leaves)
        assert [signed.size for signed in checkpoints.every(fresh_tenant.id)] == [*range(77, size, 77), size]


def test_the_platforms_own_ledger_is_signed_too(acme: TenantRef) -> None:
    with platform_scope("test"):
        ledger.record("plan.created", by=SYSTEM)
    settle()
    size = sign_now(None)
    with platform_scope("test"):
        assert tree.root_at(NIL, size) == note.opened(checkpoints.latest(NIL).note).root  # type: ignore[union-attr]


def test_a_closed_ledger_leaves_its_last_root(fresh_tenant: TenantRef) -> None:
    from apps.audit import queries
    from apps.core.db.owner import owner_session

    sign_now(fresh_tenant)
    with tenant_scope(fresh_tenant):
        state = tree.state(fresh_tenant.id)
    with owner_session(), platform_scope("test"):
        entry = close_ledger(fresh_tenant, by=SYSTEM, reason="test")
    with platform_scope("test"):
        told = queries.entry(entry)
        assert told and state
        assert (told.details["signed"], told.details["root"]) == (state.size, state.root.hex())
        assert tree.state(fresh_tenant.id) is None


class TestNotes:
    """The signed form, and everything that must not pass for it."""

    def made(self) -> str:
        return note.sign(
            note.Checkpoint("aibos/x", 7, os.urandom(32), note.dt.datetime.now(note.dt.UTC), bytes(32))
        )

    def test_a_note_opens_to_what_was_signed(self) -> None:
        at = note.dt.datetime(2026, 11, 20, 12, 0, tzinfo=note.dt.UTC)
        given = note.Checkpoint("aibos/x", 7, bytes(range(32)), at, bytes(32))
        signed = note.sign(given)
        assert note.opened(signed) == given
        head = signed.split("\n")
        assert head[:3] == ["aibos/x", "7", base64.b64encode(bytes(range(32))).decode()]
        assert head[-2].startswith("\u2014 aibos/x ")

    def test_one_bit_of_the_signature(self) -> None:
        signed = self.made()
        blob = bytearray(base64.b64decode(signed.split(" ")[-1]))
        blob[10] ^= 1
        bad = signed[: signed.rindex(" ") + 1] + base64.b64encode(blob).decode() + "\n"
        with pytest.raises(note.NoteInvalid, match="not signed"):
            note.opened(bad)
        note.opened(signed)

    @pytest.mark.parametrize(
        "change",
        [
            lambda text: text.replace("\n7\n", "\n8\n"),
            lambda text: text.replace("aibos/x\n7", "aibos/y\n7"),
            lambda text: text.replace("\n7\n", "\n07\n"),
            lambda text: text.replace("\n\n", "\n"),
            lambda text: text[:-1],
            lambda text: text + "\n",
            lambda text: text.replace("\u2014", "-"),
            lambda text: text.replace("time ", "tyme "),
            lambda text: text.replace("link ", "link A"),
            lambda text: "x" * 20_000 + text,
            lambda text: "",
        ],
    )
    def test_anything_else_is_refused(self, change: Any) -> None:
        with pytest.raises(note.NoteInvalid):
            note.opened(change(self.made()))

    def test_another_houses_key_is_refused(self) -> None:
        with override_settings(SECRET_KEY="somebody else's " * 4):
            theirs = self.made()
            note.opened(theirs)
        with pytest.raises(note.NoteInvalid, match="not signed"):
            note.opened(theirs)

    def test_a_rotation_is_signed_by_both_keys(self) -> None:
        old = note.keys()
        with override_settings(
            SECRET_KEY="the next secret " * 4, SECRET_KEY_FALLBACKS=[signing.settings.SECRET_KEY]
        ):
            both = self.made()
            new = note.keys()[:1]
            assert note.keys()[1:] == old
        assert note.opened(both, known=old) == note.opened(both, known=new)
        with pytest.raises(note.NoteInvalid):
            note.opened(self.made(), known=new)

    def test_values_are_frozen(self) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            note.opened(self.made()).size = 8  # type: ignore[misc]
