"""The doors to many records at once: createMany, updateMany, deleteMany, batch, and across objects."""

from typing import Any, ClassVar

from django.http import HttpResponse

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import OBJECT, TEXT, array, describe, ref, shape
from apps.api.data import across, many
from apps.api.data.access import served_object
from apps.api.data.writing import DROPPED, dropped_headers, dropped_items
from apps.api.door import Door
from apps.core.errors import Invalid
from apps.objects import records

BULK_BYTES = 4 * 1024 * 1024
FLAGS = ref("BatchOptions")
OPERATION = {"type": "string", "enum": list(many.OPERATIONS)}


class BulkDoor(Door):
    """A door that takes many records."""

    body_limit: ClassVar[int] = BULK_BYTES


def keys_only(body: dict[str, Any], *allowed: str) -> None:
    """Refuse a body with other keys than these."""
    if unknown := sorted(set(body) - set(allowed)):
        raise Invalid(f"Unknown key(s): {', '.join(key[:40] for key in unknown)}; allowed: {', '.join(allowed)}.")


class CreateManyDoor(BulkDoor):
    """`POST /data/:object/createMany`: a list of records, all or none."""

    @describe(
        "Create many records, all or none",
        answer=shape(
            object=TEXT, records=array(ref("Record")), count={"type": "integer"}, droppedFields=DROPPED,
            required=["object", "records", "count"],
        ),
        status=201,
        body=array(ref("RecordCreate"), maxItems=many.MOST),
        tag="data",
    )  # fmt: skip
    def post(self, call: Call, name: str) -> HttpResponse:
        served_object(call, name, "bulk")
        served_object(call, name, "create")
        items = call.body
        if not isinstance(items, list):
            raise Invalid("The body must be a JSON list of records.", details={"expected": "array"})
        if len(items) > many.MOST:
            raise Invalid(f"At most {many.MOST} records at once.", code="BATCH_TOO_LARGE")
        made = records.bulk_create(name, items, by=call.actor)
        dropped = sorted({field for one in made for field in one.dropped})
        body = {"object": name, "records": [answers.Raw(one.json) for one in made], "count": len(made)}
        if dropped:
            body["droppedFields"] = dropped_items(name, dropped)
        return answers.send(body, status=201, headers=dropped_headers(dropped))


class UpdateManyDoor(BulkDoor):
    """`POST /data/:object/updateMany`."""

    @describe(
        "Change many records",
        answer=ref("BatchAnswer"),
        body=shape(
            records=array(shape(id=TEXT, data=ref("RecordUpdate")), maxItems=many.MOST),
            options=FLAGS,
            required=["records"],
        ),
        tag="data",
    )
    def post(self, call: Call, name: str) -> HttpResponse:
        served_object(call, name, "bulk")
        obj = served_object(call, name, "update")
        body = call.mapping()
        keys_only(body, "records", "options")
        options = many.Options.read(body.get("options"), returns=True)
        return answers.send(many.run(obj, "update", body.get("records"), options, by=call.actor))


class DeleteManyDoor(BulkDoor):
    """`POST /data/:object/deleteMany`."""

    @describe(
        "Delete many records",
        answer=ref("BatchAnswer"),
        body=shape(ids=array(TEXT, maxItems=many.MOST), options=FLAGS, required=["ids"]),
        tag="data",
    )
    def post(self, call: Call, name: str) -> HttpResponse:
        served_object(call, name, "bulk")
        obj = served_object(call, name, "delete")
        body = call.mapping()
        keys_only(body, "ids", "options")
        ids = body.get("ids")
        if not isinstance(ids, list):
            raise Invalid("ids must be a list.")
        items = [{"id": item} for item in ids]
        return answers.send(many.run(obj, "delete", items, many.Options.read(body.get("options")), by=call.actor))


class BatchDoor(BulkDoor):
    """`POST /data/:object/batch`."""

    @describe(
        "One operation on many records of an object",
        answer=ref("BatchAnswer"),
        body=shape(
            operation=OPERATION,
            records=array(
                shape(id=TEXT, data=OBJECT, externalId=TEXT, required=[]), maxItems=many.MOST
            ),
            options=FLAGS,
            required=["operation", "records"],
        ),
        tag="data",
    )
    def post(self, call: Call, name: str) -> HttpResponse:
        obj = served_object(call, name, "bulk")
        body = call.mapping()
        keys_only(body, "operation", "records", "options")
        operation = body.get("operation")
        for verb in {"upsert": ("create", "update")}.get(operation, (operation,)):
            if verb in many.OPERATIONS:
                served_object(call, name, verb)
        options = many.Options.read(body.get("options"))
        return answers.send(many.run(obj, operation, body.get("records"), options, by=call.actor))


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
