"""Writing one record: create, change, delete, restore, copy."""

from typing import Any, ClassVar

from django.http import HttpResponse

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import OBJECT, TEXT, Parameter, array, describe, ref, shape
from apps.api.data.access import served_object
from apps.api.data.reading import LIST_PARAMETERS, ONE, PAGE, SELECT, one_of, page_of
from apps.api.door import NONE, READS, Door
from apps.core.errors import Invalid
from apps.objects import records

DROPPED_HEADER = "X-ObjectStack-Dropped-Fields"
DROPPED = array(
    shape(
        object=TEXT,
        fields=array(TEXT),
        reason=TEXT,
        index={"type": "integer"},
        required=["object", "fields", "reason"],
    )
)
WARNINGS = array(
    shape(
        name=TEXT,
        severity=TEXT,
        field=TEXT,
        code=TEXT,
        message=TEXT,
        required=["name", "message"],
        extra=True,
    )
)
WRITTEN = shape(
    object=TEXT,
    id=TEXT,
    record=ref("Record"),
    droppedFields=DROPPED,
    warnings=WARNINGS,
    required=["object", "id", "record"],
)
IF_MATCH = Parameter(
    "If-Match", "`updated_at` (or the version) of the copy that was changed.", place="header"
)


def expected_version(call: Call, body: dict[str, Any] | None = None) -> str | None:
    """Return the version the caller changed: `If-Match`, or `expectedVersion` taken out of the body."""
    sent = body.pop("expectedVersion", None) if body is not None else None
    if sent is not None and not isinstance(sent, str | int):
        raise Invalid("expectedVersion is the updated_at (or the version) of the record.")
    header = call.header("If-Match")
    found = (
        header.strip().removeprefix("W/").strip('"') if header else (str(sent) if sent is not None else None)
    )
    return None if found == "*" else found


def written(made: records.Written, *, status: int = 200) -> HttpResponse:
    """Answer with the record as it is now, and what was not written."""
    header = made.header()
    return answers.send(made.body(), status=status, headers={DROPPED_HEADER: header} if header else None)


class RecordsDoor(Door):
    """`GET` and `POST /data/:object`."""

    opens: ClassVar[frozenset[str]] = NONE
    recalls: ClassVar[frozenset[str]] = READS
    compares: ClassVar[frozenset[str]] = frozenset({"POST"})

    @describe("List records", answer=PAGE, parameters=LIST_PARAMETERS, tag="data")
    def get(self, call: Call, name: str) -> HttpResponse:
        return page_of(call, name)

    @describe("Create a record", answer=WRITTEN, status=201, body=ref("RecordCreate"), tag="data")
    def post(self, call: Call, name: str) -> HttpResponse:
        served_object(call, name, "create")
        made = records.create(name, call.mapping(), by=call.actor, tenant=call.tenant, seen=call.trusted)
        return written(made, status=201)


class RecordDoor(Door):
    """`GET`, `PATCH` and `DELETE /data/:object/:id`."""

    opens: ClassVar[frozenset[str]] = NONE
    recalls: ClassVar[frozenset[str]] = READS
    compares: ClassVar[frozenset[str]] = frozenset({"PATCH"})

    @describe("Read a record", answer=ONE, answers={304: None}, parameters=SELECT, tag="data")
    def get(self, call: Call, name: str, record_id: str) -> HttpResponse:
        return one_of(call, name, record_id)

    @describe("Change a record", answer=WRITTEN, body=ref("RecordUpdate"), parameters=[IF_MATCH], tag="data")
    def patch(self, call: Call, name: str, record_id: str) -> HttpResponse:
        served_object(call, name, "update")
        changes = dict(call.mapping())
        version = expected_version(call, changes)
        made = records.update(
            name,
            record_id,
            changes,
            by=call.actor,
            tenant=call.tenant,
            if_match=version,
            seen=call.trusted,
        )
        return written(made)

    @describe(
        "Delete a record; it can be restored",
        answer=shape(object=TEXT, id=TEXT, success={"const": True}),
        parameters=[IF_MATCH],
        tag="data",
    )
    def delete(self, call: Call, name: str, record_id: str) -> HttpResponse:
        served_object(call, name, "delete")
        gone = records.delete(
            name, record_id, by=call.actor, tenant=call.tenant, if_match=expected_version(call)
        )
        return answers.send(gone.body())


class RestoreDoor(Door):
    """`POST /data/:object/:id/restore`."""

    @describe("Restore a deleted record", answer=WRITTEN, tag="data")
    def post(self, call: Call, name: str, record_id: str) -> HttpResponse:
        served_object(call, name, "delete")
        return written(records.restore(name, record_id, by=call.actor))


class CloneDoor(Door):
    """`POST /data/:object/:id/clone`."""

    @describe(
        "Copy a record",
        answer=shape(
            object=TEXT, id=TEXT, sourceId=TEXT, record=ref("Record"), droppedFields=DROPPED, warnings=WARNINGS,
            required=["object", "id", "sourceId", "record"],
        ),
        status=201,
        body=shape(overrides=OBJECT, required=[]),
        body_required=False,
        tag="data",
    )  # fmt: skip
    def post(self, call: Call, name: str, record_id: str) -> HttpResponse:
        served_object(call, name, "create")
        body = call.mapping(optional=True)
        overrides = body.get("overrides", {})
        if set(body) - {"overrides"} or not isinstance(overrides, dict):
            raise Invalid("The body is `{overrides?: {field: value}}`.")
        made = records.clone(name, record_id, overrides, by=call.actor)
        return written(made, status=201)
