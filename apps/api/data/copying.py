"""Copying a record: what the caller may read and write, without what belongs to the original alone."""

from typing import Any

from apps.core.actor import Actor
from apps.objects import query, records
from apps.objects.definitions import ObjectDef
from apps.objects.kinds import kind_of
from apps.permissions.access import access_for


def copy_record(obj: ObjectDef, record_id: str, overrides: dict[str, Any], *, by: Actor) -> records.Written:
    """Create a record with the values of another and `overrides` on top.

    Left out: system columns, readonly and generated fields, fields the caller may not write, and unique ones
    (two records cannot share them).
    """
    source = query.get(obj.name, record_id, by=by).record()
    editable = access_for(by).editable(obj)
    kept = {
        name: source[name]
        for name, field in obj.fields.items()
        if name in source
        and name in editable
        and source[name] is not None
        and not (field.readonly or field.unique or kind_of(field).generated)
    }
    return records.create(obj.name, kept | overrides, by=by)
