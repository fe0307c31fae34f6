"""Many records of one object in one request: each counted, each with its own outcome."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from apps.api.answers import Raw
from apps.core.actor import Actor
from apps.core.errors import Conflict, Invalid, NotFound, Problem
from apps.objects import query, records
from apps.objects.definitions import ObjectDef

MOST = 200
OPERATIONS = ("create", "update", "upsert", "delete")
ITEM_KEYS = frozenset({"id", "data", "externalId"})


@dataclass(frozen=True)
class Options:
    """How a batch goes on: `atomic` all or nothing, `goes_on` after a failure, `returns` the records."""

    atomic: bool = False
    goes_on: bool = False
    returns: bool = False

    @staticmethod
    def read(raw: Any, *, returns: bool = False) -> "Options":
        """Return the options of a body; unknown ones are refused."""
        if raw is None:
            return Options(returns=returns)
        names = {"atomic", "continueOnError", "returnRecords"}
        if not isinstance(raw, dict) or set(raw) - names or not all(isinstance(v, bool) for v in raw.values()):
            raise Invalid("options are atomic, continueOnError and returnRecords, each true or false.")
        return Options(
            atomic=raw.get("atomic", False),
            goes_on=raw.get("continueOnError", False),
            returns=raw.get("returnRecords", returns),
        )


@dataclass
class Outcome:
    """What became of one item."""

    index: int
    success: bool
    id: str | None = None
    record: str | None = None
    dropped: Sequence[str] = ()
    errors: list[dict[str, Any]] = field(default_factory=list)

    def wire(self, *, returns: bool) -> dict[str, Any]:
        """Return the outcome as the protocol writes it."""
        item: dict[str, Any] = {"id": self.id} if self.id else {}
        item |= {"success": self.success, "index": self.index}
        if self.errors:
            item["errors"] = self.errors
        if returns and self.record is not None:
            item["data"] = Raw(self.record)
        return item


class _Undo(Exception):  # noqa: N818
    """Ends the savepoint of an atomic batch."""


Step = Callable[[ObjectDef, dict[str, Any], Actor], Outcome]


def run(obj: ObjectDef, operation: str, items: Sequence[Any], options: Options, *, by: Actor) -> dict[str, Any]:
    """Carry out `operation` on every item and return a BatchUpdateResponse.

    Each item is `{id?, data?, externalId?}`. Not atomic: every item in its own savepoint; after a failure the
    rest is NOT_ATTEMPTED unless `goes_on`. Atomic: one failure undoes all, the others are ROLLED_BACK.
    """
    _check(operation, items)
    outcomes: list[Outcome] = []
    try:
        with transaction.atomic():
            for index, item in enumerate(items):
                outcomes.append(_attempt(obj, operation, index, item, by))
                if not outcomes[-1].success and options.atomic:
                    raise _Undo
                if not outcomes[-1].success and not options.goes_on:
                    break
    except _Undo:
        outcomes = _rolled_back(outcomes, len(items))
    outcomes += [_unattempted(index) for index in range(len(outcomes), len(items))]
    succeeded = sum(outcome.success for outcome in outcomes)
    return {
        "success": succeeded == len(outcomes),
        "operation": operation,
        "total": len(outcomes),
        "succeeded": succeeded,
        "failed": len(outcomes) - succeeded,
        "results": [outcome.wire(returns=options.returns) for outcome in outcomes],
    }


def _check(operation: str, items: Any) -> None:
    if operation not in OPERATIONS:
        raise Invalid(f"operation is one of {', '.join(OPERATIONS)}.")
    if not isinstance(items, list):
        raise Invalid("records must be a list.")
    if len(items) > MOST:
        raise Invalid(f"A batch holds at most {MOST} records, not {len(items)}.", code="BATCH_TOO_LARGE")


def _attempt(obj: ObjectDef, operation: str, index: int, item: Any, by: Actor) -> Outcome:
    try:
        with transaction.atomic():
            outcome = STEPS[operation](obj, _item(item, operation), by)
    except Problem as problem:
        known = item.get("id") if isinstance(item, dict) else None
        found = known if isinstance(known, str) else None
        return Outcome(index, success=False, id=found, errors=[problem_item(problem)])
    outcome.index = index
    return outcome


def _item(item: Any, operation: str) -> dict[str, Any]:
    if not isinstance(item, dict) or set(item) - ITEM_KEYS:
        raise Invalid("An item is `{id?, data?, externalId?}`.")
    if not isinstance(item.get("id", ""), str) or not isinstance(item.get("data", {}), dict):
        raise Invalid("id is a text and data an object.")
    if operation in ("update", "delete") and not item.get("id"):
        raise Invalid(f"id is needed to {operation}.")
    return item


def problem_item(problem: Problem) -> dict[str, Any]:
    """Return a refusal as one entry of `errors`."""
    entry: dict[str, Any] = {"code": problem.code, "message": problem.message, "httpStatus": problem.status}
    return entry | ({"fields": [fault.as_dict() for fault in problem.fields]} if problem.fields else {})


def _rolled_back(outcomes: list[Outcome], total: int) -> list[Outcome]:
    failed = len(outcomes) - 1
    reason = f"record {failed} failed: {outcomes[failed].errors[0]['message']}"
    undone = [
        Outcome(index, success=False, errors=[{"code": "ROLLED_BACK", "message": reason}]) for index in range(total)
    ]
    undone[failed] = outcomes[failed]
    return undone


def _unattempted(index: int) -> Outcome:
    message = "Not attempted after the failure before it."
    return Outcome(index, success=False, errors=[{"code": "NOT_ATTEMPTED", "message": message}])


def _made(written: records.Written) -> Outcome:
    return Outcome(0, success=True, id=written.id, record=written.json, dropped=written.dropped)


def _create(obj: ObjectDef, item: dict[str, Any], by: Actor) -> Outcome:
    return _made(records.create(obj.name, item.get("data", {}), by=by))


def _update(obj: ObjectDef, item: dict[str, Any], by: Actor) -> Outcome:
    return _made(records.update(obj.name, item["id"], item.get("data", {}), by=by))


def _delete(obj: ObjectDef, item: dict[str, Any], by: Actor) -> Outcome:
    records.delete(obj.name, item["id"], by=by)
    return Outcome(0, success=True, id=item["id"])


def _upsert(obj: ObjectDef, item: dict[str, Any], by: Actor) -> Outcome:
    data = dict(item.get("data", {}))
    if item.get("externalId") is not None:
        key = _external_field(obj)
        data[key] = item["externalId"]
        found = query.find(obj.name, {"where": {key: item["externalId"]}, "fields": ["id"], "limit": 2}, by=by)
        ids = [record["id"] for record in found.records()]
        if len(ids) > 1:
            raise Conflict(f"{key} matches more than one {obj.name} record.", code="AMBIGUOUS_MATCH")
        return _update(obj, {"id": ids[0], "data": data}, by) if ids else _create(obj, {"data": data}, by)
    if item.get("id"):
        try:
            with transaction.atomic():
                return _update(obj, {"id": item["id"], "data": data}, by)
        except NotFound:
            pass
    return _create(obj, {"data": data}, by)


def _external_field(obj: ObjectDef) -> str:
    found = [name for name, declared in obj.fields.items() if declared.external_id]
    if len(found) != 1:
        raise Invalid(f"{obj.name} has {len(found) or 'no'} external id fields; externalId needs exactly one.")
    return found[0]


STEPS: dict[str, Step] = {"create": _create, "update": _update, "upsert": _upsert, "delete": _delete}
