"""The keys of subjects: written in the transaction that first needs one, remembered by the clock, erased by deletion.

A subject may have several keys (each process makes its own for a record rather than ask for one); an entry names
the key it was sealed with. In the table a key is wrapped by one derived from SECRET_KEY, so that a copy of the
database alone opens nothing.
"""

import os
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from threading import Lock
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import transaction

from apps.core.actor import Actor
from apps.core.db import fast
from apps.core.db.here import here
from apps.core.ids import NIL, uuid7
from apps.core.scope import current_scope

NONCE = 12
MOST = 20_000
PERSON = "user:"

# A subject that was erased gets no key again: what is sealed for it from now on is erased as it is written.
INSERT = """
INSERT INTO public.audit_subjectkey (id, tenant_id, subject, wrapped)
SELECT %s::uuid, %s::uuid, %s::text, %s::bytea
WHERE NOT EXISTS (SELECT 1 FROM public.audit_erasure WHERE tenant_id = %s::uuid AND subject = %s::text)
"""
FIND = "SELECT id, wrapped FROM public.audit_subjectkey WHERE tenant_id = %s AND subject = %s ORDER BY id LIMIT 1"
READ = "SELECT id, tenant_id, subject, wrapped FROM public.audit_subjectkey WHERE id = ANY(%s)"

Tick = tuple[str, int]


class KeyUnknown(LookupError):
    """Outside a scope a person's key can only be taken from memory, and it is not there."""


@dataclass(frozen=True, slots=True)
class Key:
    """A subject's key in one ledger; `wrapped` is set while the key still has to be written with its first entry."""

    id: UUID
    ledger: UUID
    subject: str
    cipher: AESGCM
    tick: Tick | None = None
    wrapped: bytes | None = None

    def params(self) -> list[object]:
        """Return the parameters of `INSERT`."""
        return [self.id, self.ledger, self.subject, self.wrapped, self.ledger, self.subject]


class _Ring:
    """Keys whose rows are committed, by ledger and subject, least recently kept out first."""

    def __init__(self) -> None:
        self._keys: OrderedDict[tuple[UUID, str, str], Key] = OrderedDict()
        self._unborn: OrderedDict[UUID, None] = OrderedDict()
        self._lock = Lock()

    def find(self, ledger: UUID, subject: str, tick: Tick) -> Key | None:
        key = self._keys.get((ledger, subject, tick[0]))
        return key if key is not None and key.tick == tick else None

    def keep(self, key: Key) -> None:
        if key.tick is None:
            return
        with self._lock:
            self._unborn.pop(key.id, None)
            self._keys[key.ledger, key.subject, key.tick[0]] = key
            while len(self._keys) > MOST:
                self._keys.popitem(last=False)

    def expect(self, key_id: UUID) -> None:
        with self._lock:
            self._unborn[key_id] = None
            while len(self._unborn) > MOST:
                self._unborn.popitem(last=False)

    def expects(self, key_id: UUID) -> bool:
        return key_id in self._unborn

    def clear(self) -> None:
        with self._lock:
            self._keys.clear()


ring = _Ring()


def subject_of(by: Actor) -> str | None:
    """Return the person who acts, as keys name them; None for the platform itself and for modules."""
    return f"{PERSON}{by.user_id}" if by.user_id else None


def take(ledger: UUID | None, subject: str, clock: int | None = None) -> Key:
    """Return a key of `subject` in `ledger` (None: the platform's): a remembered one, the stored one, or a new one.

    `clock` is the tenant's clock that the caller's statement compares, for use outside a scope; there an unknown
    person raises `KeyUnknown`. A new key must be written in the transaction of its entry, then `settle`d.
    """
    ledger = ledger or NIL
    tick = ("tenant", clock) if clock is not None else _now(ledger)
    if tick is not None and (known := ring.find(ledger, subject, tick)):
        return known
    if subject.startswith(PERSON):
        if clock is not None:
            raise KeyUnknown(subject)
        if found := _stored(ledger, subject, tick):
            return found
    made = os.urandom(32)
    key_id = uuid7()
    ring.expect(key_id)
    wrapped = wrap(key_id, ledger, subject, made)
    return Key(key_id, ledger, subject, AESGCM(made), tick, wrapped)


def settle(keys: Iterable[Key]) -> None:
    """Remember keys that were written: now outside a transaction, else when it commits."""
    for key in keys:
        done = Key(key.id, key.ledger, key.subject, key.cipher, key.tick)
        if here().in_atomic_block:
            transaction.on_commit(partial(ring.keep, done))
        else:
            ring.keep(done)


def write(keys: Iterable[Key]) -> None:
    """Write new keys in the scope in force, each a statement of its own."""
    for key in keys:
        fast.write(INSERT, key.params())
        settle([key])


def read(ids: Iterable[UUID]) -> dict[UUID, Key]:
    """Return those of these keys that still exist and that the scope in force may see."""
    wanted = list(ids)
    if not wanted:
        return {}
    with fast.cursor() as cursor:
        rows = cursor.execute(READ, [wanted]).fetchall()
    found = (_unwrapped(*row) for row in rows)
    return {key.id: key for key in found if key is not None}


def _now(ledger: UUID) -> Tick | None:
    """Return the clock that keys of `ledger` are remembered by here; None in a transaction that moved it."""
    scope = current_scope()
    moved = here().moved_clocks
    if scope.tenant is not None and scope.tenant.id == ledger:
        return None if ledger in moved else ("tenant", scope.clock)
    return None if NIL in moved else ("platform", scope.platform_clock)


def _stored(ledger: UUID, subject: str, tick: Tick | None) -> Key | None:
    with fast.cursor() as cursor:
        row = cursor.execute(FIND, [ledger, subject]).fetchone()
    key = _unwrapped(row[0], ledger, subject, row[1], tick) if row else None
    if key is not None and not ring.expects(key.id):
        ring.keep(key)
    return key


def _bound(key_id: UUID, ledger: UUID, subject: str) -> bytes:
    """Return what a wrapped key is bound to: moved to another row it does not open."""
    return key_id.bytes + ledger.bytes + subject.encode()


@lru_cache(maxsize=8)
def _wrapping(secret: str) -> AESGCM:
    info = b"aibos/ledger subject keys"
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret.encode()))


def wrap(key_id: UUID, ledger: UUID, subject: str, key: bytes) -> bytes:
    """Return a key as its row keeps it."""
    nonce = os.urandom(NONCE)
    return nonce + _wrapping(settings.SECRET_KEY).encrypt(nonce, key, _bound(key_id, ledger, subject))


def unwrap(key_id: UUID, ledger: UUID, subject: str, wrapped: bytes) -> bytes | None:
    """Return the key of a row; None when neither SECRET_KEY nor one of its predecessors opens it."""
    bound = _bound(key_id, ledger, subject)
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        try:
            return _wrapping(secret).decrypt(wrapped[:NONCE], wrapped[NONCE:], bound)
        except InvalidTag:
            continue
    return None


def _unwrapped(
    key_id: UUID, ledger: UUID, subject: str, wrapped: bytes, tick: Tick | None = None
) -> Key | None:
    plain = unwrap(key_id, ledger, subject, bytes(wrapped))
    return Key(key_id, ledger, subject, AESGCM(plain), tick) if plain is not None else None
