"""Reads of objects that ask for it (`enable.trackReads`): who saw which records, in the ledger before they see them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from apps.audit import reads
from apps.core.actor import Actor
from apps.objects.catalog import Catalog
from apps.objects.definitions import ObjectDef
from apps.objects.query import tree
from apps.objects.query.plans import View
from apps.permissions.rights import Operation

ACTIONS: Mapping[Operation, str] = {"read": "read", "export": "exported"}


def watched(catalog: Catalog) -> bool:
    """Say whether any object of the tenant asks for it; one look at a remembered answer."""
    return catalog.watches_reads


def with_ids(catalog: Catalog, obj: ObjectDef, shape: tree.Shape) -> tree.Shape:
    """Return the shape with the ids of watched records selected: nobody reads without saying what."""
    expand = tuple(_expanded(catalog, obj, branch) for branch in shape.expand)
    fields = shape.fields
    if obj.enable.track_reads and fields is not None and "id" not in fields:
        fields = ("id", *fields)
    return replace(shape, fields=fields, expand=expand)


def branches_with_ids(
    catalog: Catalog, obj: ObjectDef, expand: Sequence[tree.Expand]
) -> tuple[tree.Expand, ...]:
    """The same for the expanded references of one record."""
    return tuple(_expanded(catalog, obj, branch) for branch in expand)


def _expanded(catalog: Catalog, obj: ObjectDef, branch: tree.Expand) -> tree.Expand:
    target = _target(catalog, obj, branch)
    if target is None:
        return branch
    fields = branch.fields
    if target.enable.track_reads and fields is not None and "id" not in fields:
        fields = ("id", *fields)
    return replace(
        branch, fields=fields, expand=tuple(_expanded(catalog, target, inner) for inner in branch.expand)
    )


def note(
    view: View,
    obj: ObjectDef,
    rows: Sequence[str],
    expand: Sequence[tree.Expand],
    *,
    by: Actor,
    op: Operation = "read",
    record_id: str | None = None,
    groups: bool = False,
) -> None:
    """Write down what `rows` show of watched objects, and return when that is committed.

    One entry for each watched object: with `record_id` about that record, otherwise about the object, with the ids
    of the records seen. Raises 503 when the ledger cannot take it: then nobody sees them.
    """
    watched = obj.enable.track_reads
    if not rows or not (watched or any(_watches(view.catalog, obj, branch) for branch in expand)):
        return
    seen: dict[str, set[str]] = {}
    if not groups:
        for row in rows:
            _gather(view.catalog, obj, orjson.loads(row), expand, seen)
    verb = ACTIONS.get(op, "read")
    if watched and record_id is not None:
        seen.pop(obj.name, None)
        reads.note(f"{obj.name}.{verb}", by=by, tenant=view.tenant.id, target=f"{obj.name}:{record_id}")
    elif watched and groups:
        details = {"groups": len(rows)}
        reads.note(
            f"{obj.name}.{verb}", by=by, tenant=view.tenant.id, target=f"object:{obj.name}", details=details
        )
    for name, ids in seen.items():
        named = {"count": len(ids), "records": sorted(ids)}
        reads.note(f"{name}.{verb}", by=by, tenant=view.tenant.id, target=f"object:{name}", details=named)


def _gather(
    catalog: Catalog,
    obj: ObjectDef,
    row: Mapping[str, Any],
    expand: Iterable[tree.Expand],
    seen: dict[str, set[str]],
) -> None:
    if obj.enable.track_reads and row.get("id"):
        seen.setdefault(obj.name, set()).add(str(row["id"]))
    for branch in expand:
        target, inner = _target(catalog, obj, branch), row.get(branch.field)
        for one in inner if isinstance(inner, list) else [inner]:
            if target is not None and isinstance(one, dict):
                _gather(catalog, target, one, branch.expand, seen)


def _watches(catalog: Catalog, obj: ObjectDef, branch: tree.Expand) -> bool:
    target = _target(catalog, obj, branch)
    if target is None:
        return False
    return target.enable.track_reads or any(_watches(catalog, target, inner) for inner in branch.expand)


def _target(catalog: Catalog, obj: ObjectDef, branch: tree.Expand) -> ObjectDef | None:
    found = obj.all_fields.get(branch.field)
    return catalog.find(found.reference) if found is not None and found.reference else None
