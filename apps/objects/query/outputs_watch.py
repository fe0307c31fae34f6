"""Outputs of watched objects (`enable.trackReads`): their ids are selected too, noted, and taken out again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson

from apps.audit import reads
from apps.core.actor import Actor
from apps.objects.catalog import Catalog
from apps.objects.definitions import ObjectDef
from apps.objects.query import tree
from apps.objects.query.plans import View

MARK = "id!"  # no name that a caller can choose
Outputs = tuple[tree.Output, ...]


def with_ids(catalog: Catalog, obj: ObjectDef | None, outputs: Outputs) -> Outputs:
    """Return the outputs with the ids of watched records among them, at every level."""
    if obj is None:
        return outputs
    made = tuple(_inside(catalog, obj, output) for output in outputs)
    return (*made, tree.Value(MARK, "id")) if obj.enable.track_reads else made


def _inside(catalog: Catalog, obj: ObjectDef, output: tree.Output) -> tree.Output:
    if isinstance(output, tree.Again):
        return replace(output, outputs=with_ids(catalog, obj, output.outputs))
    if isinstance(output, tree.Follow):
        return replace(output, outputs=with_ids(catalog, _target(catalog, obj, output), output.outputs))
    if isinstance(output, tree.Gather):
        target = catalog.find(output.object)
        parts = [
            replace(part, outputs=with_ids(catalog, target, part.outputs)) if part.kind == "records" else part
            for part in output.parts
        ]
        return replace(output, parts=tuple(parts))
    return output


def noted(view: View, obj: ObjectDef, rows: Sequence[str], outputs: Outputs, *, by: Actor) -> list[str]:
    """Write down which watched records the rows show, and return the rows as they were asked for.

    Returns when that is committed; raises 503 when the ledger cannot take it: then nobody sees them.
    """
    if not _marked(outputs):
        return list(rows)
    seen: dict[str, set[str]] = {}
    shown = []
    for row in rows:
        value = json.loads(row, parse_float=Decimal, parse_int=Decimal)
        _take(view.catalog, obj, value, outputs, seen)
        shown.append(orjson.dumps(value, default=_exact).decode())
    for name, ids in seen.items():
        named = {"count": len(ids), "records": sorted(ids)}
        reads.note(f"{name}.read", by=by, tenant=view.tenant.id, target=f"object:{name}", details=named)
    return shown


def _take(
    catalog: Catalog, obj: ObjectDef, value: dict[str, Any], outputs: Outputs, seen: dict[str, set[str]]
) -> None:
    for output in outputs:
        inner = value.get(output.alias)
        if inner is None:
            continue
        if output.alias == MARK:
            seen.setdefault(obj.name, set()).add(value.pop(MARK))
        elif isinstance(output, tree.Again):
            _take(catalog, obj, inner, output.outputs, seen)
        elif isinstance(output, tree.Follow) and (target := _target(catalog, obj, output)):
            for record in inner if isinstance(inner, list) else [inner]:
                _take(catalog, target, record, output.outputs, seen)
        elif isinstance(output, tree.Gather):
            _take_all(catalog, output, inner, seen)


def _take_all(
    catalog: Catalog, output: tree.Gather, value: Mapping[str, Any], seen: dict[str, set[str]]
) -> None:
    target = catalog.find(output.object)
    for part in output.parts:
        if part.kind == "records" and target is not None:
            for record in value[part.alias]:
                _take(catalog, target, record, part.outputs, seen)


def _marked(outputs: Outputs) -> bool:
    for output in outputs:
        if output.alias == MARK:
            return True
        if isinstance(output, tree.Follow | tree.Again) and _marked(output.outputs):
            return True
        if isinstance(output, tree.Gather) and any(_marked(part.outputs) for part in output.parts):
            return True
    return False


def _target(catalog: Catalog, obj: ObjectDef, output: tree.Follow) -> ObjectDef | None:
    return catalog.find(obj.all_fields[output.field].reference or "")


def _exact(value: Any) -> orjson.Fragment:
    return orjson.Fragment(format(value, "f"))
