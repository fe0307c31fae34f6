"""The input types of the schema: filters, orders, and what a record is made of.

graphene turns attributes of Python classes into fields; every attribute gets a prefix here, because a field may
have any name, `class` and `keys` too. `plain` takes it off again.
"""

from collections.abc import Iterable
from enum import Enum
from typing import Any

import graphene
from graphene.types.inputobjecttype import InputObjectTypeContainer

from apps.api.graphql.naming import type_name
from apps.api.graphql.scalars import compared_as, shown_as
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds import kind_of
from apps.objects.kinds.kind import PRESENCE
from apps.objects.query.grouping import BUCKETS, FUNCTIONS
from apps.permissions.access import Access

PREFIX = "f_"
MANY = frozenset({"$in", "$nin", "$between"})
WORDS = {"_and": "$and", "_or": "$or", "_not": "$not"}
UNSPOKEN = frozenset({"true", "false", "null", "mro"})  # names of fields that no enum can hold
Granularity = graphene.Enum("Granularity", [(word, word) for word in BUCKETS])
Aggregate = graphene.Enum("Aggregate", [(word, word) for word in FUNCTIONS])
Direction = graphene.Enum("Direction", [("ASC", "asc"), ("DESC", "desc")])


def attributes(fields: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return fields as the attributes of a graphene class."""
    return {PREFIX + name: field for name, field in fields}


def plain(value: Any) -> Any:
    """Return a coerced argument as plain values: prefixes off, enum members as their values."""
    if isinstance(value, InputObjectTypeContainer):
        return {key[len(PREFIX) :]: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def where(value: Any) -> Any:
    """Return a filter of the schema in the object form of the protocol."""
    if not isinstance(value, dict):
        return value
    made: dict[str, Any] = {}
    for name, item in value.items():
        if name in ("_and", "_or"):
            made[WORDS[name]] = [where(part) for part in item or ()]
        elif name == "_not":
            made["$not"] = where(item)
        elif item is None:
            made[name] = None
        else:
            made[name] = {f"${operator}": operand for operator, operand in item.items()}
    return made


def having(value: Any) -> Any:
    """Return a filter over figures, `{total: {gte: 100}}`, in the object form of the protocol.

    It is JSON, for its names are the caller's own; as a variable its operators may be written with their `$` too.
    """
    if not isinstance(value, dict):
        return value
    made: dict[str, Any] = {}
    for name, item in value.items():
        if name in ("_and", "_or") and isinstance(item, list):
            made[WORDS[name]] = [having(part) for part in item]
        elif name == "_not":
            made["$not"] = having(item)
        elif isinstance(item, dict):
            made[name] = {f"${operator.removeprefix('$')}": operand for operator, operand in item.items()}
        else:
            made[name] = item
    return made


def groups(given: Any) -> list[dict[str, Any]]:
    """Return the keys of groups as the protocol writes them."""
    names = {"field": "field", "granularity": "dateGranularity", "as": "alias"}
    return [{names[key]: value for key, value in item.items() if value is not None} for item in given or ()]


def measures(given: Any) -> list[dict[str, Any]]:
    """Return the aggregates as the protocol writes them."""
    names = {"function": "function", "field": "field", "as": "alias"}
    made = []
    for item in given or ():
        plainly = {names[key]: value for key, value in item.items() if key in names and value is not None}
        made.append(plainly | ({"filter": where(item["where"])} if item.get("where") is not None else {}))
    return made


class Inputs:
    """Makes the input types of one schema; those of a kind are shared by all its fields."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._tests: dict[str, Any] = {}

    def comparable(self, obj: ObjectDef) -> list[FieldDef]:
        """Return the fields that the reader may filter and order by, in their order."""
        clear = self._access.clear(obj)
        return [field for name, field in obj.all_fields.items() if name in clear and name != "deleted_at"]

    def where(self, obj: ObjectDef) -> Any:
        """Return the filter of an object."""
        name = f"{type_name(obj.name)}Where"
        fields = [
            (field.name, graphene.InputField(self._test(field), name=field.name))
            for field in self.comparable(obj)
            if kind_of(field).operators
        ]
        itself: list[Any] = []
        many = graphene.List(graphene.NonNull(lambda: itself[0]))
        fields += [(word, graphene.InputField(many, name=word)) for word in ("_and", "_or")]
        fields.append(("_not", graphene.InputField(lambda: itself[0], name="_not")))
        itself.append(
            _input(name, fields, f"A filter over {obj.plural_label or obj.label}: all of it must hold.")
        )
        return itself[0]

    def _test(self, field: FieldDef) -> Any:
        kind = kind_of(field)
        mode = (
            field.encrypted.capitalize() if field.encrypted else ""
        )  # seldom more than equality can be asked then
        name = f"{type_name(kind.name).rstrip('_')}{mode}Test"
        if name not in self._tests:
            fields = [
                (operator[1:], graphene.InputField(_operand(field, operator), name=operator[1:]))
                for operator in sorted(kind.operators)
            ]
            self._tests[name] = _input(name, fields, f"Comparisons of a field of the kind {kind.name}.")
        return self._tests[name]

    def order(self, obj: ObjectDef) -> Any:
        """Return one key of an order of an object."""
        fields = [
            (field.name, graphene.InputField(Direction, name=field.name))
            for field in self.comparable(obj)
            if kind_of(field).sortable and field.sortable
        ]
        return _input(
            f"{type_name(obj.name)}Order", fields, "One key of an order: one field and its direction."
        )

    def groups(self, obj: ObjectDef, where: Any) -> tuple[Any, Any] | None:
        """Return a key of groups and a measure; None where no field can group."""
        name = type_name(obj.name)
        names = [
            field.name
            for field in self.comparable(obj)
            if kind_of(field).sortable and field.name not in UNSPOKEN
        ]
        if not names:
            return None
        known = graphene.Enum(f"{name}Field", [(found, found) for found in names])
        by = [
            ("field", graphene.InputField(known, name="field", required=True)),
            ("granularity", graphene.InputField(Granularity, name="granularity")),
            ("as", graphene.InputField(graphene.String, name="as", description="Its name in the rows.")),
        ]
        measure = [
            ("function", graphene.InputField(Aggregate, name="function", required=True)),
            ("field", graphene.InputField(known, name="field")),
            ("as", graphene.InputField(graphene.String, name="as", description="Its name in the rows.")),
            ("where", graphene.InputField(where, name="where")),
        ]
        return (
            _input(f"{name}GroupBy", by, "A field whose values make groups; a date may be cut to its month."),
            _input(f"{name}Measure", measure, "A figure of each group; `count` needs no field."),
        )

    def data(self, obj: ObjectDef, *, creating: bool) -> Any | None:
        """Return what a new record is made of, or what of it may change; None when that is nothing."""
        editable = self._access.editable(obj)
        fields = [
            (name, graphene.InputField(_given(field, creating), name=name, description=field.label or None))
            for name, field in obj.all_fields.items()
            if name in editable and not field.readonly and not kind_of(field).generated
        ]
        word = "Create" if creating else "Update"
        told = "The values of a new record." if creating else "The values to change; null empties a field."
        return _input(f"{type_name(obj.name)}{word}", fields, told) if fields else None


def _operand(field: FieldDef, operator: str) -> Any:
    if operator in PRESENCE:
        return graphene.Boolean
    single = compared_as(field)
    return graphene.List(graphene.NonNull(single)) if operator in MANY else single


def _given(field: FieldDef, creating: bool) -> Any:
    needed = creating and field.required and field.default_value is None
    if needed and not any(option.default for option in field.options):
        return graphene.NonNull(shown_as(field))
    return shown_as(field)


def _input(name: str, fields: Iterable[tuple[str, Any]], description: str) -> Any:
    meta = type("Meta", (), {"name": name, "description": description})
    return type(name, (graphene.InputObjectType,), {**attributes(fields), "Meta": meta})


GroupOrder = _input(
    "GroupOrder",
    [
        ("key", graphene.InputField(graphene.String, name="key", required=True)),
        ("direction", graphene.InputField(Direction, name="direction")),
    ],
    "One key of an order of groups: a name in the rows.",
)
