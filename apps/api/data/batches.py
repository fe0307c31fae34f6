"""The doors to many records at once: createMany, updateMany, deleteMany, batch, and across objects."""

from dataclasses import replace
from typing import Any, ClassVar

from django.http import HttpResponse

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import OBJECT, TEXT, array, describe, ref, shape
from apps.api.data import across
from apps.api.data.access import served_object
from apps.api.data.writing import DROPPED, DROPPED_HEADER
from apps.api.door import Door
from apps.core.errors import Invalid
from apps.objects import records

BULK_BYTES = 4 * 1024 * 1024
FLAGS = ref("BatchOptions")
MOST = 200
OPTIONS = {"atomic": "atomic", "continueOnError": "continue_on_error", "returnRecords": "return_records"}
VERBS = {"create": ("create",), "update": ("update",), "upsert": ("create", "update"), "delete": ("delete",)}
OPERATION = {"type": "string", "enum": [*VERBS]}


class BulkDoor(Door):
    """A door that takes many records."""

    body_limit: ClassVar[int] = BULK_BYTES


def keys_only(body: dict[str, Any], *allowed: str) -> None:
    """Refuse a body with other keys than these."""
    if unknown := sorted(set(body) - set(allowed)):
        raise Invalid(
            f"Unknown key(s): {', '.join(key[:40] for key in unknown)}; allowed: {', '.join(allowed)}."
        )


def options_of(body: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a batch as the service names them; unknown ones are refused."""
    raw = body.get("options")
    if raw is None:
        return {}
    if (
        not isinstance(raw, dict)
        or set(raw) - set(OPTIONS)
        or not all(isinstance(v, bool) for v in raw.values())
    ):
        raise Invalid(f"options are {', '.join(OPTIONS)}, each true or false.")
    return {OPTIONS[name]: value for name, value in raw.items()}


def items_of(body: dict[str, Any], *allowed: str) -> list[dict[str, Any]]:
    """Return the rows of a batch when each is an object of the allowed keys with values of their types."""
    rows = body.get("records")
    types = {"id": str, "data": dict, "externalId": str}
    if not isinstance(rows, list):
        raise Invalid("records must be a list.")
    for index, row in enumerate(rows):
        fits = isinstance(row, dict) and not set(row) - set(allowed)
        if not fits or not all(isinstance(value, types[key]) for key, value in row.items()):
            raise Invalid(f"records[{index}] is an object of {', '.join(allowed)}.", details={"index": index})
    return rows


def outcome(made: records.Batch) -> dict[str, Any]:
    """Return a BatchUpdateResponse; the records' own bytes go into it."""
    answer = replace(made, rows=[replace(row, record=None) for row in made.rows]).as_dict()
    for row, item in zip(made.rows, answer["results"], strict=True):
        if row.record is not None:
            item["data"] = answers.Raw(row.record)
    return answer


class CreateManyDoor(BulkDoor):
    """`POST /data/:object/createMany`: a list of records, all or none."""

    @describe(
        "Create many records, all or none",
        answer=shape(
            object=TEXT, records=array(ref("Record")), count={"type": "integer"}, droppedFields=DROPPED,
            required=["object", "records", "count"],
        ),
        status=201,
        body=array(ref("RecordCreate"), maxItems=MOST),
        tag="data",
    )  # fmt: skip
    def post(self, call: Call, name: str) -> HttpResponse:
        served_object(call, name, "bulk")
        served_object(call, name, "create")
        made = records.create_many(name, call.body, by=call.actor)
        dropped = sorted({field for one in made for field in one.dropped})
        body = {"object": name, "records": [answers.Raw(one.text) for one in made], "count": len(made)}
        if not dropped:
            return answers.send(body, status=201)
        lost = {"droppedFields": [{"object": name, "fields": dropped, "reason": "readonly"}]}
        header = {DROPPED_HEADER: f"{','.join(dropped)};reason=readonly"}
        return answers.send(body | lost, status=201, headers=header)


class UpdateManyDoor(BulkDoor):
    """`POST /data/:object/updateMany`."""

    @describe(
        "Change many records",
        answer=ref("BatchAnswer"),
        body=shape(
            records=array(shape(id=TEXT, data=ref("RecordUpdate")), maxItems=MOST),
            options=FLAGS,
            required=["records"],
        ),
        tag="data",
    )
    def post(self, call: Call, name: str) -> HttpResponse:
        served_object(call, name, "bulk")
        served_object(call, name, "update")
        body = call.mapping()
        keys_only(body, "records", "options")
        made = records.update_many(name, items_of(body, "id", "data"), by=call.actor, **options_of(body))
        return answers.send(outcome(made))


class DeleteManyDoor(BulkDoor):
    """`POST /data/:object/deleteMany`."""

    @describe(
        "Delete many records",
        answer=ref("BatchAnswer"),
        body=shape(ids=array(TEXT, maxItems=MOST), options=FLAGS, required=["ids"]),
        tag="data",
    )
    def post(self, call: Call, name: str) -> HttpResponse:
        served_object(call, name, "bulk")
        served_object(call, name, "delete")
        body = call.mapping()
        keys_only(body, "ids", "options")
        ids = body.get("ids")
        if not isinstance(ids, list) or not all(isinstance(item, str) for item in ids):
            raise Invalid("ids must be a list of texts.")
        return answers.send(outcome(records.delete_many(name, ids, by=call.actor, **options_of(body))))


class BatchDoor(BulkDoor):
    """`POST /data/:object/batch`."""

    @describe(
        "One operation on many records of an object",
        answer=ref("BatchAnswer"),
        body=shape(
            operation=OPERATION,
            records=array(shape(id=TEXT, data=OBJECT, externalId=TEXT, required=[]), maxItems=MOST),
            options=FLAGS,
            required=["operation", "records"],
        ),
        tag="data",
    )
    def post(self, call: Call, name: str) -> HttpResponse:
        served_object(call, name, "bulk")
        body = call.mapping()
        keys_only(body, "operation", "records", "options")
        operation = body.get("operation")
        if operation not in VERBS:
            raise Invalid(f"operation is one of {', '.join(VERBS)}.")
        for verb in VERBS[operation]:
            served_object(call, name, verb)
        rows = items_of(body, "id", "data", "externalId")
        made = records.batch(name, operation, rows, by=call.actor, **options_of(body))
        return answers.send(outcome(made))


class TransactionDoor(BulkDoor):
    """`POST /batch`: operations on several objects in one transaction."""

    @describe(
        "Operations on several objects, all or none",
        answer=shape(results=array(OBJECT), droppedFields=DROPPED, required=["results"]),
        body=shape(
            operations=array(
                shape(
                    object=TEXT,
                    action={"type": "string", "enum": list(across.ACTIONS)},
                    id=TEXT,
                    data=OBJECT,
                    required=["object"],
                ),
                maxItems=across.MOST,
            ),
            atomic={"type": "boolean"},
            required=["operations"],
        ),
        errors=(404,),
        tag="data",
    )
    def post(self, call: Call) -> HttpResponse:
        body = call.mapping()
        keys_only(body, "operations", "atomic")
        results, dropped = across.run(call, body.get("operations"), atomic=body.get("atomic", True))
        answer: dict[str, Any] = {"results": results}
        return answers.send(answer | ({"droppedFields": dropped} if dropped else {}))
