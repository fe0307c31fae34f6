"""Seed records of an artifact, as rows that the installation creates in the order of their references."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from apps.modules.artifact.notices import Judgement, listing, mapping
from apps.objects.definitions import FieldDef, ObjectDef

MOST_ROWS = 5_000
MODES = frozenset({"insert", "upsert", "ignore"})
Rows = dict[str, list[dict[str, Any]]]


def read_seed(given: list[Any], objects: Mapping[str, ObjectDef], judged: Judgement) -> Rows:
    """Return object → rows; `@` names a row by its natural key, and `@…` in a lookup refers to one."""
    sets = [(index, mapping(item)) for index, item in enumerate(given)]
    chosen = [(f"data.{i}", item) for i, item in sets if _wanted(f"data.{i}", item, objects, judged)]
    keys = {row_key(item, row) for _path, item in chosen for row in listing(item.get("records"))}
    found: Rows = {}
    for path, item in chosen:
        definition = objects[item["object"]]
        rows = found.setdefault(definition.name, [])
        rows += _rows(path, item, definition, keys, judged)
        if len(rows) > MOST_ROWS:
            judged.fault(path, "too_large", f"At most {MOST_ROWS} records of an object are seeded.")
    return found


def _wanted(path: str, item: Mapping[str, Any], objects: Mapping[str, ObjectDef], judged: Judgement) -> bool:
    if item.get("object") not in objects:
        judged.fault(
            f"{path}.object", "unknown_object", f"{item.get('object')!r} is no object of this package."
        )
        return False
    if "prod" not in item.get("env", ("prod",)):
        judged.note(path, "refused", "These records are not for a productive environment.")
        return False
    if item.get("mode", "upsert") not in MODES:
        judged.note(path, "adapted", "An installation creates records; it never changes or removes others.")
    return True


def row_key(item: Mapping[str, Any], row: Any) -> str:
    """Return the word by which other rows refer to this one: object and natural key."""
    wanted = item.get("externalId", "name")
    names = [wanted] if isinstance(wanted, str) else listing(wanted)
    values = [str(mapping(row).get(name, "")) for name in names]
    return f"{item['object']}:{'|'.join(values)}"


def _rows(
    path: str, item: Mapping[str, Any], definition: ObjectDef, keys: set[str], judged: Judgement
) -> Iterator[dict[str, Any]]:
    for index, row in enumerate(listing(item.get("records"))):
        made: dict[str, Any] = {"@": row_key(item, row)}
        for name, value in mapping(row).items():
            field = definition.fields.get(name)
            if field is None:
                judged.note(f"{path}.records.{index}.{name}", "refused", "There is no such field here.")
            elif value is not None:
                made[name] = _pointing(field, value, keys)
        yield made


def _pointing(field: FieldDef, value: Any, keys: set[str]) -> Any:
    """Turn the natural key of another row into a reference to it."""
    target = f"{field.reference}:{value}"
    return f"@{target}" if field.reference and target in keys else value
