"""Types of time and truth: boolean, toggle, date, datetime, time."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from django.db import models
from django.utils.translation import gettext as _
from psycopg import sql

from apps.core.canonical import instant
from apps.objects.definitions import FieldDef
from apps.objects.kinds.kind import EQUALITY, KINDS, ORDER, PRESENCE, Kind
from apps.objects.kinds.problem import AcceptContext, FieldProblem

DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?")
TRUE_WORDS = frozenset({"true", "yes", "y", "1", "on"})
FALSE_WORDS = frozenset({"false", "no", "n", "0", "off"})


def as_date(raw: Any) -> dt.date:
    """Return the date of `YYYY-MM-DD` text or a date value."""
    if isinstance(raw, dt.date) and not isinstance(raw, dt.datetime):
        return raw
    if isinstance(raw, str) and DATE.fullmatch(raw.strip()):
        try:
            return dt.date.fromisoformat(raw.strip())
        except ValueError as error:
            raise FieldProblem("invalid_date", _("There is no such day.")) from error
    code = "invalid_date" if isinstance(raw, str) else "invalid_type"
    raise FieldProblem(code, _("Enter a date as YYYY-MM-DD."))


def as_instant(raw: Any, zone: dt.tzinfo | None) -> dt.datetime:
    """Return the instant, in UTC and cut to milliseconds; without a zone it is taken in `zone`."""
    if isinstance(raw, str):
        try:
            value = dt.datetime.fromisoformat(raw.strip())
        except ValueError as error:
            raise FieldProblem("invalid_date", _("Enter a date and time as 2026-01-31T09:30:00Z.")) from error
    elif isinstance(raw, dt.datetime):
        value = raw
    else:
        raise FieldProblem("invalid_type", _("Enter a date and time as 2026-01-31T09:30:00Z."))
    if value.tzinfo is None:
        if zone is None:
            raise FieldProblem("invalid_date", _("Add the time zone, for example Z or +02:00."))
        value = value.replace(tzinfo=zone)
    try:
        value = value.astimezone(dt.UTC)
    except OverflowError as error:
        raise FieldProblem("invalid_date", _("The date is out of range.")) from error
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


class BooleanKind(Kind):
    """True, false or unknown; a required one may be false."""

    name = "boolean"
    operators = PRESENCE | {"$eq", "$ne"}
    uniqueable = False
    nestable = True
    example = True
    widget = "checkbox"
    cell = "boolean"
    sql_type = "boolean"

    def model_field(self, object_name: str, field: FieldDef) -> models.Field[Any, Any]:
        return models.BooleanField(null=not field.required)

    def schema(self, field: FieldDef, *, writing: bool) -> dict[str, Any]:
        return {"type": "boolean"}

    def parse(self, field: FieldDef, raw: Any, context: AcceptContext) -> bool:
        if not isinstance(raw, bool):
            raise FieldProblem("invalid_boolean", _("Enter true or false."))
        return raw

    def filter_value(self, field: FieldDef, raw: Any) -> bool:
        return self.parse(field, self.from_text(field, raw) if isinstance(raw, str) else raw, AcceptContext())

    def from_text(self, field: FieldDef, text: str) -> Any:
        word = text.strip().lower()
        if word in TRUE_WORDS:
            return True
        return False if word in FALSE_WORDS else text.strip() or None

    def to_text(self, field: FieldDef, value: Any) -> str:
        return "" if value is None else ("true" if value else "false")


class ToggleKind(BooleanKind):
    """A boolean shown as a switch."""

    name = "toggle"
    widget = "toggle"


class DateKind(Kind):
    """A day of the calendar, `YYYY-MM-DD`, the same day in every zone."""

    name = "date"
    operators = EQUALITY | ORDER
    nestable = True
    example = "2026-01-31"
    widget = "date"
    cell = "date"
    sql_type = "date"

    def model_field(self, object_name: str, field: FieldDef) -> models.Field[Any, Any]:
        return models.DateField(null=not field.required)

    def schema(self, field: FieldDef, *, writing: bool) -> dict[str, Any]:
        return {"type": "string", "format": "date"}

    def parse(self, field: FieldDef, raw: Any, context: AcceptContext) -> dt.date:
        return as_date(raw)

    def token(self, value: Any, context: AcceptContext) -> Any:
        return context.today if value == "{today}" else value

    def python_json(self, field: FieldDef, value: Any) -> Any:
        return None if value is None else value.isoformat()

    def to_text(self, field: FieldDef, value: Any) -> str:
        return "" if value is None else value.isoformat()


class DateTimeKind(Kind):
    """An instant, kept to the millisecond; written with a zone, answered in UTC."""

    name = "datetime"
    operators = EQUALITY | ORDER
    example = "2026-01-31T09:30:00.000Z"
    widget = "datetime"
    cell = "datetime"
    sql_type = "timestamptz"

    def model_field(self, object_name: str, field: FieldDef) -> models.Field[Any, Any]:
        return models.DateTimeField(null=not field.required)

    def schema(self, field: FieldDef, *, writing: bool) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}

    def parse(self, field: FieldDef, raw: Any, context: AcceptContext) -> dt.datetime:
        return as_instant(raw, context.zone)

    def token(self, value: Any, context: AcceptContext) -> Any:
        return context.now if value == "{now}" else value

    def json_sql(self, field: FieldDef, column: sql.Composable) -> sql.Composable:
        shape = sql.Literal('YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
        return sql.SQL("to_char({} AT TIME ZONE 'UTC', {})").format(column, shape)

    def python_json(self, field: FieldDef, value: Any) -> Any:
        return None if value is None else instant(value)

    def to_text(self, field: FieldDef, value: Any) -> str:
        return "" if value is None else instant(value)

    def filter_value(self, field: FieldDef, raw: Any) -> dt.datetime | dt.date:
        """Return an instant, or a plain date for `YYYY-MM-DD`: the caller knows whether it ends a range."""
        if isinstance(raw, str) and DATE.fullmatch(raw.strip()):
            return as_date(raw)
        if isinstance(raw, dt.date) and not isinstance(raw, dt.datetime):
            return raw
        return as_instant(raw, dt.UTC)


class TimeKind(Kind):
    """A time of the day to the second, without a zone; written `09:30` or `09:30:00`, answered `09:30:00`."""

    name = "time"
    operators = EQUALITY | ORDER
    nestable = True
    example = "09:30:00"
    widget = "time"
    cell = "time"
    sql_type = "time"

    def model_field(self, object_name: str, field: FieldDef) -> models.Field[Any, Any]:
        return models.TimeField(null=not field.required)

    def schema(self, field: FieldDef, *, writing: bool) -> dict[str, Any]:
        # JSON Schema's `time` demands a zone, which a time of the day has not.
        return {"type": "string"} | ({"pattern": f"^{TIME.pattern}$"} if writing else {})

    def parse(self, field: FieldDef, raw: Any, context: AcceptContext) -> dt.time:
        if isinstance(raw, dt.time):
            return raw.replace(microsecond=0, tzinfo=None)
        if isinstance(raw, str) and TIME.fullmatch(raw.strip()):
            return dt.time.fromisoformat(raw.strip())
        code = "invalid_time" if isinstance(raw, str) else "invalid_type"
        raise FieldProblem(code, _("Enter a time as 09:30 or 09:30:00."))

    def token(self, value: Any, context: AcceptContext) -> Any:
        return context.now.astimezone(context.zone or dt.UTC).time() if value == "{now}" else value

    def python_json(self, field: FieldDef, value: Any) -> Any:
        return None if value is None else value.isoformat("seconds")

    def to_text(self, field: FieldDef, value: Any) -> str:
        return "" if value is None else value.isoformat("seconds")


for _kind in (BooleanKind(), ToggleKind(), DateKind(), DateTimeKind(), TimeKind()):
    KINDS.register(_kind.name, _kind)
