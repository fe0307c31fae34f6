"""The end of a ledger: one service, the owner's login, and a last word in the platform's ledger."""

import pytest

from apps.audit import ledger, queries
from apps.audit.erasure import close_ledger
from apps.audit.models import Head, Pending
from apps.audit.verify import verify
from apps.core.actor import SYSTEM
from apps.core.db.owner import owner_session
from apps.core.errors import Conflict
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from tests.audit.settling import settle


def test_closing_a_ledger_keeps_its_last_hash(fresh_tenant: TenantRef) -> None:
    with tenant_scope(fresh_tenant):
        ledger.record("lead.created", by=SYSTEM)
    settle(fresh_tenant)
    verdict = verify(fresh_tenant)
    with tenant_scope(fresh_tenant):
        ledger.record("lead.created", by=SYSTEM)
    with owner_session(), platform_scope("test"):
        entry_id = close_ledger(fresh_tenant, by=SYSTEM, reason="contract ended")
    with platform_scope("test"):
        entry = queries.entry(entry_id)
        assert not Head.objects.filter(tenant_id=fresh_tenant.id).exists()
        assert not Pending.objects.filter(tenant_id=fresh_tenant.id).exists()
    assert entry is not None
    assert (entry.action, entry.target) == ("ledger.closed", f"tenant:{fresh_tenant.id}")
    assert entry.details == {
        "slug": fresh_tenant.slug,
        "entries": verdict.entries,
        "head": verdict.head,
        "unchained": 1,
        "signed": 0,
        "root": "",
        "reason": "contract ended",
    }


def test_the_application_cannot_close_a_ledger(fresh_tenant: TenantRef) -> None:
    with platform_scope("test"), pytest.raises(Conflict, match="owner"):
        close_ledger(fresh_tenant, by=SYSTEM, reason="no")
    with owner_session(), tenant_scope(fresh_tenant), pytest.raises(Conflict, match="owner"):
        close_ledger(fresh_tenant, by=SYSTEM, reason="no")
