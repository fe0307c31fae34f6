"""Module changes as durable work, for doors that show progress."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from apps.core import queue
from apps.core.actor import Actor
from apps.core.db.owner import owner_session
from apps.core.errors import NotFound
from apps.core.scope import TenantRef, current_tenant, platform_scope, tenant_scope
from apps.modules import install as services
from apps.permissions.access import access_for
from apps.tenants.queries import snapshot


def enqueue_install(module: str, *, by: Actor, version: str | None = None, demo: bool = False) -> UUID:
    """Queue an installation for the current tenant; return the job's id."""
    args = {"module": module, "version": version, "demo": demo}
    return _enqueue("modules.install", args, f"Install {module}", by)


def enqueue_upgrade(
    module: str, *, by: Actor, version: str | None = None, allow_destructive: bool = False
) -> UUID:
    """Queue an upgrade for the current tenant; return the job's id."""
    args = {"module": module, "version": version, "allow_destructive": allow_destructive}
    return _enqueue("modules.upgrade", args, f"Upgrade {module}", by)


def enqueue_uninstall(module: str, *, by: Actor, allow_data_loss: bool = False) -> UUID:
    """Queue a removal for the current tenant; return the job's id."""
    args = {"module": module, "allow_data_loss": allow_data_loss}
    return _enqueue("modules.uninstall", args, f"Remove {module}", by)


def _enqueue(name: str, args: dict[str, Any], title: str, by: Actor) -> UUID:
    access_for(by).require_system(services.PERMISSION)
    return queue.enqueue(name, tenant=current_tenant().id, args=args, title=title, by=by)


@queue.task("modules.install", max_attempts=1, manages_scope=True)
def run_install(
    job: queue.JobHandle, module: str, version: str | None = None, demo: bool = False
) -> dict[str, Any]:
    """Install in a transaction of its own."""
    with owner_session(), tenant_scope(_tenant(job)):
        row = services.install(module, by=job.by, version=version, demo=demo, tell=job.progress)
        return {"module": row.module, "version": row.version}


@queue.task("modules.upgrade", max_attempts=1, manages_scope=True)
def run_upgrade(
    job: queue.JobHandle, module: str, version: str | None = None, allow_destructive: bool = False
) -> dict[str, Any]:
    """Upgrade in a transaction of its own."""
    with owner_session(), tenant_scope(_tenant(job)):
        row = services.upgrade(
            module, by=job.by, version=version, allow_destructive=allow_destructive, tell=job.progress
        )
        return {"module": row.module, "version": row.version}


@queue.task("modules.uninstall", max_attempts=1, manages_scope=True)
def run_uninstall(job: queue.JobHandle, module: str, allow_data_loss: bool = False) -> dict[str, Any]:
    """Remove in a transaction of its own."""
    with owner_session(), tenant_scope(_tenant(job)):
        services.uninstall(module, by=job.by, allow_data_loss=allow_data_loss, tell=job.progress)
        return {"module": module}


def _tenant(job: queue.JobHandle) -> TenantRef:
    with platform_scope("a module's job"):
        found = snapshot(job.tenant_id) if job.tenant_id else None
    if found is None:
        raise NotFound("The tenant is gone.", code="RESOURCE_NOT_FOUND")
    return found.ref
