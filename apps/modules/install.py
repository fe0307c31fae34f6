"""Installing, upgrading and removing modules for the current tenant, each in one transaction.

with owner_session(), tenant_scope(tenant):
    install("crm", by=actor)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from apps.audit import ledger
from apps.core import clock
from apps.core.actor import Actor
from apps.core.errors import Conflict, NotFound
from apps.core.scope import current_tenant
from apps.events import outbox
from apps.modules import semver
from apps.modules.catalogue import Release, version_of
from apps.modules.demo_data import load_demo
from apps.modules.models import Installation
from apps.modules.source import definitions
from apps.objects.catalog import catalog
from apps.objects.publish import count_rows, plan_objects, publish_objects
from apps.objects.schema import Plan
from apps.permissions import services as permissions
from apps.permissions.access import access_for
from apps.permissions.models import PermissionSet

PERMISSION = "manage_modules"
Tell = Callable[[int, int, str], None]


def quiet(_done: int, _total: int, _message: str) -> None:
    """Tell nobody."""


def installed() -> list[Installation]:
    """Return what the current tenant has installed."""
    return list(Installation.objects.all())


def plan_module(module: str, version: str | None = None) -> Plan:
    """Return what installing or upgrading would do to the tables; changes nothing."""
    wanted = version_of(module, version)
    return plan_objects(definitions(wanted.content, module), module=module, drop=_leaving(wanted))


def install(
    module: str, *, by: Actor, version: str | None = None, demo: bool = False, tell: Tell = quiet
) -> Installation:
    """Install a module of the catalogue; raises `Conflict` when it is installed or a dependency is missing."""
    access_for(by).require_system(PERMISSION)
    wanted = version_of(module, version)
    if Installation.objects.filter(module=module).exists():
        raise Conflict(f"{module} is installed already.", code="MODULE_INSTALLED", cure="Upgrade it instead.")
    _require_dependencies(wanted)
    tell(0, 3, "Objects")
    _bring(wanted, by=by, allow_destructive=False)
    tell(1, 3, "Permission sets")
    _put_sets(wanted, by=by)
    row = Installation.objects.create(
        module=module,
        name=wanted.manifest["name"],
        version=wanted.version,
        checksum=wanted.checksum,
        manifest=wanted.manifest,
        installed_by=by.label,
        installer=by.as_dict(),
    )
    if seed := wanted.content.get("seed"):
        tell(2, 3, "Records")
        load_demo(seed, by=by, owners={})
    if demo:
        tell(2, 3, "Demo records")
        add_demo(module, by=by)
        row.refresh_from_db()
    tell(3, 3, "Done")
    _say("module.installed", row, by)
    return row


def upgrade(
    module: str,
    *,
    by: Actor,
    version: str | None = None,
    allow_destructive: bool = False,
    tell: Tell = quiet,
) -> Installation:
    """Bring an installed module to another version; going back is refused, losing data needs the flag."""
    access_for(by).require_system(PERMISSION)
    row = _row(module)
    wanted = version_of(module, version)
    if semver.Version.parse(wanted.version) < semver.Version.parse(row.version):
        raise Conflict(f"{module} {row.version} is newer than {wanted.version}.", code="INVALID_STATE")
    if wanted.checksum == row.checksum:
        return row
    _require_dependencies(wanted)
    before = {"version": row.version, "checksum": row.checksum}
    tell(0, 2, "Objects")
    _bring(wanted, by=by, allow_destructive=allow_destructive)
    tell(1, 2, "Permission sets")
    _put_sets(wanted, by=by)
    row.version, row.checksum, row.manifest = wanted.version, wanted.checksum, wanted.manifest
    row.name, row.installer = wanted.manifest["name"], by.as_dict()
    row.save()
    tell(2, 2, "Done")
    _say("module.upgraded", row, by, before=before)
    return row


def uninstall(module: str, *, by: Actor, allow_data_loss: bool = False, tell: Tell = quiet) -> None:
    """Remove a module with its objects; refused while it has records (unless told) or others need it."""
    access_for(by).require_system(PERMISSION)
    row = _row(module)
    needing = [i.module for i in installed() if module in i.manifest.get("dependencies", {})]
    if needing:
        raise Conflict(
            f"{', '.join(needing)} needs {module}.", code="MODULE_NEEDED", cure="Remove that first."
        )
    objects = catalog().of_module(module)
    kept = {d.name: n for d in objects if (n := count_rows(d.table))}
    if kept and not allow_data_loss:
        what = ", ".join(f"{count} {name}" for name, count in kept.items())
        raise Conflict(
            f"{module} still has records: {what}.",
            code="DESTRUCTIVE_CHANGE",
            cure="Export them, or remove the module with the explicit permission to lose them.",
            details={"records": kept},
        )
    tell(0, 2, "Objects")
    publish_objects(
        [], by=by, module=module, drop=[d.name for d in objects], allow_destructive=allow_data_loss
    )
    tell(1, 2, "Permission sets")
    for name in PermissionSet.objects.filter(module=module).values_list("name", flat=True):
        permissions.delete_set(name=name, by=by)
    row.delete()
    tell(2, 2, "Done")
    _say("module.uninstalled", row, by)


def add_demo(module: str, *, by: Actor, owners: Mapping[str, Any] | None = None) -> int:
    """Create the module's demo records once, through the record services; return how many."""
    access_for(by).require_system(PERMISSION)
    row = _row(module)
    if row.demo_loaded:
        return 0
    made = load_demo(version_of(module, row.version).content["data"], by=by, owners=owners or {})
    Installation.objects.filter(pk=row.pk).update(demo_loaded=True)
    after = {"module": module, "records": made}
    ledger.record("module.demo_loaded", by=by, target=f"module:{module}", after=after)
    return made


def missing_dependencies(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return module id → range of what is not installed in a fitting version."""
    here = {row.module: semver.Version.parse(row.version) for row in installed()}
    return {
        name: wanted
        for name, wanted in manifest.get("dependencies", {}).items()
        if name not in here or not semver.satisfies(here[name], wanted)
    }


def _require_dependencies(version: Release) -> None:
    missing = missing_dependencies(version.manifest)
    if missing:
        what = ", ".join(f"{name} {wanted}" for name, wanted in missing.items())
        raise Conflict(
            f"{version.manifest['name']} needs {what}.",
            code="DEPENDENCY_MISSING",
            cure="Install or upgrade that first.",
            details={"dependencies": missing},
        )


def _leaving(version: Release) -> list[str]:
    """Return the module's objects that the version no longer has (renamed ones excepted)."""
    module = version.manifest["id"]
    bodies = version.content["objects"]
    staying = set(bodies) | {body.get("renamedFrom") for body in bodies.values()}
    return [d.name for d in catalog().of_module(module) if d.name not in staying]


def _bring(version: Release, *, by: Actor, allow_destructive: bool) -> None:
    module = version.manifest["id"]
    publish_objects(
        definitions(version.content, module),
        by=by,
        module=module,
        drop=_leaving(version),
        allow_destructive=allow_destructive,
    )


def _put_sets(version: Release, *, by: Actor) -> None:
    """Create or update the version's permission sets, and delete the module's others."""
    module = version.manifest["id"]
    declared = version.content["permission_sets"]
    for body in declared.values():
        permissions.put_declared(body, module=module, by=by)
    in_objects = {name for d in catalog().of_module(module) for name in d.permission_sets}
    kept = {*declared, *in_objects}
    for name in (
        PermissionSet.objects.filter(module=module).exclude(name__in=kept).values_list("name", flat=True)
    ):
        permissions.delete_set(name=name, by=by)


def _row(module: str) -> Installation:
    row = Installation.objects.filter(module=module).first()
    if row is None:
        raise NotFound(f"{module} is not installed.", code="RESOURCE_NOT_FOUND")
    return row


def _say(action: str, row: Installation, by: Actor, before: Mapping[str, Any] | None = None) -> None:
    after = None if action == "module.uninstalled" else {"version": row.version, "checksum": row.checksum}
    before = before or ({"version": row.version} if after is None else None)
    ledger.record(action, by=by, target=f"module:{row.module}", before=before, after=after)
    outbox.emit(
        action, subject=f"module:{row.module}", data={"module": row.module, "version": row.version}, by=by
    )
    clock.bump(current_tenant().id)
