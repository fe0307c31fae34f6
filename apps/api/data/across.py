"""Operations on several objects in one transaction; later ones may name what earlier ones made."""

from typing import Any

from apps.api.answers import Raw
from apps.api.call import Call
from apps.api.data.access import served_object
from apps.core.errors import Invalid, Problem
from apps.objects import records

MOST = 1000
ACTIONS = ("create", "update", "delete")
KEYS = frozenset({"object", "action", "id", "data"})
REF = "$ref"


def run(call: Call, operations: Any, *, atomic: Any = True) -> tuple[list[Any], list[dict[str, Any]]]:
    """Carry out the operations in order; return the records they left and the fields they dropped.

    `{"$ref": i}` as a value (or as `id`) stands for the id of operation i's record, which must come before.
    A failing operation's own refusal is raised, with its `index`; nothing is written then.
    """
    if atomic is not True:
        raise Invalid("A batch across objects is always atomic.", code="BATCH_NOT_ATOMIC")
    if not isinstance(operations, list):
        raise Invalid("operations must be a list.")
    if len(operations) > MOST:
        raise Invalid(f"A batch holds at most {MOST} operations.", code="BATCH_TOO_LARGE")
    ids: list[str] = []
    results: list[Any] = []
    dropped: list[dict[str, Any]] = []
    for index, operation in enumerate(operations):
        try:
            made = _one(call, operation, ids)
        except Problem as problem:
            problem.details = {**problem.details, "index": index}
            raise
        ids.append(made[0])
        results.append(made[1])
        dropped += [item | {"index": index} for item in made[2]]
    return results, dropped


def _one(call: Call, operation: Any, ids: list[str]) -> tuple[str, Any, list[dict[str, Any]]]:
    name, action, data = _read(operation)
    record_id = _resolved(operation.get("id"), ids)
    obj = served_object(call, name, action)
    values = {key: _resolved(value, ids) for key, value in data.items()}
    if action == "create":
        made = records.create(obj.name, values, by=call.actor)
    elif not isinstance(record_id, str) or not record_id:
        raise Invalid(f"id is needed to {action}.")
    elif action == "delete":
        records.delete(obj.name, record_id, by=call.actor)
        return record_id, {"id": record_id, "success": True}, []
    else:
        made = records.update(obj.name, record_id, values, by=call.actor)
    return made.id, Raw(made.text), made.dropped_fields()


def _read(operation: Any) -> tuple[str, str, dict[str, Any]]:
    if not isinstance(operation, dict) or set(operation) - KEYS:
        raise Invalid("An operation is `{object, action, id?, data?}`.")
    name, action, data = operation.get("object"), operation.get("action", "create"), operation.get("data", {})
    if not isinstance(name, str) or not isinstance(data, dict):
        raise Invalid("object is a text and data an object.")
    if action not in ACTIONS:
        raise Invalid(f"action is one of {', '.join(ACTIONS)}.")
    return name, action, data


def _resolved(value: Any, ids: list[str]) -> Any:
    if isinstance(value, list):
        return [_resolved(item, ids) for item in value]
    if not isinstance(value, dict) or set(value) != {REF}:
        return value
    index = value[REF]
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(ids):
        raise Invalid(
            f"$ref must be the index of an earlier operation, not {index!r}.", code="BATCH_UNRESOLVED_REF"
        )
    return ids[index]
