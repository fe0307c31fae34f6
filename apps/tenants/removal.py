"""The end of a tenant: after the grace period nothing of it is left but the platform's ledger."""

import logging
import shutil
from pathlib import Path

from django.conf import settings
from django.utils import timezone
from psycopg import sql

from apps.audit import ledger
from apps.audit.erasure import close_ledger
from apps.core.actor import SYSTEM, Actor
from apps.core.clock import bump
from apps.core.db.here import here
from apps.core.db.owner import owner_session
from apps.core.errors import Conflict
from apps.core.registry import Registry
from apps.core.scope import platform_scope
from apps.tenants.models import Host, Tenant, TenantClock
from apps.tenants.states import State

logger = logging.getLogger("aibos.tenants")


class Sweeper:
    """Removes what an app keeps of a tenant outside the database; registered by that app."""

    def __call__(self, tenant: Tenant) -> None:
        """Remove it."""
        raise NotImplementedError


sweepers: Registry[Sweeper] = Registry("tenant sweepers", Sweeper)
SHARED_TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
AND a.attname = 'tenant_id' AND NOT a.attisdropped
"""


def remove_due(*, by: Actor = SYSTEM) -> list[str]:
    """Remove every tenant whose grace period is over; return their slugs. Outside any scope.

    A tenant on whose ledger a legal hold stands waits for its release; the others do not wait for it.
    """
    with platform_scope("removal of deleted tenants"):
        due = list(Tenant.objects.filter(state=State.DELETED, delete_after__lte=timezone.now()))
    removed = []
    for tenant in due:
        try:
            removed.append(remove(tenant=tenant, by=by))
        except Conflict as conflict:
            if conflict.code != "LEGAL_HOLD":
                raise
            logger.warning("%s is not removed: %s", tenant.slug, conflict.message)
    return removed


def remove(*, tenant: Tenant, by: Actor) -> str:
    """Remove schema, shared rows and files of a deleted tenant, for good. Outside any scope."""
    with owner_session(), platform_scope("removal of a tenant"):
        row = Tenant.objects.select_for_update().get(pk=tenant.pk)
        if row.state != State.DELETED:
            msg = f"{row.name} is {row.state}, not deleted."
            raise Conflict(msg, code="INVALID_STATE")
        with here().cursor() as cursor:
            close_ledger(row.ref, by=by, reason="tenant removed")
            cursor.execute(
                sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(row.schema_name))
            )
            _delete_shared(cursor, row)
        ledger.record(
            "tenant.removed", by=by, target=f"tenant:{row.pk}", before={"slug": row.slug, "name": row.name}
        )
        row.domains.all().delete()
        TenantClock.objects.filter(key=row.pk).delete()
        Tenant.objects.filter(pk=row.pk).delete()
        Host.history.filter(tenant_id=row.pk).delete()  # last: deleting a row adds to its history
        Tenant.history.filter(id=row.pk).delete()
        bump(None)
    for root in (settings.MEDIA_ROOT, settings.EXPORT_ROOT):
        shutil.rmtree(Path(root) / str(tenant.pk), ignore_errors=True)
    for name in sweepers:
        sweepers[name](tenant)
    return tenant.slug


def _delete_shared(cursor: "object", tenant: Tenant) -> None:
    """Delete the tenant's rows of every shared table; tables that refer to each other need several rounds."""
    cursor.execute(SHARED_TABLES)  # type: ignore[attr-defined]
    names = [row[0] for row in cursor.fetchall() if row[0] != "tenants_host"]  # type: ignore[attr-defined]
    cursor.execute("SET CONSTRAINTS ALL DEFERRED")  # type: ignore[attr-defined]
    for name in names:
        statement = sql.SQL("DELETE FROM public.{} WHERE tenant_id = %s").format(sql.Identifier(name))
        cursor.execute(statement, [tenant.pk])  # type: ignore[attr-defined]
