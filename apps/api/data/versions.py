"""The versions of a record: what each changed, how the record was, two beside each other, and the way back."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import ANYTHING, OBJECT, TEXT, Parameter, Schema, array, describe, ref, shape
from apps.api.data.access import served_object
from apps.api.data.writing import DROPPED, IF_MATCH, WARNINGS, expected_version
from apps.api.door import Door
from apps.audit.types import FieldChange
from apps.core.canonical import instant
from apps.core.errors import Invalid, NotFound
from apps.objects.records import versions

WHOLE = {"type": "integer", "minimum": 1}
CHANGE = shape(
    field=TEXT,
    before=ANYTHING,
    after=ANYTHING,
    erased={"type": "boolean"},
    required=["field", "before", "after"],
)
VERSION = shape(
    version=WHOLE,
    at={"type": "string", "format": "date-time"},
    action=TEXT,
    actor=shape(kind=TEXT, id=TEXT, label=TEXT),
    changes=array(CHANGE),
    restoredVersion=WHOLE,
    required=["version", "at", "action", "actor", "changes"],
)

SIDES: Mapping[str, Schema] = {"from": ANYTHING, "to": ANYTHING, "field": TEXT, "known": {"type": "boolean"}}
DIFFERENCE = {
    "type": "object",
    "properties": dict(SIDES),
    "required": list(SIDES),
    "additionalProperties": False,
}
BOTH: Mapping[str, Schema] = {
    "object": TEXT,
    "id": TEXT,
    "from": VERSION,
    "to": VERSION,
    "differences": array(DIFFERENCE),
}
COMPARED = {"type": "object", "properties": dict(BOTH), "required": list(BOTH), "additionalProperties": False}


class VersionsDoor(Door):
    """`GET /data/:object/:id/versions`: newest first; `limit` at most 200, `before` is a version's number."""

    @describe(
        "The versions of a record",
        answer=shape(object=TEXT, id=TEXT, versions=array(VERSION), nextBefore={"type": ["integer", "null"]}),
        parameters=[
            Parameter("limit", "Versions on a page.", {"type": "integer", "minimum": 1, "maximum": 200}),
            Parameter("before", "`nextBefore` of the page before.", WHOLE),
        ],
        tag="data",
    )
    def get(self, call: Call, name: str, record_id: str) -> HttpResponse:
        obj = served_object(call, name, "get")
        limit, before = _number(call, "limit", 50), _number(call, "before", 0)
        if limit > 200:
            raise Invalid("limit is a number from 1 to 200.", code="INVALID_QUERY")
        found = versions.versions(name, record_id, by=call.actor)
        rest = [version for version in found if not before or version.number < before]
        page = rest[:limit]
        body = {"object": obj.name, "id": record_id, "versions": [_wire(item) for item in page]}
        return answers.send(body | {"nextBefore": page[-1].number if len(rest) > limit else None})


class VersionDoor(Door):
    """`GET /data/:object/:id/versions/:number`: the record as it was."""

    @describe(
        "A record as it was at a version",
        answer=shape(object=TEXT, id=TEXT, version=VERSION, record=OBJECT, unknown=array(TEXT)),
        tag="data",
    )
    def get(self, call: Call, name: str, record_id: str, number: str) -> HttpResponse:
        obj = served_object(call, name, "get")
        state = versions.at(name, record_id, as_number(number), by=call.actor)
        return answers.send(
            {
                "object": obj.name,
                "id": record_id,
                "version": _wire(state.version),
                "record": dict(state.values),
                "unknown": sorted(state.unknown),
            }
        )


class CompareDoor(Door):
    """`GET /data/:object/:id/compare?from=2&to=5`: the fields that differ between two versions."""

    @describe(
        "Two versions of a record beside each other",
        answer=COMPARED,
        parameters=[
            Parameter("from", "The number of one version; the one before `to` without it.", WHOLE),
            Parameter("to", "The number of the other; the newest without it.", WHOLE),
        ],
        tag="data",
    )
    def get(self, call: Call, name: str, record_id: str) -> HttpResponse:
        obj = served_object(call, name, "get")
        first, second = _number(call, "from", 0) or None, _number(call, "to", 0) or None
        found = versions.compare(name, record_id, first, second, by=call.actor)
        return answers.send(
            {
                "object": obj.name,
                "id": record_id,
                "from": _wire(found.before),
                "to": _wire(found.after),
                "differences": [
                    {"field": item.field, "from": item.before, "to": item.after, "known": item.known}
                    for item in found.differences
                ],
            }
        )


class RestoreVersionDoor(Door):
    """`POST /data/:object/:id/versions/:number/restore`: the values of then, as a change of now."""

    @describe(
        "Give a record the values of an earlier version",
        answer=shape(
            object=TEXT,
            id=TEXT,
            record=ref("Record"),
            restoredVersion=WHOLE,
            skipped={"type": "object", "additionalProperties": TEXT},
            droppedFields=DROPPED,
            warnings=WARNINGS,
            required=["object", "id", "record", "restoredVersion", "skipped"],
        ),
        body=shape(fields=array(TEXT), required=[]),
        body_required=False,
        parameters=[IF_MATCH],
        errors=(409, 412),
        tag="data",
    )
    def post(self, call: Call, name: str, record_id: str, number: str) -> HttpResponse:
        served_object(call, name, "update")
        body = call.mapping(optional=True)
        fields = body.get("fields")
        if set(body) - {"fields"} or not (fields is None or _texts(fields)):
            raise Invalid("The body is `{fields?: [name, …]}`.")
        done = versions.restore_version(
            name,
            record_id,
            as_number(number),
            by=call.actor,
            if_match=expected_version(call),
            fields=fields,
        )
        made = done.written
        return answers.send(
            {
                "object": made.object,
                "id": made.id,
                "record": made.record(),
                "restoredVersion": as_number(number),
                "skipped": dict(done.skipped),
            }
        )


def as_number(text: str) -> int:
    """Return a version's number from an address; what is none is a version that never was."""
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise NotFound(f"There is no version {text[:20]!r} of this record.", code="VERSION_NOT_FOUND")
    return int(text)


def _number(call: Call, key: str, default: int) -> int:
    text = call.params.get(key)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:10]) <= 10**9:
        raise Invalid(f"{key} is a number from 1 on.", code="INVALID_QUERY")
    return int(text)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _wire(version: versions.Version) -> dict[str, Any]:
    body: dict[str, Any] = {
        "version": version.number,
        "at": instant(version.at),
        "action": version.action,
        "actor": {"kind": version.actor.kind, "id": version.actor.id, "label": version.actor.label},
        "changes": [change_wire(change) for change in version.changes],
    }
    return body | ({"restoredVersion": version.restored} if version.restored else {})


def change_wire(change: FieldChange) -> dict[str, Any]:
    """Return one change as the wire shows it; `erased` stands only where a value was destroyed."""
    made = {"field": change.field, "before": change.before, "after": change.after}
    return made | ({"erased": True} if change.erased else {})
