"""Bringing the chain up to date in tests, on a server whose other databases have open transactions too."""

import time

from django.db import connections

from apps.audit.sequencer import Sequencer
from apps.core.scope import TenantRef, platform_scope

WAITING = """
SELECT count(*) FROM public.audit_pending p WHERE CASE WHEN %s::uuid IS NULL
  THEN tenant_id IS NULL OR EXISTS (SELECT 1 FROM public.tenants_tenant t WHERE t.id = p.tenant_id)
  ELSE tenant_id = %s::uuid END
"""


def settle(tenant: TenantRef | None = None, seconds: float = 60.0) -> None:
    """Link until nothing waits (for `tenant`, or at all); transaction ids are the server's, so it may take a while."""
    until, sequencer = time.monotonic() + seconds, Sequencer()
    while time.monotonic() < until:
        sequencer.run_once()
        with platform_scope("test"), connections["default"].cursor() as cursor:
            cursor.execute(WAITING, [tenant and tenant.id, tenant and tenant.id])
            if not cursor.fetchone()[0]:
                return
        time.sleep(0.02)
    raise AssertionError("Entries still wait.")
