"""Groups, aggregates and `having`: read here, compiled in `groups`."""

import re
from collections.abc import Mapping
from typing import Any

from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds import kind_of
from apps.objects.query import tree
from apps.objects.query.filters import FilterReader
from apps.objects.query.refusals import invalid_query, unknown_field

ALIAS = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
BUCKETS = ("day", "week", "month", "quarter", "year")
NUMERIC = ("numeric", "integer")
FUNCTIONS = ("count", "sum", "avg", "min", "max", "count_distinct")
MOST_GROUPS = 5
MOST_MEASURES = 20
COUNTING = ("count", "count_distinct")


def read_groups(reader: FilterReader, obj: ObjectDef, raw: Any) -> tuple[tree.Group, ...]:
    """Return the keys of `groupBy`: names, or {field, dateGranularity, alias}."""
    if raw is None:
        return ()
    items = raw if isinstance(raw, list | tuple) else [raw]
    if len(items) > MOST_GROUPS:
        raise invalid_query(f"At most {MOST_GROUPS} fields group a query.")
    return tuple(_group(reader, obj, item) for item in items)


def _group(reader: FilterReader, obj: ObjectDef, item: Any) -> tree.Group:
    wanted = {"field": item} if isinstance(item, str) else item
    if not isinstance(wanted, Mapping) or not wanted.keys() <= {"field", "dateGranularity", "alias"}:
        raise invalid_query("A group is a field name, or {field, dateGranularity, alias}.")
    field = _field(obj, wanted.get("field"), "groupBy")
    if not kind_of(field).sortable:
        raise invalid_query(f"{field.name!r} cannot group a query.", field=field.name)
    bucket = wanted.get("dateGranularity")
    if bucket is not None and (bucket not in BUCKETS or field.type not in ("date", "datetime")):
        raise invalid_query(f"dateGranularity is one of {', '.join(BUCKETS)}, on a date.", field=field.name)
    reader.named.add(field.name)
    zone = str(reader.moment.zone) if bucket and field.type == "datetime" else "UTC"
    return tree.Group(field.name, _alias(wanted.get("alias") or field.name), bucket, zone)


def read_measures(reader: FilterReader, obj: ObjectDef, raw: Any) -> tuple[tree.Measure, ...]:
    """Return the aggregates: [{function, field?, alias, filter?}]."""
    if raw is None:
        return ()
    if not isinstance(raw, list | tuple) or len(raw) > MOST_MEASURES:
        raise invalid_query(f"`aggregations` is a list of at most {MOST_MEASURES}.")
    return tuple(_measure(reader, obj, item) for item in raw)


def _measure(reader: FilterReader, obj: ObjectDef, item: Any) -> tree.Measure:
    if not isinstance(item, Mapping) or not item.keys() <= {"function", "field", "alias", "filter"}:
        raise invalid_query("An aggregate is {function, field, alias, filter}.")
    function, name = item.get("function"), item.get("field")
    if function not in FUNCTIONS:
        raise invalid_query(f"An aggregate's function is one of {', '.join(FUNCTIONS)}.")
    field = None
    if name not in (None, "*") or function != "count":
        field = _field(obj, name, "aggregations")
        _check_function(function, field)
        reader.named.add(field.name)
    alias = _alias(item.get("alias") or (f"{function}_{field.name}" if field else function))
    return tree.Measure(function, alias, field.name if field else None, reader.read(obj, item.get("filter")))


def _check_function(function: str, field: FieldDef) -> None:
    kind = kind_of(field)
    if function in ("sum", "avg") and kind.sql_type not in NUMERIC:
        raise invalid_query(
            f"{function} needs a number; {field.name!r} is of type {field.type}.", field=field.name
        )
    if function in ("min", "max") and "$gt" not in kind.operators:
        raise invalid_query(
            f"{function} needs an order; {field.name!r} is of type {field.type}.", field=field.name
        )
    if function == "count_distinct" and not kind.sortable:
        raise invalid_query(f"{function} does not apply to {field.name!r}.", field=field.name)


def read_having(
    reader: FilterReader,
    groups: tuple[tree.Group, ...],
    measures: tuple[tree.Measure, ...],
    obj: ObjectDef,
    raw: Any,
) -> tree.Node:
    """Return the filter over the aggregates, by alias."""
    aliases = [group.alias for group in groups] + [measure.alias for measure in measures]
    if len(set(aliases)) != len(aliases):
        raise invalid_query("Groups and aggregates need different aliases.")
    if raw is None:
        return tree.EVERYTHING
    known = {measure.alias: _result(measure, obj) for measure in measures}
    pretended = ObjectDef(obj.name, obj.label, obj.plural_label, known, "id")
    inner = FilterReader(reader.moment)
    inner.values = reader.values
    node = inner.read(pretended, raw)
    if not inner.named <= known.keys():
        raise invalid_query("`having` compares aggregates, by their aliases.")
    return node


def _result(measure: tree.Measure, obj: ObjectDef) -> FieldDef:
    if measure.function in ("min", "max") and measure.field:
        return FieldDef(measure.alias, obj.all_fields[measure.field].type)
    return FieldDef(measure.alias, "number")


def _field(obj: ObjectDef, name: Any, where: str) -> FieldDef:
    field = obj.all_fields.get(name) if isinstance(name, str) else None
    if field is None:
        raise unknown_field(obj.name, name, where)
    return field


def _alias(raw: Any) -> str:
    if not isinstance(raw, str) or not ALIAS.fullmatch(raw):
        raise invalid_query("An alias has letters, digits and underscores.")
    return raw
