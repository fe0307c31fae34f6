"""What people write, judged: unknown fields, rights, readonly fields, then every value, all faults at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.core.errors import FieldError, Invalid
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds import FieldProblem, kind_of
from apps.objects.query.refusals import unknown_field
from apps.objects.records.call import Call


@dataclass
class Accepted:
    """Values ready for the columns, and the names of fields that were dropped because nobody may write them."""

    values: dict[str, Any] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)


def accept(call: Call, data: Any, *, creating: bool) -> Accepted:
    """Return what of `data` is to be stored; with `creating` also defaults and the check for required fields.

    Raises INVALID_FIELD for an unknown field, PERMISSION_DENIED for one the actor may not write, and
    VALIDATION_FAILED with every field that is wrong.
    """
    if not isinstance(data, Mapping):
        fault = FieldError("data", "invalid_type", "A record is a JSON object.")
        raise Invalid(
            "Invalid request: a record is a JSON object.", [fault], details={"object": call.obj.name}
        )
    made = Accepted()
    wanted = _wanted(call, data, made)
    faults: list[FieldError] = []
    for name, raw in wanted.items():
        found = call.obj.all_fields[name]
        if kind_of(found).is_echo(raw):
            made.dropped.append(name)
            continue
        _judge(call, found, raw, made, faults)
    if creating:
        for found in call.obj.fields.values():
            if found.name not in wanted:
                _default(call, found, made, faults)
    if faults:
        raise invalid(call.obj, faults)
    return made


def invalid(obj: ObjectDef, faults: list[FieldError]) -> Invalid:
    """Return the refusal of a record with these faults."""
    words = [f"{fault.label}: {fault.message}" if fault.label else fault.message for fault in faults]
    return Invalid("; ".join(words), faults, details={"object": obj.name})


def writable(obj: ObjectDef, found: FieldDef) -> bool:
    """Say whether people write this field at all: the platform's own and readonly ones they do not."""
    if found.name == "owner_id":
        return obj.owner_field is not None
    return not (found.system or found.readonly or kind_of(found).generated)


def _wanted(call: Call, data: Mapping[str, Any], made: Accepted) -> dict[str, Any]:
    obj, editable = call.obj, call.access.editable(call.obj)
    readable = call.access.readable(obj)
    wanted, refused = {}, []
    for name, raw in data.items():
        found = obj.all_fields.get(name) if isinstance(name, str) else None
        if found is None:
            raise unknown_field(obj.name, name)
        if found.name in readable and not writable(obj, found):
            made.dropped.append(name)
        elif name not in editable:
            refused.append(name)
        else:
            wanted[name] = raw
    if refused:
        call.deny("edit", f"Field write denied: not permitted to edit {', '.join(refused)} on {obj.name!r}.")
    return wanted


def _judge(call: Call, found: FieldDef, raw: Any, made: Accepted, faults: list[FieldError]) -> None:
    try:
        made.values[found.name] = kind_of(found).accept(found, raw, context=call.context)
    except FieldProblem as problem:
        faults.append(problem.as_error(found, raw))


def _default(call: Call, found: FieldDef, made: Accepted, faults: list[FieldError]) -> None:
    kind = kind_of(found)
    if kind.generated or found.default_expression is not None:  # computed once the rest is known
        return
    try:
        value = kind.default(found, context=call.context)
        if value is None and found.required:
            kind.accept(found, None, context=call.context)
        made.values[found.name] = value
    except FieldProblem as problem:
        faults.append(problem.as_error(found))
