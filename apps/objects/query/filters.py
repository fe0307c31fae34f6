"""Filters in object form, read against a definition: every field, operator and value is judged here.

`{field: value}` or `{field: {$op: value, …}}`, combined with `$and: […]`, `$or: […]`, `$not: {…}`.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.encryption import opening
from apps.objects.kinds import FieldProblem, kind_of
from apps.objects.query import refusals, tree
from apps.objects.query.macros import Moment, resolve
from apps.objects.query.refusals import invalid_filter

SCALAR: dict[str, tree.Operator] = {
    "$eq": "eq",
    "$ne": "ne",
    "$gt": "gt",
    "$gte": "gte",
    "$lt": "lt",
    "$lte": "lte",
}
TEXT: dict[str, tree.Operator] = {
    "$contains": "contains",
    "$notContains": "not_contains",
    "$startsWith": "starts",
    "$endsWith": "ends",
    "$icontains": "icontains",
    "$like": "like",
    "$ilike": "ilike",
}
BRANCH: dict[str, tree.Operator] = {"$under": "under", "$above": "above"}
OPERATORS = (*SCALAR, "$in", "$nin", "$between", *TEXT, *BRANCH, "$null", "$exists")
DAY = dt.timedelta(days=1)
MOST_DAYS = 36_500


def edges(day: dt.date, zone: dt.tzinfo) -> tuple[dt.datetime, dt.datetime]:
    """Return the instants at which a day begins and ends; the calendar's last day ends with its last instant."""
    start = dt.datetime.combine(day, dt.time(), zone)
    end = dt.datetime.max.replace(tzinfo=dt.UTC) if day == dt.date.max else start + DAY
    return start, end


class FilterReader:
    """Reads filters of one query; collects the comparands and the names of the fields used."""

    def __init__(self, moment: Moment) -> None:
        self.moment = moment
        self.values: list[Any] = []
        self.named: set[str] = set()
        self.tests = 0

    def slot(self, value: Any) -> int:
        """Keep a comparand and return its index."""
        self.values.append(value)
        return len(self.values) - 1

    def read(self, obj: ObjectDef, where: Any, depth: int = 0) -> tree.Node:
        """Return the tree of a filter in object form."""
        if where is None:
            return tree.EVERYTHING
        if depth > refusals.MOST_DEPTH:
            raise invalid_filter(f"A filter may be nested {refusals.MOST_DEPTH} levels deep.")
        if not isinstance(where, Mapping):
            raise invalid_filter("A filter is an object such as {status: 'new'}.")
        parts: list[tree.Node] = []
        for key, value in where.items():
            parts += self._entry(obj, key, value, depth)
        return parts[0] if len(parts) == 1 else tree.Every(tuple(parts))

    def _entry(self, obj: ObjectDef, key: str, value: Any, depth: int) -> list[tree.Node]:
        if key in ("$and", "$or"):
            if not isinstance(value, list | tuple):
                raise invalid_filter(f"{key} takes a list of filters.")
            parts = tuple(self.read(obj, part, depth + 1) for part in value)
            return [tree.Every(parts) if key == "$and" else tree.Some(parts)]
        if key == "$not":
            return [tree.Inverse(self.read(obj, value, depth + 1))]
        if key.startswith("$"):
            raise invalid_filter(f"Unsupported filter operator {key[:40]!r}.")
        field = obj.all_fields.get(key)
        if field is None:
            raise refusals.unknown_field(obj.name, key, "where")
        self.named.add(key)
        if not isinstance(value, Mapping):
            return [self._test(obj, field, "$eq", value)]
        if not value:
            raise invalid_filter(f"The filter on {key!r} is empty.")
        if "$field" in value:
            return [self._test(obj, field, "$eq", value)]
        return [self._test(obj, field, operator, operand) for operator, operand in value.items()]

    def _test(self, obj: ObjectDef, field: FieldDef, operator: str, operand: Any) -> tree.Node:
        node = self._judged(obj, field, operator, operand)
        if field.encrypted and isinstance(node, tree.Test) and node.slot >= 0:
            self.values[node.slot] = opening.blinded(obj, field, self.values[node.slot])
            return replace(node, blind=True)
        return node

    def _judged(self, obj: ObjectDef, field: FieldDef, operator: str, operand: Any) -> tree.Node:
        self.tests += 1
        if self.tests > refusals.MOST_TESTS:
            raise invalid_filter(f"A filter may hold {refusals.MOST_TESTS} comparisons.")
        self._known(field, operator)
        if operator in ("$null", "$exists"):
            if not isinstance(operand, bool):
                raise invalid_filter(f"{operator} on {field.name!r} takes true or false.")
            return tree.Test(field.name, "null" if operand == (operator == "$null") else "not_null")
        if isinstance(operand, Mapping):
            return self._field_test(obj, field, operator, operand)
        if operator in ("$in", "$nin"):
            return self._members(field, operator, operand)
        if operator == "$between":
            if not isinstance(operand, list | tuple) or len(operand) != 2:
                raise invalid_filter(f"$between on {field.name!r} takes [from, to].")
            bounds = [self._scalar(field, "$gte", operand[0]), self._scalar(field, "$lte", operand[1])]
            return tree.Every(tuple(bounds))
        if operator in TEXT:
            return self._text(field, operator, operand)
        return self._scalar(field, operator, operand)

    def _known(self, field: FieldDef, operator: str) -> None:
        if operator not in OPERATORS:
            known = ", ".join(OPERATORS)
            raise invalid_filter(
                f"Unsupported filter operator {operator[:40]!r} on field {field.name!r}. Supported: {known}."
            )
        allowed = kind_of(field).operators
        if operator not in allowed:
            raise invalid_filter(
                f"{operator} does not apply to {field.name!r}, which is of type {field.type}."
            )

    def _scalar(self, field: FieldDef, operator: str, operand: Any) -> tree.Node:
        if operand is None:
            if operator not in ("$eq", "$ne"):
                raise invalid_filter(f"{operator} on {field.name!r} needs a value; null has no order.")
            return tree.Test(field.name, "null" if operator == "$eq" else "not_null")
        value = self.value(field, operand)
        if isinstance(value, dt.date) and not isinstance(value, dt.datetime) and field.type == "datetime":
            return self._day(field, operator, value)
        return tree.Test(field.name, SCALAR.get(operator) or BRANCH[operator], self.slot(value))

    def _day(self, field: FieldDef, operator: str, day: dt.date) -> tree.Node:
        """A date against an instant: an upper bound means to the end of that day, equality the whole day."""
        start, end = edges(day, self.moment.zone)
        if operator in ("$eq", "$ne"):
            inside = (
                tree.Test(field.name, "gte", self.slot(start)),
                tree.Test(field.name, "lt", self.slot(end)),
            )
            return tree.Every(inside) if operator == "$eq" else tree.Inverse(tree.Every(inside))
        if operator == "$lte":
            return tree.Test(field.name, "lt", self.slot(end))
        return tree.Test(field.name, SCALAR[operator], self.slot(start))

    def _members(self, field: FieldDef, operator: str, operand: Any) -> tree.Node:
        if not isinstance(operand, list | tuple):
            raise invalid_filter(f"{operator} on {field.name!r} takes a list.")
        if len(operand) > refusals.MOST_VALUES:
            raise invalid_filter(f"{operator} takes at most {refusals.MOST_VALUES} values.")
        if any(item is None for item in operand):
            raise invalid_filter(f"{operator} on {field.name!r} must not hold null; use $null beside it.")
        values = [self.value(field, item) for item in operand]
        if field.type == "datetime":
            dates = [v for v in values if not isinstance(v, dt.datetime)]
            if dates:
                raise invalid_filter(f"{operator} on {field.name!r} takes instants, not days.")
        return tree.Test(field.name, "in" if operator == "$in" else "nin", self.slot(values))

    def _text(self, field: FieldDef, operator: str, operand: Any) -> tree.Node:
        value = self.value(field, operand)
        if kind_of(field).element == "uuid":
            return tree.Test(
                field.name, "has_id" if operator == "$contains" else "has_not_id", self.slot(value)
            )
        if not isinstance(value, str):
            raise invalid_filter(f"{operator} on {field.name!r} takes text.")
        if operator in ("$like", "$ilike") and (len(value) - len(value.rstrip("\\"))) % 2:
            raise invalid_filter(f"The pattern of {operator} on {field.name!r} ends with a lone backslash.")
        if kind_of(field).is_array:
            return tree.Test(field.name, "has" if operator == "$contains" else "has_not", self.slot(value))
        return tree.Test(field.name, TEXT[operator], self.slot(value))

    def _field_test(
        self, obj: ObjectDef, field: FieldDef, operator: str, operand: Mapping[str, Any]
    ) -> tree.Node:
        other = obj.all_fields.get(str(operand.get("$field")))
        if operator not in SCALAR or not operand.keys() <= {"$field", "addDays"} or "$field" not in operand:
            raise invalid_filter(f"{operator} on {field.name!r} takes a single value, not an object.")
        if other is None:
            raise refusals.unknown_field(obj.name, operand["$field"], "$field")
        compared = not (field.encrypted or other.encrypted) and operator in kind_of(other).operators
        if not compared or kind_of(other).sql_type != kind_of(field).sql_type:
            raise invalid_filter(f"{field.name!r} and {other.name!r} are of types that do not compare.")
        days = operand.get("addDays")
        if days is not None and (
            not isinstance(days, int) or isinstance(days, bool) or abs(days) > MOST_DAYS
        ):
            raise invalid_filter("addDays is a whole number of days.")
        if days is not None and other.type not in ("date", "datetime"):
            raise invalid_filter(f"addDays needs a date; {other.name!r} is of type {other.type}.")
        self.named.add(other.name)
        return tree.FieldTest(field.name, SCALAR[operator], other.name, days)

    def value(self, field: FieldDef, raw: Any) -> Any:
        """Return the comparand as the column's type, tokens in braces resolved."""
        raw = resolve(raw, self.moment)
        if isinstance(raw, str) and len(raw) > refusals.MOST_TEXT:
            raise invalid_filter(f"A value may have {refusals.MOST_TEXT} characters.")
        if raw is None or isinstance(raw, list | tuple | Mapping):
            raise invalid_filter(f"The filter on {field.name!r} needs a single value.")
        try:
            return kind_of(field).filter_value(field, raw)
        except FieldProblem as problem:
            raise invalid_filter(f"{field.name}: {problem.message}", field=field.name) from problem
