"""Types that hold fields of their own: composite (one object), repeater (rows), record (objects by key).

With `fields` the shape is closed and every part is judged by its own type; without, any object is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from apps.objects.definitions import FieldDef
from apps.objects.kinds.document import SIZE_LIMIT, JsonKind, judge, write
from apps.objects.kinds.kind import KINDS, kind_of
from apps.objects.kinds.numeric import NumberKind
from apps.objects.kinds.place import plain
from apps.objects.kinds.problem import AcceptContext, FieldProblem
from apps.objects.kinds.text import clean_text

MOST_ROWS = 200
LONGEST_KEY = 80
MOST_DIGITS = 15  # what a JSON number carries through every program that reads it


def accepted(field: FieldDef, raw: Any, context: AcceptContext) -> dict[str, Any]:
    """Return one object of the field's shape as it is stored; parts without a value are left out."""
    if not isinstance(raw, Mapping):
        raise FieldProblem("invalid_shape", _("Enter an object with named values."))
    if not field.parts:
        free: dict[str, Any] = judge(dict(raw))
        return free
    known = {part.name: part for part in field.parts}
    unknown = [str(name)[:40] for name in raw if name not in known]
    if unknown:
        message = _("%(key)s is none of its parts: %(parts)s.")
        raise FieldProblem("invalid_shape", message % {"key": unknown[0], "parts": ", ".join(known)})
    made = {name: _part(part, raw.get(name), context) for name, part in known.items()}
    return {name: value for name, value in made.items() if value is not None}


def _part(part: FieldDef, raw: Any, context: AcceptContext) -> Any:
    kind = kind_of(part)
    try:
        value = kind.accept(part, raw, context=context)
        if value is None and raw is None and part.default_value is not None:
            value = kind.default(part, context=context)
        if isinstance(value, Decimal):
            if len(value.as_tuple().digits) > MOST_DIGITS:
                message = _("Enter at most %(count)d digits.") % {"count": MOST_DIGITS}
                raise FieldProblem("invalid_number", message, constraint=MOST_DIGITS)
            return plain(value)
        return kind.python_json(part, value)
    except FieldProblem as problem:
        label = part.label or part.name
        raise FieldProblem(
            problem.code,
            f"{label}: {problem.message}",
            constraint=problem.constraint,
            options=problem.options,
        ) from problem


def _recalled(field: FieldDef, value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    numbers = {part.name for part in field.parts if isinstance(kind_of(part), NumberKind)}
    return {
        name: plain(Decimal(item)) if name in numbers and isinstance(item, str) else item
        for name, item in value.items()
    }


class CompositeKind(JsonKind):
    """One object: with `fields` of that closed shape, else any."""

    name = "composite"
    keys = frozenset({"fields"})
    example: ClassVar[Any] = {"width": 12.5, "unit": "cm"}
    widget = "composite"
    cell = "composite"

    def schema(self, field: FieldDef, *, writing: bool) -> dict[str, Any]:
        return self.wrapped(shape(field, writing=writing))

    def wrapped(self, inner: dict[str, Any]) -> dict[str, Any]:
        """Return the schema of the whole value around that of one object."""
        return inner

    def is_empty(self, raw: Any) -> bool:
        return raw is None or raw == ""

    def parse(self, field: FieldDef, raw: Any, context: AcceptContext) -> Any:
        value = self.shaped(raw, lambda item: accepted(field, item, context))
        if len(write(value).encode()) > SIZE_LIMIT:
            raise FieldProblem("max_length", _("The value is larger than 256 kB."), constraint=SIZE_LIMIT)
        if not value and field.required:
            raise FieldProblem("required", _("This field is required."))
        return value or None

    def shaped(self, raw: Any, one: Callable[[Any], Any]) -> Any:
        """Return `raw` with `one` applied to every object in it."""
        return one(raw)

    def remembered(self, field: FieldDef, value: Any) -> bool:
        return bool(field.parts) or super().remembered(field, value)

    def recalled(self, field: FieldDef, value: Any) -> Any:
        return _recalled(field, value)


class RepeaterKind(CompositeKind):
    """Rows of one shape, at most 200, in their order; empty rows are left out."""

    name = "repeater"
    example: ClassVar[Any] = ({"step": "Call"}, {"step": "Visit"})
    widget = "repeater"
    cell = "repeater"

    def wrapped(self, inner: dict[str, Any]) -> dict[str, Any]:
        return {"type": "array", "items": inner}

    def shaped(self, raw: Any, one: Callable[[Any], Any]) -> Any:
        if not isinstance(raw, list | tuple):
            raise FieldProblem("invalid_shape", _("Enter a list of rows."))
        if len(raw) > MOST_ROWS:
            message = _("Enter at most %(count)d rows.") % {"count": MOST_ROWS}
            raise FieldProblem("max_items", message, constraint=MOST_ROWS)
        rows = []
        for place, item in enumerate(raw, start=1):
            if not item and isinstance(item, Mapping):
                continue
            try:
                rows.append(one(item))
            except FieldProblem as problem:
                message = _("Row %(row)d: %(message)s") % {"row": place, "message": problem.message}
                raise FieldProblem(problem.code, message, constraint=problem.constraint) from problem
        return rows

    def recalled(self, field: FieldDef, value: Any) -> Any:
        return [_recalled(field, item) for item in value] if isinstance(value, list) else value


class RecordKind(CompositeKind):
    """Objects of one shape by keys that people choose, at most 200."""

    name = "record"
    example: ClassVar[Any] = {"north": {"target": 100}, "south": {"target": 80}}
    widget = "json"
    cell = "record"

    def wrapped(self, inner: dict[str, Any]) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": inner}

    def shaped(self, raw: Any, one: Callable[[Any], Any]) -> Any:
        if not isinstance(raw, Mapping):
            raise FieldProblem("invalid_shape", _("Enter an object with named values."))
        if len(raw) > MOST_ROWS:
            message = _("Enter at most %(count)d rows.") % {"count": MOST_ROWS}
            raise FieldProblem("max_items", message, constraint=MOST_ROWS)
        made = {}
        for key, item in raw.items():
            if not 0 < len(clean_text(key)) <= LONGEST_KEY:
                raise FieldProblem(
                    "invalid_shape", _("A key has 1 to %(limit)d characters.") % {"limit": LONGEST_KEY}
                )
            try:
                made[key] = one(item)
            except FieldProblem as problem:
                raise FieldProblem(
                    problem.code, f"{key}: {problem.message}", constraint=problem.constraint
                ) from problem
        return made

    def recalled(self, field: FieldDef, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {key: _recalled(field, item) for key, item in value.items()}


def shape(field: FieldDef, *, writing: bool) -> dict[str, Any]:
    """Return the JSON Schema of one object of the field."""
    if not field.parts:
        return {"type": "object"}
    parts: dict[str, Any] = {}
    for part in field.parts:
        told = kind_of(part).schema(part, writing=writing) | {"title": part.label}
        parts[part.name] = told if writing and part.required else {"anyOf": [told, {"type": "null"}]}
    needed = [part.name for part in field.parts if part.required and part.default_value is None]
    closed = {"type": "object", "properties": parts, "additionalProperties": False}
    return closed | ({"required": needed} if writing and needed else {})


for _kind in (CompositeKind(), RepeaterKind(), RecordKind()):
    KINDS.register(_kind.name, _kind)
