"""A ledger whose beginning retention removed: it still verifies, inside and outside; a faked removal does not."""

import datetime as dt
from pathlib import Path

import pytest
from aibos_verify import Pins, judge

from apps.audit import ledger
from apps.audit.evidence.choose import Selection
from apps.audit.evidence.gather import gather
from apps.audit.evidence.write import as_zip
from apps.audit.merkle import note, tree
from apps.audit.merkle.hashing import leaf_hash
from apps.audit.merkle.maker import sign_now
from apps.audit.privacy import retention
from apps.audit.verify import verify
from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, tenant_scope
from tests.audit.attacker import Attacker
from tests.audit.settling import settle


@pytest.fixture
def book(fresh_tenant: TenantRef) -> TenantRef:
    for _ in range(2):
        with tenant_scope(fresh_tenant):
            for number in range(200):
                ledger.record("lead.created", by=SYSTEM, after={"number": number})
        settle(fresh_tenant)
        sign_now(fresh_tenant)
    return fresh_tenant


def later() -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(days=31)


def judged(tenant: TenantRef, folder: Path) -> list[str]:
    path = folder / "evidence.zip"
    with as_zip(gather(tenant=tenant, chosen=Selection("ledger"), by=SYSTEM)) as file:
        path.write_bytes(file.read())
    return [item.code for item in judge(path, Pins(note.keys(), tenant.id)).findings]


def test_what_is_left_verifies_and_the_leaves_stay(
    book: TenantRef, superuser_url: str, tmp_path: Path
) -> None:
    leaves = [
        leaf_hash(body) for (body,) in Attacker(superuser_url, book).all("SELECT body FROM {} ORDER BY seq")
    ]
    with tenant_scope(book):
        retention.set_days(30, by=SYSTEM)
    done = retention.prune(book, by=SYSTEM, now=later())
    assert done.removed == len(leaves) - 1  # the last entry of all stays
    settle(book)
    verdict = verify(book)
    assert verdict.ok, verdict.bad
    assert verdict.pruned == done.until
    assert verdict.proven.checkpoints >= 2
    with tenant_scope(book):
        assert tree.leaf_hashes(book.id, 0, done.until) == leaves[: done.until]
    assert judged(book, tmp_path) == []


def test_a_faked_removal_is_found(book: TenantRef, superuser_url: str, tmp_path: Path) -> None:
    """A superuser removes the beginning the way retention would; what they cannot write is the entry about it."""
    attacker = Attacker(superuser_url, book)
    last = attacker.all("SELECT hash FROM {} WHERE seq = 50")[0][0]
    attacker.run("DELETE FROM {} WHERE seq <= 50")
    attacker.run(
        "INSERT INTO public.audit_retention (tenant_id, pruned_seq, pruned_hash) VALUES (%s, 50, %s)",
        book.id,
        last,
    )
    verdict = verify(book)
    assert verdict.bad
    assert (verdict.bad.seq, verdict.bad.flaw) == (1, "unlawful pruning")
    assert judged(book, tmp_path) == ["unlawful-pruning"]


def test_leaves_of_removed_entries_are_checked_too(book: TenantRef, superuser_url: str) -> None:
    with tenant_scope(book):
        retention.set_days(30, by=SYSTEM)
    retention.prune(book, by=SYSTEM, now=later())
    settle(book)
    assert verify(book).ok
    Attacker(superuser_url, book).run(
        "UPDATE public.audit_tile SET hashes = overlay(hashes placing '\\x00'::bytea from 100 for 1)"
        " WHERE tenant_id = %s AND level = 0 AND number = 0",
        book.id,
    )
    verdict = verify(book)
    assert verdict.bad
    assert verdict.bad.flaw == "forged history"
