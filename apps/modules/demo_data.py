"""A module's own records (demo data from CSV files, seed of artifacts), created through the record services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from apps.core.actor import Actor
from apps.core.errors import Invalid
from apps.objects import records
from apps.objects.catalog import Catalog, catalog
from apps.objects.definitions import ObjectDef
from apps.objects.kinds import kind_of

KEY = "@"
Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def load_demo(data: Rows, *, by: Actor, owners: Mapping[str, Any]) -> int:
    """Create the records, those referred to first; `owners` maps the word of the column `owner` to a user id."""
    known = catalog()
    ids: dict[str, str] = {}
    made = 0
    for name in in_order(known, data):
        definition = known.object(name)
        for row in data[name]:
            values = _values(definition, row, ids)
            owner = owners.get(row.get("owner", ""))
            if owner is not None:
                values["owner_id"] = str(owner)
            written = records.create(name, values, by=by)
            if row.get(KEY):
                ids[f"{KEY}{row[KEY]}"] = written.id
            made += 1
    return made


def _values(definition: ObjectDef, row: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, given in row.items():
        field = definition.fields.get(name)
        if field is None:
            continue
        if not isinstance(given, str):
            values[name] = given
        elif field.reference and given.startswith(KEY):
            if given not in ids:
                raise Invalid(f"{definition.name}.{name}: no record is named {given!r} before this one.")
            values[name] = ids[given]
        else:
            values[name] = kind_of(field).from_text(field, given)
    return values


def in_order(known: Catalog, data: Rows) -> Iterator[str]:
    """Yield the objects so that each comes after those it refers to; circles end by name."""
    left = sorted(data)
    done: set[str] = set()
    while left:
        ready = [n for n in left if _needs(known.object(n)) & set(data) <= {*done, n}] or left[:1]
        yield from ready
        done |= set(ready)
        left = [n for n in left if n not in done]


def _needs(definition: ObjectDef) -> set[str]:
    return {f.reference for f in definition.references if f.reference}
