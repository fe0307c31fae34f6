"""The forwarder: sends what was chained since last time, ledger by ledger, and notes how far it got.

At least once: the place is noted after the receiver has acknowledged, so a forwarder killed between the two sends
a batch again (entries carry their id). One forwarder at a time works, under a lock of the database.
"""

import logging
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db import connections
from psycopg import sql

from apps.audit import directory
from apps.audit.aside import Aside
from apps.audit.sealing import opened as unsealed
from apps.audit.siem import formats, transport
from apps.audit.siem.formats import Copied
from apps.audit.siem.transport import DATAGRAM, Refused, Target
from apps.core.db import fast, loss
from apps.core.ids import NIL
from apps.core.scope import TenantRef, platform_scope, tenant_scope

logger = logging.getLogger("aibos.siem")

BATCH = 500
REST, SLOWEST = 0.5, 60.0
LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))"
BEHIND = """
SELECT h.tenant_id, coalesce(p.seq, 0), h.seq FROM public.audit_head h
LEFT JOIN public.audit_exportposition p ON p.tenant_id = h.tenant_id AND p.target = %s
WHERE h.seq > coalesce(p.seq, 0) ORDER BY p.moved_at NULLS FIRST LIMIT 200
"""
READ = sql.SQL("SELECT seq, hash, body FROM {entry} WHERE seq > %s ORDER BY seq LIMIT {batch}")
MOVE = """
INSERT INTO public.audit_exportposition (id, tenant_id, target, seq, error) VALUES (gen_random_uuid(), %s, %s, %s, '')
ON CONFLICT (tenant_id, target) DO UPDATE
SET seq = excluded.seq, error = '', moved_at = clock_timestamp()
"""
FAILED = "UPDATE public.audit_exportposition SET error = %s WHERE target = %s"

notes = Aside("siem positions")


class Forwarder:
    """Sends all ledgers to one target over a connection that stays open."""

    def __init__(self, target: Target, form: str, *, personal: bool = False) -> None:
        if form not in formats.FORMATS:
            msg = f"SIEM_FORMAT is one of {', '.join(formats.FORMATS)}, not {form!r}."
            raise ValueError(msg)
        self._target, self._form, self._personal = target, form, personal
        self._way: transport.Transport | None = None

    def run_once(self) -> int:
        """Send at most one batch of every ledger that is behind; return how many entries. Raises `Refused`."""
        sent = 0
        with platform_scope("siem: which ledgers are behind"), connections["default"].cursor() as cursor:
            cursor.execute(LOCK, [f"siem {self._target.name}"])
            if not (cursor.fetchone() or (False,))[0]:
                return 0
            cursor.execute(BEHIND, [self._target.name])
            for key, seq, _head in cursor.fetchall():
                tenant = directory.find(key) if key != NIL else None
                if key == NIL or tenant is not None:
                    sent += self._send(key, tenant, seq)
        return sent

    def _send(self, key: UUID, tenant: TenantRef | None, after: int) -> int:
        with tenant_scope(tenant) if tenant else platform_scope("siem: read"):
            items = read(tenant, after, BATCH, personal=self._personal)
        if not items:
            return 0
        self._deliver([self._message(item) for item in items])
        params = [key, self._target.name, items[-1].seq]
        # Beside: a transaction that writes and stays open while we send would hold up every chain.
        notes.call(lambda: fast.write(MOVE, params))
        return len(items)

    def _message(self, item: Copied) -> bytes:
        made = self._written(item)
        if self._target.datagrams and len(made) > DATAGRAM:
            made = self._written(formats.shortened(item))[:DATAGRAM]
        return made

    def _written(self, item: Copied) -> bytes:
        if self._target.syslog:
            return formats.framed(item, self._form, socket.gethostname())
        return formats.FORMATS[self._form](item).encode()

    def _deliver(self, messages: Sequence[bytes]) -> None:
        if self._way is None:
            self._way = transport.opened(self._target)
        try:
            self._way.deliver(messages)
        except Refused:
            self.close()
            raise

    def close(self) -> None:
        """Give the connection up; the next batch opens another."""
        if self._way is not None:
            self._way.close()
        self._way = None

    def report(self, error: str) -> None:
        """Note why nothing moves, for the health page."""
        with platform_scope("siem: report"):
            fast.write(FAILED, [error[:500], self._target.name])


def read(tenant: TenantRef | None, after: int, limit: int, *, personal: bool) -> list[Copied]:
    """Return the entries after number `after` of the scope's ledger, opened when `personal` says so."""
    name = sql.Identifier(tenant.schema if tenant else "public", "audit_entry")
    with fast.cursor() as cursor:
        rows: list[Any] = cursor.execute(
            READ.format(entry=name, batch=sql.Literal(limit)), [after]
        ).fetchall()
    bodies = [bytes(body) for _seq, _hash, body in rows]
    values = unsealed(bodies) if personal else [orjson.loads(body) for body in bodies]
    ledger = tenant.slug if tenant else "platform"
    return [
        Copied(ledger, seq, bytes(digest).hex(), value)
        for (seq, digest, _body), value in zip(rows, values, strict=True)
    ]


def configured() -> Target | None:
    """Return the target of the settings, None when there is none; raises ValueError for one that makes no sense."""
    return transport.parse(settings.SIEM_URL, settings.SIEM_CA) if settings.SIEM_URL else None


def run_forever(stop: threading.Event) -> None:
    """Forward until `stop` is set; without a target it only waits. A receiver that is away is tried ever more rarely."""
    with _forwarder() as forwarder:
        pause = REST
        while not stop.is_set():
            if forwarder is None:
                stop.wait(SLOWEST)
                continue
            try:
                done = forwarder.run_once()
                pause = 0.0 if done >= BATCH else REST
            except Refused as error:
                pause = min(SLOWEST, max(1.0, pause * 2))
                logger.warning("The ledger's copy is not taken: %s", error)
                forwarder.report(str(error))
            except loss.ERRORS:
                logger.warning("The forwarder lost its database; it tries again.", exc_info=True)
                loss.reset()
                pause = 1.0
            stop.wait(pause)


@contextmanager
def _forwarder() -> Iterator[Forwarder | None]:
    target = configured()
    made = Forwarder(target, settings.SIEM_FORMAT, personal=settings.SIEM_PERSONAL) if target else None
    try:
        yield made
    finally:
        if made is not None:
            made.close()
