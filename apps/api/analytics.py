"""Questions about many records at once: every object is a cube, asked through the same query and rights as a list.

A measure is `count`, or `<function>_<field>` (`sum_amount`, `avg_amount`, `count_distinct_owner_id`); a dimension is
a field. Either may carry the cube's name in front: `crm_opportunity.sum_amount`.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpResponse

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import OBJECT, TEXT, Parameter, array, describe, shape
from apps.api.data.access import current_catalog, served_object
from apps.api.door import Door
from apps.api.meta.doors import locale_of
from apps.api.ranges import range_filter
from apps.core.errors import Invalid, NotFound
from apps.objects import query
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds import kind_of
from apps.objects.query.grouping import BUCKETS, FUNCTIONS, NUMERIC
from apps.permissions.access import Access, access_for

KEYS = ("cube", "measures", "dimensions", "where", "timeDimensions", "order", "limit", "offset", "timezone")
BY_LENGTH = sorted(FUNCTIONS, key=len, reverse=True)
TIME = {"type": "object", "required": ["dimension"], "additionalProperties": True}
NAMES = array(TEXT, maxItems=20)
BODY = shape(
    cube=TEXT, measures=NAMES, dimensions=NAMES, where=OBJECT, timeDimensions=array(TIME),
    order={"type": "object", "additionalProperties": {"enum": ["asc", "desc"]}},
    limit={"type": "integer", "minimum": 1, "maximum": 1000}, offset={"type": "integer", "minimum": 0},
    timezone=TEXT, required=["cube", "measures"],
)  # fmt: skip
RESULT = shape(rows=array(OBJECT), fields=array(OBJECT), sql=TEXT, required=["rows", "fields"])


@dataclass
class Question:
    """A query under way: the QueryAST, and under which name each of its aliases is answered."""

    obj: ObjectDef
    zone: dt.tzinfo
    source: dict[str, Any]
    names: dict[str, str] = field(default_factory=dict)
    fields: list[dict[str, Any]] = field(default_factory=list)

    def measure(self, member: str, function: str, name: str | None) -> None:
        """Ask for an aggregate."""
        alias = f"m{len(self.names)}"
        self.names[alias] = member
        self.source["aggregations"].append(
            {"function": function, "alias": alias} | ({"field": name} if name else {})
        )
        self.fields.append({"name": member, "type": "number"})

    def dimension(self, member: str, name: str, bucket: str | None = None) -> None:
        """Ask for groups by a field."""
        alias = f"d{len(self.names)}"
        self.names[alias] = member
        group = {"field": name, "alias": alias} | ({"dateGranularity": bucket} if bucket else {})
        self.source["groupBy"].append(group)
        self.fields.append(
            {"name": member, "type": "string" if bucket else _type(self.obj.all_fields.get(name))}
        )

    def alias_of(self, member: str) -> str:
        """Return the alias of a member that was asked for."""
        for alias, name in self.names.items():
            if member in (name, name.partition(".")[2]) or name == member.partition(".")[2]:
                return alias
        raise Invalid(f"{member[:80]!r} is not among the measures and dimensions.", code="INVALID_SORT")


class AnalyticsDoor(Door):
    """A door whose POSTs only read."""

    reading_posts: ClassVar[bool] = True


class QueryDoor(AnalyticsDoor):
    """`POST /analytics/query`."""

    @describe(
        "Measures by dimensions",
        answer=shape(success={"const": True}, data=RESULT),
        body=BODY,
        tag="analytics",
    )
    def post(self, call: Call) -> HttpResponse:
        asked = read(call, call.mapping())
        return answers.success({"rows": rows(call, asked), "fields": asked.fields} | _sql(call, asked))


class StatementDoor(AnalyticsDoor):
    """`POST /analytics/sql`: the statement, not run; for whoever may change definitions."""

    @describe(
        "The statement that a question becomes",
        answer=shape(success={"const": True}, data=shape(sql=TEXT, params=array({}))),
        body=BODY,
        tag="analytics",
    )
    def post(self, call: Call) -> HttpResponse:
        access_for(call.actor).require_system("manage_metadata")
        asked = read(call, call.mapping())
        text, params = query.statement(asked.obj.name, asked.source, by=call.actor, zone=asked.zone)
        return answers.success({"sql": text, "params": params})


class CubesDoor(Door):
    """`GET /analytics/meta`: what can be asked, of the objects and fields that the caller may read."""

    @describe(
        "The cubes with their measures and dimensions",
        answer=shape(success={"const": True}, data=array(OBJECT)),
        parameters=[Parameter("cube", "Only this one.")],
        tag="analytics",
    )
    def get(self, call: Call) -> HttpResponse:
        access, locale, wanted = access_for(call.actor), locale_of(call), call.params.get("cube")
        cubes = [
            cube(obj, access, locale)
            for obj in current_catalog(call)
            if wanted in (None, obj.name) and "list" in obj.enable.api_methods and access.can("read", obj)
        ]
        return answers.success(cubes)


class DatasetDoor(AnalyticsDoor):
    """`POST /analytics/dataset/query`: a dataset written into the request, and what of it is wanted."""

    @describe(
        "Measures by dimensions of a dataset in the request",
        answer=shape(
            rows=array(OBJECT), fields=array(OBJECT), sql=TEXT, object=TEXT, dimensionFields=OBJECT,
            drillRawRows=array(OBJECT), required=["rows", "fields", "object"],
        ),
        body=shape(dataset=OBJECT, datasetName=TEXT, selection=OBJECT, required=["selection"]),
        tag="analytics",
    )  # fmt: skip
    def post(self, call: Call) -> HttpResponse:
        body = call.mapping()
        if "datasetName" in body:
            raise NotFound("There is no such dataset; write it into the request.", code="RESOURCE_NOT_FOUND")
        asked, dimensions = read_dataset(call, body)
        found = rows(call, asked)
        drill = [{name: row[name] for name in dimensions} for row in found]
        answer = {"rows": found, "fields": asked.fields, "object": asked.obj.name}
        return answers.send(
            answer | {"dimensionFields": dimensions, "drillRawRows": drill} | _sql(call, asked)
        )


def cube(obj: ObjectDef, access: Access, locale: str | None) -> dict[str, Any]:
    """Return one object as a cube."""
    seen = [
        found for name, found in obj.all_fields.items() if name in access.readable(obj) and not found.hidden
    ]
    measures = [{"name": f"{obj.name}.count", "type": "count", "title": "Count"}]
    for found in seen:
        kind, label = kind_of(found), obj.field_label(found.name, locale)
        functions = ["sum", "avg"] if kind.sql_type in NUMERIC else []
        functions += ["min", "max"] if "$gt" in kind.operators else []
        functions += ["count_distinct"] if kind.sortable else []
        measures += [
            {
                "name": f"{obj.name}.{function}_{found.name}",
                "type": function,
                "title": f"{label} ({function})",
            }
            for function in functions
        ]
    dimensions = [
        {
            "name": f"{obj.name}.{found.name}",
            "type": _type(found),
            "title": obj.field_label(found.name, locale),
        }
        for found in seen
        if kind_of(found).sortable
    ]
    title = obj.label_for(locale, plural=True)
    return {"name": obj.name, "title": title, "measures": measures, "dimensions": dimensions}


def read(call: Call, body: Mapping[str, Any]) -> Question:
    """Return the question of a body; raises `Invalid` for what cannot be meant."""
    if unknown := sorted(set(body) - set(KEYS)):
        raise Invalid(f"Unknown key(s): {', '.join(k[:40] for k in unknown)}; allowed: {', '.join(KEYS)}.")
    name = body.get("cube")
    if not isinstance(name, str):
        raise Invalid("cube is the name of an object.")
    obj = served_object(call, name, "list")
    asked = Question(obj, _zone(call, body.get("timezone")), {"aggregations": [], "groupBy": []})
    filters = [_renamed(body["where"], obj)] if body.get("where") else []
    for member in _names(body, "dimensions"):
        asked.dimension(member, _field(member, obj))
    for item in body.get("timeDimensions") or []:
        filters += _time(asked, item)
    for member in _names(body, "measures"):
        asked.measure(member, *_measure(member, obj))
    asked.source |= {"where": {"$and": filters}} if filters else {}
    return _bounded(asked, body)


def read_dataset(call: Call, body: Mapping[str, Any]) -> tuple[Question, dict[str, str]]:
    """Return the question of a dataset's selection, and which field each chosen dimension is."""
    dataset, selection = body.get("dataset"), body.get("selection")
    if (
        not isinstance(dataset, dict)
        or not isinstance(selection, dict)
        or not isinstance(dataset.get("object"), str)
    ):
        raise Invalid("Send dataset {object, dimensions, measures} and selection {measures, dimensions?}.")
    obj = served_object(call, dataset["object"], "list")
    asked = Question(obj, _zone(call, selection.get("timezone")), {"aggregations": [], "groupBy": []})
    known = {
        part: {item.get("name"): item for item in _items(dataset, part)}
        for part in ("dimensions", "measures")
    }
    dimensions: dict[str, str] = {}
    for name in _names(selection, "dimensions"):
        item = _known(known["dimensions"], name)
        dimensions[name] = str(item.get("field", name))
        asked.dimension(name, dimensions[name], item.get("dateGranularity"))
        asked.fields[-1]["label"] = item.get("label", name)
    for name in _names(selection, "measures"):
        item = _known(known["measures"], name)
        asked.measure(name, item.get("aggregate", "count"), item.get("field"))
        asked.fields[-1]["label"] = item.get("label", name)
    where = [part for part in (dataset.get("filter"), selection.get("where")) if part]
    asked.source |= {"where": {"$and": where}} if where else {}
    return _bounded(asked, selection), dimensions


def rows(call: Call, asked: Question) -> list[dict[str, Any]]:
    """Return the answer's rows under the names that were asked for."""
    page = query.find(asked.obj.name, asked.source, by=call.actor, zone=asked.zone)
    return [{asked.names[alias]: value for alias, value in row.items()} for row in page.records()]


def _sql(call: Call, asked: Question) -> dict[str, Any]:
    """Return the statement for whoever may change definitions: it tells of rules and tables."""
    if not access_for(call.actor).has_system("manage_metadata"):
        return {}
    return {"sql": query.statement(asked.obj.name, asked.source, by=call.actor, zone=asked.zone)[0]}


def _bounded(asked: Question, body: Mapping[str, Any]) -> Question:
    if not asked.source["aggregations"]:
        raise Invalid("A question needs at least one measure.")
    order = body.get("order") or {}
    if not isinstance(order, dict):
        raise Invalid("order is an object: member → asc or desc.", code="INVALID_SORT")
    asked.source["orderBy"] = [
        {"field": asked.alias_of(member), "order": way} for member, way in order.items()
    ]
    asked.source["limit"] = body.get("limit", 1000)
    asked.source["offset"] = body.get("offset", 0)
    return asked


def _time(asked: Question, item: Any) -> list[dict[str, Any]]:
    """Read one time dimension: a bucket, a window, or both; return the window's filter."""
    if not isinstance(item, dict) or item.keys() - {"dimension", "granularity", "dateRange"}:
        raise Invalid("A time dimension is {dimension, granularity, dateRange}.")
    member, bucket = item.get("dimension"), item.get("granularity")
    if bucket is not None and bucket not in BUCKETS:
        raise Invalid(f"granularity is one of {', '.join(BUCKETS)}.", code="INVALID_QUERY")
    if not isinstance(member, str):
        raise Invalid("A time dimension names its dimension.")
    name = _field(member, asked.obj)
    if bucket:
        asked.dimension(member, name, bucket)
    return [range_filter(name, item["dateRange"], asked.zone)] if item.get("dateRange") else []


def _measure(member: str, obj: ObjectDef) -> tuple[str, str | None]:
    name = _bare(member, obj)
    if name == "count":
        return "count", None
    for function in BY_LENGTH:
        if name.startswith(f"{function}_"):
            return function, name.removeprefix(f"{function}_")
    cure = "GET /api/v1/analytics/meta names the measures."
    raise Invalid(f"{member[:80]!r} is no measure.", code="INVALID_FIELD", cure=cure)


def _field(member: str, obj: ObjectDef) -> str:
    return _bare(member, obj)


def _bare(member: str, obj: ObjectDef) -> str:
    return member.removeprefix(f"{obj.name}.")


def _renamed(where: Any, obj: ObjectDef) -> Any:
    """Return a filter whose fields carry no cube's name."""
    if isinstance(where, list):
        return [_renamed(part, obj) for part in where]
    if not isinstance(where, dict):
        return where
    return {
        _bare(key, obj): _renamed(value, obj) if key in ("$and", "$or", "$not") else value
        for key, value in where.items()
    }


def _names(body: Mapping[str, Any], key: str) -> Sequence[str]:
    value = body.get(key) or []
    if (
        not isinstance(value, list)
        or not all(isinstance(item, str) for item in value)
        or len(set(value)) < len(value)
    ):
        raise Invalid(f"{key} is a list of different names.")
    return value


def _items(body: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    value = body.get(key) or []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Invalid(f"{key} is a list of objects.")
    return value


def _known(items: Mapping[Any, dict[str, Any]], name: str) -> dict[str, Any]:
    if name not in items:
        raise Invalid(f"The dataset has no {name[:80]!r}.", code="INVALID_FIELD")
    return items[name]


def _zone(call: Call, name: Any) -> dt.tzinfo:
    if name is None:
        return call.zone
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise Invalid(f"{str(name)[:40]!r} is no time zone.", code="INVALID_QUERY") from None


def _type(found: FieldDef | None) -> str:
    if found is None:
        return "string"
    if found.type in ("date", "datetime"):
        return "time"
    sql_type = kind_of(found).sql_type
    return "number" if sql_type in NUMERIC else "boolean" if sql_type == "boolean" else "string"
