"""Opening sealed values in what a statement answers, and sealing what it writes.

PostgreSQL builds the JSON of a page; where an encrypted value belongs it puts a marker: a token that only this
process knows, the cell, and the bytes. Here each marker is replaced by the value's JSON. What cannot be opened is
null in the answer and an error in the log.
"""

import logging
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import orjson
from psycopg import sql

from apps.core.errors import Conflict
from apps.core.sealing import SealBroken
from apps.objects import masking
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.encryption.ring import Column, KeyGone, Ring, column_of
from apps.objects.kinds import kind_of
from apps.objects.kinds.sealed import SealedKind

logger = logging.getLogger("aibos.encryption")

TOKEN = secrets.token_hex(16)  # in no value that anybody wrote: a text cannot pretend to be a marker
MARKER = re.compile(
    rf'"{TOKEN}\|([a-z0-9_]+)\|([a-z0-9_]+)\|([a-z0-9]*)\|([0-9a-f-]{{36}})\|([0-9a-f]*)"', re.ASCII
)


class _Unreadable:
    """Stands for a value whose bytes cannot be opened: equal to nothing, and written back by nobody."""


UNREADABLE: Any = _Unreadable()


class Where(Protocol):
    """What knows the tenant and its ring: a view, or the call of a service."""

    @property
    def tenant(self) -> Any: ...
    def ring(self) -> Ring: ...


@dataclass(frozen=True, slots=True)
class Blinded:
    """The comparand of an encrypted field in a query, until the ring is at hand."""

    table: str
    column: str
    text: bytes

    def by(self, ring: Ring, tenant: UUID) -> bytes:
        """Return what is compared in the database."""
        return ring.blind(Column(tenant, self.table, self.column), self.text)


def sealed_kind(field: FieldDef) -> SealedKind:
    """Return the kind of an encrypted field."""
    kind = kind_of(field)
    assert isinstance(kind, SealedKind)
    return kind


def blinded(obj: ObjectDef, field: FieldDef, value: Any) -> Any:
    """Return a filter's value, or each of a list, as what an encrypted field is compared with."""
    if isinstance(value, list):
        return [blinded(obj, field, item) for item in value]
    return Blinded(obj.table, field.column, sealed_kind(field).text_of(field, value))


def resolved(values: Sequence[Any], where: Where) -> tuple[Any, ...]:
    """Return the values of a query with every `Blinded` replaced."""
    ring, tenant = where.ring(), where.tenant.id

    def one(value: Any) -> Any:
        if isinstance(value, list):
            return [one(item) for item in value]
        return value.by(ring, tenant) if isinstance(value, Blinded) else value

    return tuple(one(value) for value in values)


def marker(obj: ObjectDef, field: FieldDef, alias: str, mask: str | None) -> sql.Composable:
    """Return the expression that stands for an encrypted value in the JSON of a record."""
    head = sql.Literal(f"{TOKEN}|{obj.name}|{field.name}|{mask or ''}|")
    return sql.SQL("({} || {}::text || '|' || encode({}, 'hex'))").format(
        head, sql.Identifier(alias, "id"), sql.Identifier(alias, field.column)
    )


def opened(text: str, find: Callable[[str], ObjectDef | None], where: Where) -> str:
    """Return the JSON with every marker replaced by its value."""
    ring, tenant = where.ring(), where.tenant.id

    def value(found: re.Match[str]) -> str:
        name, field_name, mask, record_id, box = found.groups()
        obj = find(name)
        assert obj is not None
        field = obj.fields[field_name]
        plain = _open(ring, column_of(tenant, obj, field), UUID(record_id), bytes.fromhex(box))
        if plain is None:
            return "null"
        if mask:
            plain = orjson.dumps(masking.masked(mask, tenant, orjson.loads(plain)))
        return plain.decode()

    return MARKER.sub(value, text)


def _open(ring: Ring, column: Column, record_id: UUID, box: bytes) -> bytes | None:
    try:
        return ring.open(column, record_id, box)
    except KeyGone:
        logger.warning("The key of a value is gone: %s.%s of %s.", column.table, column.name, record_id)
    except SealBroken:
        logger.error("A value is not what was sealed: %s.%s of %s.", column.table, column.name, record_id)  # noqa: TRY400 - the traceback says no more
    return None


def load(row: dict[str, Any], obj: ObjectDef, where: Where) -> None:
    """Replace the sealed columns of a record's row by their values, in place."""
    ring = where.ring()
    for field in obj.encrypted_fields:
        box = row[field.name]
        if box is not None:
            plain = _open(ring, column_of(where.tenant.id, obj, field), row["id"], bytes(box))
            row[field.name] = UNREADABLE if plain is None else sealed_kind(field).value_of(plain)


def close(obj: ObjectDef, field: FieldDef, record_id: UUID, value: Any, where: Where) -> bytes | None:
    """Return a value as its column keeps it; raises 409 ENCRYPTION_KEY_GONE."""
    if value is None or value is UNREADABLE:
        return None
    text = sealed_kind(field).text_of(field, value)
    try:
        return where.ring().close(column_of(where.tenant.id, obj, field), record_id, text)
    except KeyGone as error:
        message = "The keys of this tenant's encrypted fields were destroyed: nothing can be written there."
        raise Conflict(message, code="ENCRYPTION_KEY_GONE", details={"object": obj.name}) from error
