"""A tenant's keys at hand, and the form of a sealed value.

    byte 1        form (1)
    bytes 2–5     version of the key, big-endian
    bytes 6–21    the blind part: HMAC-SHA256 of place and text, cut to 16, where equality is wanted; else random
    bytes 22–33   nonce
    then          AES-256-GCM ciphertext and tag

What is authenticated beside the text: these 21 bytes, tenant, table, column and primary key. So a value opens in its
own cell only, and no bit of it can be changed.
"""

import hmac
import logging
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from apps.core import clock
from apps.core.clock import Clocked
from apps.core.scope import current_tenant
from apps.core.sealing import Key, SealBroken, seal, unseal
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.encryption.models import ColumnKey
from apps.objects.kinds.sealed import BLIND_SIZE

logger = logging.getLogger("aibos.encryption")

FORM = 1
HEAD = struct.Struct(">BI")
HEADER = HEAD.size + BLIND_SIZE
CONTEXT = b"aibos/column\0"
PURPOSE = "column key"


class KeyGone(SealBroken):
    """The key a value was sealed with has been destroyed."""


@dataclass(frozen=True, slots=True)
class Column:
    """Where a value lies, but for the record."""

    tenant: UUID
    table: str
    name: str
    equality: bool = False

    def cell(self, record_id: UUID) -> bytes:
        """Return what a value of that record is bound to."""
        named = f"{self.table}\0{self.name}\0".encode()
        return CONTEXT + self.tenant.bytes + named + record_id.bytes


def column_of(tenant: UUID, obj: ObjectDef, field: FieldDef) -> Column:
    """Return the column of an encrypted field."""
    return Column(tenant, obj.table, field.column, field.encrypted == "equality")


@dataclass(frozen=True)
class Ring:
    """The keys of one tenant that exist: `keys` by version, the newest of which seals."""

    keys: Mapping[int, Key]
    index: bytes | None = None

    @property
    def newest(self) -> int:
        """The version that new values are sealed with; 0 when every key is gone."""
        return max(self.keys, default=0)

    def close(self, column: Column, record_id: UUID, text: bytes) -> bytes:
        """Return a text sealed for its cell; raises KeyGone when there is no key."""
        version = self.newest
        if not version:
            raise KeyGone("This tenant has no key for encrypted fields any more.")
        blind = self.blind(column, text) if column.equality else os.urandom(BLIND_SIZE)
        header = HEAD.pack(FORM, version) + blind
        return header + self.keys[version].close(text, header + column.cell(record_id))

    def open(self, column: Column, record_id: UUID, value: bytes) -> bytes:
        """Return the text of a sealed value; raises SealBroken for a moved or changed one, KeyGone without its key."""
        if len(value) < HEADER or value[0] != FORM:
            raise SealBroken("This is no sealed value.")
        key = self.keys.get(version_of(value))
        if key is None:
            raise KeyGone("The key of this value has been destroyed.")
        return key.open(value[HEADER:], value[:HEADER] + column.cell(record_id))

    def blind(self, column: Column, text: bytes) -> bytes:
        """Return what equal texts of a column have in common, and nothing else tells."""
        if self.index is None:
            raise KeyGone("This tenant has no key for equality any more.")
        named = f"{column.table}\0{column.name}\0".encode()
        return hmac.new(self.index, named + text, "sha256").digest()[:BLIND_SIZE]


def version_of(value: bytes) -> int:
    """Return the version of the key that a value was sealed with."""
    return int(HEAD.unpack_from(value)[1])


def place_of(purpose: str, version: int) -> str:
    """Return what the wrap of a key is bound to."""
    return f"{current_tenant().id}/{purpose}/{version}"


def wrapped(purpose: str, version: int, key: bytes) -> bytes:
    """Return a key as its row keeps it."""
    return seal(PURPOSE, place_of(purpose, version), key)


def _load() -> Ring:
    keys: dict[int, Key] = {}
    index = None
    for purpose, version, box in ColumnKey.objects.values_list("purpose", "version", "wrapped"):
        try:
            key = unseal(PURPOSE, place_of(purpose, version), bytes(box))
        except SealBroken:
            logger.error("The %s key %d cannot be opened: SECRET_KEY has changed.", purpose, version)  # noqa: TRY400
            continue
        if purpose == ColumnKey.Purpose.DATA:
            keys[version] = Key(key)
        else:
            index = key
    return Ring(keys, index)


rings: Clocked[Ring] = Clocked(_load)


def create(purpose: str, version: int) -> ColumnKey:
    """Make a new key in the tenant in force."""
    return ColumnKey.objects.create(
        purpose=purpose, version=version, wrapped=wrapped(purpose, version, os.urandom(32))
    )


def ensure() -> None:
    """Give the tenant in force its first keys; whoever publishes an encrypted field calls it."""
    missing = set(ColumnKey.Purpose.values) - set(ColumnKey.objects.values_list("purpose", flat=True))
    for purpose in missing:
        create(purpose, 1)
    if missing:
        clock.bump(current_tenant().id)
