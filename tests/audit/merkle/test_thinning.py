"""Thinning: a week in full, then hours, then days; proofs go on between any two sizes."""

import psycopg
import pytest

from apps.audit import ledger
from apps.audit.merkle import checkpoints, tree
from apps.audit.merkle.maker import sign_now
from apps.audit.merkle.proofs import consistent
from apps.audit.merkle.thinning import thin
from apps.audit.verify import verify
from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, tenant_scope
from tests.audit.settling import settle

AGES = [
    "100 days",
    "100 days 1 minute",
    "30 days",
    "30 days 1 minute",
    "29 days",
    "6 days",
    "6 days 1 minute",
]


@pytest.fixture
def book(fresh_tenant: TenantRef, superuser_url: str) -> TenantRef:
    """A ledger with checkpoints of different ages, each pair well within one hour."""
    for _ in AGES:
        with tenant_scope(fresh_tenant):
            ledger.record("lead.created", by=SYSTEM)
        settle(fresh_tenant)
        sign_now(fresh_tenant)
    with psycopg.connect(superuser_url) as admin:
        rows = admin.execute(
            "SELECT size FROM public.audit_checkpoint WHERE tenant_id = %s ORDER BY size DESC LIMIT %s",
            [fresh_tenant.id, len(AGES)],
        ).fetchall()
        for (size,), age in zip(reversed(rows), AGES, strict=True):
            admin.execute(
                "UPDATE public.audit_checkpoint SET at = date_trunc('day', now()) + interval '12 hours 30 minutes'"
                " - %s::interval WHERE tenant_id = %s AND size = %s",
                [age, fresh_tenant.id, size],
            )
    return fresh_tenant


def test_what_stays(book: TenantRef) -> None:
    with tenant_scope(book):
        before = list(checkpoints.every(book.id))[-len(AGES) :]
    assert thin().endswith("removed")
    with tenant_scope(book):
        kept = [item.size for item in checkpoints.every(book.id)]
        sizes = [item.size for item in before]
        assert [sizes[place] in kept for place in range(len(AGES))] == [
            False,
            True,
            False,
            True,
            True,
            True,
            True,
        ]
        gone, newest = before[0], before[-1]
        proof = tree.consistency(book.id, gone.size, newest.size)
        assert consistent(gone.size, newest.size, gone.root, newest.root, proof)
    assert verify(book).ok
    thin()
    with tenant_scope(book):
        assert [item.size for item in checkpoints.every(book.id)] == kept
