"""The autonumber: a readable number that a sequence of the object hands out."""

from __future__ import annotations

import re
from typing import Any

from django.db import models
from django.db.models.expressions import Expression
from django.utils.deconstruct import deconstructible
from django.utils.translation import gettext as _

from apps.objects.definitions import FieldDef
from apps.objects.kinds.kind import EQUALITY, KINDS, MATCH, ORDER, Kind
from apps.objects.kinds.naming import sequence_name
from apps.objects.kinds.problem import AcceptContext, FieldProblem
from apps.objects.kinds.text import clean_text

DEFAULT_FORMAT = "{0000}"
COUNTER = re.compile(r"\{(0+)\}")
TOKEN = re.compile(r"\{([^{}]*)\}")
DATES = ("YYYY", "YY", "MM", "DD")


def format_problem(pattern: str) -> str | None:
    """Return what is wrong with an autonumber format, or None."""
    tokens = TOKEN.findall(pattern)
    if len(COUNTER.findall(pattern)) != 1:
        return "it needs the counter once, written as zeros in braces, such as ACC-{0000}"
    unknown = [t for t in tokens if t not in DATES and set(t) != {"0"}]
    if unknown:
        return f"{{{unknown[0]}}} is unknown; use zeros, {{YYYY}}, {{YY}}, {{MM}} or {{DD}}"
    if "{" in TOKEN.sub("", pattern) or "}" in TOKEN.sub("", pattern):
        return "a brace is open"
    return None


@deconstructible(path="apps.objects.kinds.autonumber.NextNumber")
class NextNumber(Expression):
    """The column default: text around the next value of a sequence.

    A sequence never waits for another writer and never gives a number twice; a rolled back write leaves a gap.
    """

    def __init__(self, sequence: str, pattern: str) -> None:
        super().__init__(output_field=models.TextField())
        self.sequence = sequence
        self.pattern = pattern

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        parts: list[str] = []
        params: list[Any] = []
        for index, piece in enumerate(TOKEN.split(self.pattern)):
            if index % 2 == 0:
                if piece:
                    parts.append("%s::text")
                    params.append(piece)
            elif piece in DATES:
                parts.append("to_char(now(), %s)")
                params.append(piece)
            else:
                number = "nextval(%s::regclass)"
                # lpad would cut a number that outgrew the zeros; to_char prints it in full up to 18 digits.
                parts.append(f"regexp_replace(to_char({number}, %s), '^0+(?=[0-9]{{{len(piece)}}})', '')")
                params += [connection.ops.quote_name(self.sequence), "FM" + "0" * 18]
        return " || ".join(parts), params

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NextNumber):
            return NotImplemented
        return (self.sequence, self.pattern) == (other.sequence, other.pattern)

    def __hash__(self) -> int:
        return hash((self.sequence, self.pattern))


class AutonumberKind(Kind):
    """A number in a format such as `ACC-{0000}`, given by the database when the record is made."""

    name = "autonumber"
    keys = frozenset({"autonumberFormat"})
    operators = EQUALITY | ORDER | MATCH
    searchable = True
    generated = True
    example = "ACC-0001"
    widget = "readonly"
    cell = "text"

    def model_field(self, object_name: str, field: FieldDef) -> models.Field[Any, Any]:
        pattern = field.autonumber_format or DEFAULT_FORMAT
        return models.TextField(db_default=NextNumber(sequence_name(object_name, field.name), pattern))

    def parse(self, field: FieldDef, raw: Any, context: AcceptContext) -> Any:
        raise FieldProblem("invalid_value", _("The platform gives this number."))

    def filter_value(self, field: FieldDef, raw: Any) -> str:
        return clean_text(raw)


KINDS.register(AutonumberKind.name, AutonumberKind())
