"""How risky one operation is, in a word and a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from django.db import models
from django.db.migrations import operations as ops
from django.db.models import NOT_PROVIDED

from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds import kind_of
from apps.objects.kinds.numeric import MOST_DECIMALS, MOST_DIGITS, NumberKind

Risk = Literal["safe", "backfill", "breaking"]
STRICT = frozenset({"color"})  # types whose syntax the table checks
Count = Callable[[str], int]
Objects = Mapping[str, ObjectDef]


def judge(op: Any, old: Objects, new: Objects, count: Count) -> dict[str, Any]:
    """Return the sentence, risk, object, field, loss and rows of a step."""
    judges: list[tuple[type | tuple[type, ...], Any]] = [
        (ops.CreateModel, _create),
        (ops.DeleteModel, _delete),
        (ops.AddField, _add),
        (ops.RemoveField, _remove),
        (ops.AlterField, _alter),
        (ops.AddConstraint, _constrain),
    ]
    for types, function in judges:
        if isinstance(op, types):
            return function(op, old, new, count)
    verb = {
        "RemoveConstraint": "Drop the constraint",
        "RemoveIndex": "Drop the index",
        "AddIndex": "Add the index",
    }
    name = getattr(op, "name", None) or op.index.name
    words = verb.get(type(op).__name__, f"{type(op).__name__}:")
    return {"sentence": f"{words} {name}.", "risk": "safe", "object": getattr(op, "model_name", "")}


def _create(op: Any, old: Objects, new: Objects, count: Count) -> dict[str, Any]:
    definition = new[op.name]
    sentence = f"Create the object {definition.name} with {len(definition.fields)} fields."
    return {"sentence": sentence, "risk": "safe", "object": op.name}


def _delete(op: Any, old: Objects, new: Objects, count: Count) -> dict[str, Any]:
    rows = count(op.name)
    sentence = f"Drop the object {op.name} and its {rows} records."
    return {
        "sentence": sentence,
        "risk": "breaking",
        "object": op.name,
        "destructive": rows > 0,
        "rows": rows,
    }


def _add(op: Any, old: Objects, new: Objects, count: Count) -> dict[str, Any]:
    field = new[op.model_name].all_fields[op.name]
    place = {"object": op.model_name, "field": op.name}
    sentence = f"Add {op.model_name}.{op.name} ({field.type})"
    if op.field.has_db_default():
        return {"sentence": f"{sentence}; existing records get a number each.", "risk": "backfill", **place}
    if op.field.null:
        return {"sentence": f"{sentence}.", "risk": "safe", **place}
    return _required(sentence, op.field.default, place, count)


def _required(sentence: str, default: Any, place: dict[str, Any], count: Count) -> dict[str, Any]:
    rows = count(place["object"])
    if not rows:
        return {"sentence": f"{sentence}, required.", "risk": "safe", **place}
    if default is NOT_PROVIDED:
        words = f"{sentence}, required without a default: impossible while {rows} records have no value."
        return {"sentence": words, "risk": "breaking", "rows": rows, **place}
    words = f"{sentence}, required; records without a value get {default!r}."
    return {"sentence": words, "risk": "backfill", "rows": rows, **place}


def _remove(op: Any, old: Objects, new: Objects, count: Count) -> dict[str, Any]:
    rows = count(op.model_name)
    sentence = f"Drop {op.model_name}.{op.name} and its values in {rows} records."
    place = {"object": op.model_name, "field": op.name}
    return {"sentence": sentence, "risk": "breaking", "destructive": rows > 0, "rows": rows, **place}


def _alter(op: Any, old: Objects, new: Objects, count: Count) -> dict[str, Any]:
    before, after = old[op.model_name].all_fields[op.name], new[op.model_name].all_fields[op.name]
    place = {"object": op.model_name, "field": op.name}
    rows = count(op.model_name)
    what = f"{op.model_name}.{op.name}"
    if (before.encrypted, after.encrypted) != (None, None) and (before.encrypted, before.type) != (
        after.encrypted,
        after.type,
    ):
        return {"sentence": f"{_recoding(before, after)} {what}.", "risk": "backfill", "rows": rows, **place}
    if kind_of(before).sql_type != kind_of(after).sql_type:
        sentence = f"Turn {what} from {before.type} into {after.type}."
        lossless = kind_of(after).sql_type == "text" or kind_of(before).sql_type == "text"
        risk = "backfill" if kind_of(after).sql_type == "text" else "breaking"
        return {
            "sentence": sentence,
            "risk": risk,
            "destructive": bool(rows) and not lossless,
            "rows": rows,
            **place,
        }
    if _narrower(before, after):
        sentence = f"Narrow the digits of {what}; longer numbers are rounded or refused."
        return {"sentence": sentence, "risk": "breaking", "destructive": rows > 0, "rows": rows, **place}
    if after.required and not before.required:
        return _required(f"Make {what} required", op.field.default, place, count)
    words = (
        f"Make {what} optional."
        if before.required and not after.required
        else f"Change the column of {what}."
    )
    return {"sentence": words, "risk": "safe", **place}


def _recoding(before: FieldDef, after: FieldDef) -> str:
    if not after.encrypted:
        return "Open the sealed values of"
    return "Seal the values of" if not before.encrypted else "Seal anew the values of"


def _narrower(before: FieldDef, after: FieldDef) -> bool:
    """Whether numbers that fitted before might not fit now."""
    old_kind, new_kind = kind_of(before), kind_of(after)
    if not (isinstance(old_kind, NumberKind) and isinstance(new_kind, NumberKind)):
        return False
    free = (2 * MOST_DIGITS, MOST_DECIMALS)
    digits, scale = old_kind.digits(before) or free
    new_digits, new_scale = new_kind.digits(after) or free
    return new_scale < scale or new_digits - new_scale < digits - scale


def _constrain(op: Any, old: Objects, new: Objects, count: Count) -> dict[str, Any]:
    constraint = op.constraint
    place = {"object": op.model_name, "field": None}
    before, after = old[op.model_name], new[op.model_name]
    field = _field_of(constraint, after)
    if field is not None:
        place["field"] = field.name
        former = before.fields.get(field.name)
        if former is None or (isinstance(constraint, models.CheckConstraint) and not _tighter(former, field)):
            return {"sentence": f"Check {op.model_name}.{field.name} anew.", "risk": "safe", **place}
    rows = count(op.model_name)
    sentence = f"Add the constraint {constraint.name}"
    if rows:
        sentence += f"; refused if one of the {rows} records breaks it"
    return {"sentence": f"{sentence}.", "risk": "breaking" if rows else "safe", "rows": rows, **place}


def _field_of(constraint: models.BaseConstraint, definition: ObjectDef) -> FieldDef | None:
    part = constraint.name.removeprefix(f"{definition.name}__").rsplit("__", 1)[0]
    return definition.fields.get(part)


def _tighter(before: FieldDef, after: FieldDef) -> bool:
    """Whether a value that was accepted might be refused now."""

    def above(new: Any, old: Any) -> bool:
        return new is not None and (old is None or new > old)

    def under(new: Any, old: Any) -> bool:
        return new is not None and (old is None or new < old)

    if kind_of(before).sql_type != kind_of(after).sql_type:
        return bool(after.options or after.min_length or after.min is not None or after.max is not None)
    if after.dimensions != before.dimensions or (after.type != before.type and after.type in STRICT):
        return True
    bounds = [
        k.bounds(f) if isinstance(k := kind_of(f), NumberKind) else (f.min, f.max) for f in (after, before)
    ]
    lengths = [getattr(kind_of(f), "max_length", lambda _f: None)(f) for f in (after, before)]
    return (
        not set(before.option_values) <= set(after.option_values)
        or bool(after.options) != bool(before.options)
        or above(bounds[0][0], bounds[1][0])
        or under(bounds[0][1], bounds[1][1])
        or above(after.min_length, before.min_length)
        or under(*lengths)
    )
