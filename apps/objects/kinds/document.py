"""The json type: any JSON value, kept as `jsonb`."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext as _
from psycopg.types.json import Jsonb

from apps.objects.definitions import FieldDef
from apps.objects.kinds.kind import KINDS, PRESENCE, Kind
from apps.objects.kinds.problem import AcceptContext, FieldProblem
from apps.objects.kinds.text import clean_text

SIZE_LIMIT = 262_144
DEPTH_LIMIT = 32
FRACTION = re.compile(r"-?\d+\.\d+")


def judge(value: Any, depth: int = 0) -> Any:
    """Return `value` when PostgreSQL can store it as JSON, else raise `FieldProblem`."""
    if depth > DEPTH_LIMIT:
        raise FieldProblem("invalid_json", _("The value is nested too deeply."), constraint=DEPTH_LIMIT)
    if value is None or isinstance(value, bool | int | Decimal):
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, dict):
        return {clean_text(key): judge(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [judge(item, depth + 1) for item in value]
    raise FieldProblem("invalid_json", _("Enter a JSON value."))


def exact(value: Any) -> Any:
    """Return `value` with Decimals in place of floats, as the ledger wants it."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    return [exact(item) for item in value] if isinstance(value, list) else value


def number(value: Any) -> Any:
    """Return the JSON number of a Decimal, for `json.dumps(default=…)`."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(type(value).__name__)


def write(value: Any) -> str:
    """Return the JSON text that is stored."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=number, separators=(",", ":"))


def inexact(value: Any) -> bool:
    """Say whether a JSON value may have held fractions: the ledger keeps those as texts."""
    if isinstance(value, dict):
        return any(map(inexact, value.values()))
    if isinstance(value, list):
        return any(map(inexact, value))
    return isinstance(value, str) and FRACTION.fullmatch(value) is not None


class JsonKind(Kind):
    """Any JSON value up to 256 kB and 32 levels; it can be tested for presence, not compared."""

    name = "json"
    operators = PRESENCE
    sortable = False
    uniqueable = False
    example: ClassVar[Any] = {"any": ["value", 1]}
    widget = "json"
    cell = "json"
    sql_type = "jsonb"

    def model_field(self, object_name: str, field: FieldDef) -> models.Field[Any, Any]:
        return models.JSONField(null=not field.required)

    def schema(self, field: FieldDef, *, writing: bool) -> dict[str, Any]:
        return {}

    def is_empty(self, raw: Any) -> bool:
        return raw is None

    def parse(self, field: FieldDef, raw: Any, context: AcceptContext) -> Any:
        value = judge(raw)
        if len(write(value).encode()) > SIZE_LIMIT:
            raise FieldProblem("max_length", _("The value is larger than 256 kB."), constraint=SIZE_LIMIT)
        return value

    def bind(self, field: FieldDef, value: Any) -> Any:
        return None if value is None else Jsonb(value, dumps=write)

    def python_json(self, field: FieldDef, value: Any) -> Any:
        return exact(value)

    def remembered(self, field: FieldDef, value: Any) -> bool:
        return not inexact(value)

    def from_text(self, field: FieldDef, text: str) -> Any:
        if not text.strip():
            return None
        try:
            return json.loads(text)
        except ValueError as error:
            raise FieldProblem("invalid_json", _("Enter valid JSON.")) from error

    def to_text(self, field: FieldDef, value: Any) -> str:
        return "" if value is None else write(value)


KINDS.register(JsonKind.name, JsonKind())
