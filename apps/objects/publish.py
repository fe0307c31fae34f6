"""Publishing definitions: plan, tables, definitions, ledger and event in one transaction.

    with owner_session(), tenant_scope(tenant):
        publish_objects(definitions, by=actor)

or `publish_in(tenant, …)`, which opens both; neither may be called inside another scope.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import connections
from psycopg import sql

from apps.audit import ledger
from apps.core import clock
from apps.core.actor import SYSTEM, Actor
from apps.core.db.owner import owner_session
from apps.core.db.walls import build_walls
from apps.core.errors import Conflict, Problem
from apps.core.scope import ScopeConflict, current_tenant, tenant_scope
from apps.events import outbox
from apps.objects import relations
from apps.objects.catalog import Catalog, catalog, load
from apps.objects.definitions import ObjectDef
from apps.objects.encryption import ring
from apps.objects.models import Definition, DefinitionVersion
from apps.objects.overlay import keeping
from apps.objects.parse import DefinitionErrors, load_body
from apps.objects.schema import Plan, apply, guardians, plan, preview
from apps.objects.schema.rename import field_renames
from apps.permissions import services as permissions
from apps.permissions.access import access_for
from apps.permissions.models import PermissionSet

PERMISSION = "manage_metadata"
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


@dataclass(frozen=True)
class Published:
    """What a publication did: the plan carried out, and the objects by name as they are now."""

    plan: Plan
    objects: Mapping[str, ObjectDef]
    unchanged: tuple[str, ...] = ()


def publish_objects(
    definitions: Sequence[ObjectDef],
    *,
    by: Actor,
    module: str | None = None,
    drop: Iterable[str] = (),
    allow_destructive: bool = False,
    overlays: keeping.Wished | None = None,
    operation: str = "publish",
) -> Published:
    """Make the definitions true: tables first, then the rows that describe them.

    Over a module's definitions lie the tenant's layers in force, or those in `overlays` (by name, empty for none).

    Raises `DefinitionErrors` for references to nothing, `Conflict` DESTRUCTIVE_CHANGE (with what would be
    lost) unless allowed, SCHEMA_HELD when a guardian holds a breaking change, `Problem` WRITABLE_PACKAGE_REQUIRED
    for objects that another module owns.
    """
    tenant = current_tenant()
    if not getattr(connections["default"], "is_owner", False):
        msg = "publish_objects needs owner_session() around the tenant's scope."
        raise ScopeConflict(msg)
    access_for(by).require_system(PERMISSION)
    with connections["default"].cursor() as cursor:
        cursor.execute(LOCK, [f"publish:{tenant.id}"])
    known = load()  # the scope's clock is older than the lock; whoever held it may have published
    laid, definitions = _laid(definitions, module, overlays)
    _judge(definitions, list(drop), known, module)
    made = _plan(definitions, list(drop), known)
    _permit(made, by, allow_destructive=allow_destructive)
    if any(d.encrypted_fields for d in definitions):
        ring.ensure()
    apply(made)
    if any(s.object not in known for s in made.steps):
        build_walls(tenant.schema, tenant.id)
    unchanged = tuple(d.name for d in definitions if _same(known.find(d.name), d))
    changed = [d for d in definitions if d.name not in unchanged]
    for definition in changed:
        _save(definition, made, by, operation)
    if module:
        keeping.keep(laid, definitions, by=by)
    for name in (*drop, *_renamed_away(changed, known)):
        _remove(name, made, by)
    _carry_rights(changed, known)
    if overlays is None:
        _grant(changed, module=module or "", by=by)
    clock.bump(tenant.id)
    return Published(made, {d.name: d for d in definitions}, unchanged)


def publish_in(tenant: Any, definitions: Sequence[ObjectDef], *, by: Actor, **options: Any) -> Published:
    """Publish for `tenant` from outside any scope."""
    with owner_session(), tenant_scope(tenant):
        return publish_objects(definitions, by=by, **options)


def plan_objects(
    definitions: Sequence[ObjectDef],
    *,
    module: str | None = None,
    drop: Iterable[str] = (),
    overlays: keeping.Wished | None = None,
) -> Plan:
    """Return the plan with its SQL, changing nothing; any tenant scope will do."""
    known = catalog()
    _layers, definitions = _laid(definitions, module, overlays)
    _judge(definitions, list(drop), known, module)
    return preview(_plan(definitions, list(drop), known))


def _laid(
    definitions: Sequence[ObjectDef], module: str | None, overlays: keeping.Wished | None
) -> tuple[dict[str, keeping.Laid], list[ObjectDef]]:
    """Return the layered objects by name, and all definitions with the tenant's layers on them."""
    laid = keeping.lay(definitions, module, overlays)
    whole = [laid[d.name].definition if d.name in laid else d for d in definitions]
    return laid, [replace(d, module=module) for d in whole]


def save_draft(body: Mapping[str, Any], *, by: Actor) -> Definition:
    """Keep a definition that is not in force yet; it must be readable, its plan is not judged."""
    access_for(by).require_system(PERMISSION)
    definition = load_body(body)
    _judge_owner(definition, catalog(), None)
    draft, _made = Definition.objects.update_or_create(
        name=definition.name,
        state=Definition.State.DRAFT,
        defaults={
            "body": dict(definition.body),
            "checksum": definition.checksum,
            "version": _next_version(definition.name),
            "updated_by": by.label,
        },
    )
    ledger.record("object.drafted", by=by, target=f"object:{definition.name}", after=_summary(definition))
    return draft


def _judge(definitions: Sequence[ObjectDef], drop: list[str], known: Catalog, module: str | None) -> None:
    for definition in definitions:
        _judge_owner(definition, known, module)
    for name in drop:
        known.object(name)
    leaving = {*drop, *(d.renamed_from for d in definitions if d.renamed_from)}
    staying = [d for d in known if d.name not in leaving and d.name not in {n.name for n in definitions}]
    faults = relations.faults([*definitions, *staying])
    if faults:
        raise DefinitionErrors(faults)


def _judge_owner(definition: ObjectDef, known: Catalog, module: str | None) -> None:
    """Refuse a definition under the name of an object that another module (or the tenant) owns."""
    for name in (definition.name, definition.renamed_from):
        found = known.find(name or "")
        if found is not None and found.module != module:
            owner = f"the module {found.module}" if found.module else "the tenant"
            message = f"The object {found.name} belongs to {owner} and cannot be changed here."
            raise Problem("WRITABLE_PACKAGE_REQUIRED", message, status=422, details={"object": found.name})


def _plan(definitions: Sequence[ObjectDef], drop: list[str], known: Catalog) -> Plan:
    new = {d.name: d for d in definitions}
    leaving = {*drop, *(d.renamed_from for d in definitions if d.renamed_from)}
    old = {d.name: d for d in known if d.name in new or d.name in leaving}
    standing = {d.name: d for d in known if d.name not in old}
    return plan(old, new, rows=count_rows, standing=standing)


def count_rows(table: str) -> int:
    """Return the rows of a tenant's table, deleted ones included."""
    with connections["default"].cursor() as cursor:
        cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
        return int(cursor.fetchone()[0])


def _permit(made: Plan, by: Actor, *, allow_destructive: bool) -> None:
    if made.destructive and not allow_destructive:
        raise _destructive(made)
    if made.risk == "breaking":
        guardians.ask(made, by=by)


def _destructive(made: Plan) -> Conflict:
    losses = [s.as_dict() for s in made.destructive]
    message = " ".join(s.sentence for s in made.destructive)
    return Conflict(
        f"This change loses data: {message}",
        code="DESTRUCTIVE_CHANGE",
        cure="Repeat it with the explicit permission to lose data (force), or keep what it drops.",
        details={"losses": losses, "plan": made.as_dict()},
    )


def _same(before: ObjectDef | None, after: ObjectDef) -> bool:
    return before is not None and (before.checksum, before.module) == (after.checksum, after.module)


def _renamed_away(changed: Sequence[ObjectDef], known: Catalog) -> list[str]:
    return [
        d.renamed_from for d in changed if d.renamed_from and d.renamed_from in known and d.name not in known
    ]


def _next_version(name: str) -> int:
    newest = (
        DefinitionVersion.objects.filter(name=name).order_by("-version").values_list("version", flat=True)
    )
    return (newest.first() or 0) + 1


def _save(definition: ObjectDef, made: Plan, by: Actor, operation: str) -> None:
    name, body = definition.name, dict(definition.body)
    version = _next_version(name)
    before = Definition.objects.filter(name=name, state=Definition.State.ACTIVE).first()
    values = {
        "body": body,
        "module": definition.module or "",
        "checksum": definition.checksum,
        "version": version,
        "updated_by": by.label,
    }
    Definition.objects.update_or_create(name=name, state=Definition.State.ACTIVE, defaults=values)
    Definition.objects.filter(name=name, state=Definition.State.DRAFT).delete()
    steps = [s.as_dict() for s in made.steps if s.object == name]
    _remember(definition, version, operation, steps, by)
    action = "object.updated" if before else "object.created"
    earlier = {"version": before.version, "checksum": before.checksum} if before else None
    after = _summary(definition) | {"version": version, "steps": [s["sentence"] for s in steps]}
    ledger.record(action, by=by, target=f"object:{name}", before=earlier, after=after)
    data = {"name": name, "version": version, "module": definition.module or ""}
    outbox.emit("object.published", subject=f"object:{name}", data=data, by=by)


def _remove(name: str, made: Plan, by: Actor) -> None:
    row = Definition.objects.filter(name=name, state=Definition.State.ACTIVE).first()
    if row is None:
        return
    definition = load_body(row.body, module=row.module or None)
    steps = [s.as_dict() for s in made.steps if s.object == name]
    _remember(definition, _next_version(name), "drop", steps, by)
    Definition.objects.filter(name=name).delete()
    keeping.forget(name)
    before = _summary(definition) | {"version": row.version}
    ledger.record("object.dropped", by=by, target=f"object:{name}", before=before)
    outbox.emit("object.dropped", subject=f"object:{name}", data={"name": name}, by=by)


def _remember(
    definition: ObjectDef, version: int, operation: str, steps: list[dict[str, Any]], by: Actor
) -> None:
    DefinitionVersion.objects.create(
        name=definition.name,
        version=version,
        operation=operation,
        module=definition.module or "",
        body=dict(definition.body),
        checksum=definition.checksum,
        plan={"steps": steps},
        actor=by.as_dict(),
    )


def _carry_rights(changed: Sequence[ObjectDef], known: Catalog) -> None:
    """Let permission sets follow renames: a limit on a field's old name would otherwise be lifted by renaming it."""
    objects: dict[str, str] = {}
    fields: dict[str, str] = {}
    for definition in changed:
        former = known.find(definition.name) or known.find(definition.renamed_from or "")
        if former is None:
            continue
        moved = field_renames(former, definition)
        objects |= {former.name: definition.name} if former.name != definition.name else {}
        for name in former.fields:
            now = f"{definition.name}.{moved.get(name, name)}"
            fields |= {f"{former.name}.{name}": now} if f"{former.name}.{name}" != now else {}
    if not (objects or fields):
        return
    for row in PermissionSet.objects.all():
        body = dict(row.body)
        body["objects"] = {objects.get(k, k): v for k, v in body.get("objects", {}).items()}
        body["fields"] = {fields.get(k, k): v for k, v in body.get("fields", {}).items()}
        if "rowLevelSecurity" in body:
            body["rowLevelSecurity"] = [
                entry | {"object": objects.get(entry["object"], entry["object"])}
                for entry in body["rowLevelSecurity"]
            ]
        if body != row.body:
            permissions.update_set(name=row.name, body=body, by=SYSTEM)


def _summary(definition: ObjectDef) -> dict[str, Any]:
    return {
        "name": definition.name,
        "label": definition.label,
        "module": definition.module or "",
        "checksum": definition.checksum,
        "fields": {f.name: f.type for f in definition.fields.values()},
    }


def _grant(definitions: Sequence[ObjectDef], *, module: str, by: Actor) -> None:
    """Create or extend the permission sets that objects declare; what a set says of other objects stays."""
    wanted: dict[str, dict[str, Any]] = {}
    for definition in definitions:
        for name, declared in definition.permission_sets.items():
            if name not in wanted:
                row = PermissionSet.objects.filter(name=name, module=module).first()
                body = row.body if row else {}
                wanted[name] = {
                    "name": name,
                    "label": row.label if row else declared["label"],
                    "description": row.description if row else "",
                    "objects": dict(body.get("objects", {})),
                    "fields": dict(body.get("fields", {})),
                    "systemPermissions": list(body.get("systemPermissions", [])),
                    "rowLevelSecurity": list(body.get("rowLevelSecurity", [])),
                }
            body = wanted[name]
            kept = {k: v for k, v in body["fields"].items() if not k.startswith(f"{definition.name}.")}
            body["objects"] |= declared["objects"]
            body["fields"] = kept | declared["fields"]
    for declared in wanted.values():
        permissions.put_declared(declared, module=module, by=by)
