"""Types that nobody reads back: secret and password. What is stored leaves the platform by no door."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from psycopg import sql

from apps.objects.definitions import FieldDef
from apps.objects.kinds.kind import KINDS, PRESENCE
from apps.objects.kinds.problem import AcceptContext, FieldProblem
from apps.objects.kinds.text import TextKind

MASK = "\u2022" * 8


class SecretKind(TextKind):
    """A key or token: written, never read; every answer, export and history shows `••••••••`."""

    name = "secret"
    operators = PRESENCE
    sortable = False
    searchable = False
    uniqueable = False
    nestable = False
    maskable = False
    write_only = True
    example = MASK
    limit = 4_000
    ceiling = 32_000
    widget = "secret"
    cell = "secret"

    def is_echo(self, raw: Any) -> bool:
        return bool(raw == MASK)

    def json_sql(self, field: FieldDef, column: sql.Composable) -> sql.Composable:
        return sql.SQL("CASE WHEN {} IS NOT NULL THEN {} END").format(column, sql.Literal(MASK))

    def python_json(self, field: FieldDef, value: Any) -> Any:
        return None if value is None else MASK

    def to_text(self, field: FieldDef, value: Any) -> str:
        return "" if value is None else MASK

    def remembered(self, field: FieldDef, value: Any) -> bool:
        return False

    def filter_value(self, field: FieldDef, raw: Any) -> str:
        raise FieldProblem("invalid_value", _("A secret cannot be compared."))

    def parse(self, field: FieldDef, raw: Any, context: AcceptContext) -> str:
        if self.is_echo(raw):
            raise FieldProblem("invalid_value", _("Enter the value itself, not its mask."))
        return super().parse(field, raw, context)


class PasswordKind(SecretKind):
    """A password for another system, kept and hidden as a secret is."""

    name = "password"
    limit = 255
    ceiling = 4_000


for _kind in (SecretKind(), PasswordKind()):
    KINDS.register(_kind.name, _kind)
