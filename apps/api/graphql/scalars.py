"""The scalars of the schema, and which one shows which field. Values are judged by the field's kind, not here."""

from decimal import Decimal
from typing import Any

import graphene
from graphql import GraphQLError
from graphql.language import (
    BooleanValueNode,
    FloatValueNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    StringValueNode,
    ValueNode,
    VariableNode,
)

from apps.objects.definitions import FieldDef
from apps.objects.kinds import kind_of
from apps.objects.kinds.sealed import SealedKind

MOST_DIGITS = 400


class _Text(graphene.Scalar):
    """A scalar that is text on the wire."""

    class Meta:
        abstract = True

    @staticmethod
    def serialize(value: Any) -> Any:
        return value

    @staticmethod
    def parse_value(value: Any) -> str:
        if not isinstance(value, str):
            raise GraphQLError("Expected text.")
        return value

    @classmethod
    def parse_literal(cls, node: ValueNode, _variables: Any = None) -> str:
        if not isinstance(node, StringValueNode):
            raise GraphQLError("Expected text.")
        return node.value


class Date(_Text):
    """A day: 2026-01-31. In filters also a token such as {today}."""


class DateTime(_Text):
    """An instant with its zone; answers are in UTC: 2026-01-31T09:30:00.000Z. In filters also a day or a token."""


class Time(_Text):
    """A time of day: 09:30:00."""


class Number(graphene.Scalar):
    """An exact decimal number, as a JSON number; more digits than a double holds are kept."""

    @staticmethod
    def serialize(value: Any) -> Any:
        return value

    @staticmethod
    def parse_value(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
            raise GraphQLError("Expected a number.")
        return value

    @staticmethod
    def parse_literal(node: ValueNode, _variables: Any = None) -> Any:
        if isinstance(node, IntValueNode | FloatValueNode) and len(node.value) <= MOST_DIGITS:
            return Decimal(node.value)
        if isinstance(node, StringValueNode):
            return node.value
        raise GraphQLError("Expected a number.")


class Json(graphene.Scalar):
    """Any JSON value."""

    class Meta:
        name = "JSON"

    @staticmethod
    def serialize(value: Any) -> Any:
        return value

    @staticmethod
    def parse_value(value: Any) -> Any:
        return value

    @staticmethod
    def parse_literal(node: ValueNode, variables: Any = None) -> Any:
        return _plain(node, variables or {})


def _plain(node: ValueNode, variables: dict[str, Any]) -> Any:
    match node:
        case ObjectValueNode():
            return {item.name.value: _plain(item.value, variables) for item in node.fields}
        case ListValueNode():
            return [_plain(item, variables) for item in node.values]
        case NullValueNode():
            return None
        case VariableNode():
            return variables.get(node.name.value)
        case IntValueNode() | FloatValueNode():
            return Number.parse_literal(node)
        case BooleanValueNode() | StringValueNode():
            return node.value
    raise GraphQLError("Expected a JSON value.")


_BY_COLUMN: dict[str, Any] = {
    "text": graphene.String,
    "numeric": Number,
    "integer": graphene.Int,
    "boolean": graphene.Boolean,
    "date": Date,
    "timestamptz": DateTime,
    "time": Time,
    "uuid": graphene.ID,
    "text[]": graphene.List(graphene.NonNull(graphene.String)),
    "uuid[]": graphene.List(graphene.NonNull(graphene.ID)),
}


_ELEMENTS: dict[str, Any] = {"text[]": graphene.String, "uuid[]": graphene.ID}


def shown_as(field: FieldDef) -> Any:
    """Return the graphene type of a field's value; a kind of a column nobody named here is JSON."""
    return _BY_COLUMN.get(_column(field), Json)


def compared_as(field: FieldDef) -> Any:
    """Return the graphene type of a single value that a field is compared with."""
    return _ELEMENTS.get(_column(field)) or _BY_COLUMN.get(_column(field), Json)


def _column(field: FieldDef) -> str:
    """Return the SQL type of the field's values; an encrypted one's is that of what is within."""
    kind = kind_of(field)
    return (kind.inner if isinstance(kind, SealedKind) else kind).sql_type
