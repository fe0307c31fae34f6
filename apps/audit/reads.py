"""Reads that an object wants written down: gathered from all threads, committed together, before any answer leaves.

A reader waits until the transaction with its entry has committed, so a process killed at any moment has answered
nobody who is not in the ledger. While one group commits the next one gathers, so a thousand readers cost a few
commits. The room is bounded: with the ledger away or full nothing is answered.
"""

import os
import threading
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from apps.audit.aside import Aside
from apps.audit.entry import Plain, plain_draft, sealed
from apps.audit.sealing import keys
from apps.core.actor import Actor
from apps.core.db import fast
from apps.core.errors import Problem

PATIENCE = 5.0
MOST = 500
ROOM = 5_000
INSERT = """
INSERT INTO public.audit_pending (entry_id, tenant_id, action, target, body)
SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::bytea[])
"""

Waiting = tuple[Plain, "Future[None]"]


class Reads:
    """The gatherer of one process; a fork starts with an empty one."""

    def __init__(self) -> None:
        self._aside = Aside("ledger of reads")
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Waiting] = deque()

    def write(self, entry: Plain) -> None:
        """Return once the entry is committed; raises 503 LEDGER_UNAVAILABLE when it cannot be in time."""
        mine: Future[None] = Future()
        with self._lock:
            if len(self._waiting) >= ROOM:
                raise _unavailable()
            self._waiting.append((entry, mine))
        group = _Group(self)
        self._aside.submit(group.write, entry.text()).add_done_callback(group.tell)
        try:
            mine.result(timeout=PATIENCE)
        except Exception as error:
            raise _unavailable() from error

    def gather(self) -> list[Waiting]:
        """Take what waits, at most `MOST` entries."""
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]


class _Group:
    """The entries of one commit; asked again after a lost connection it writes the same ones."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._entries: list[Waiting] | None = None

    def write(self) -> None:
        if self._entries is None:
            self._entries = self._reads.gather()
        if not self._entries:
            return
        drafts = []
        for entry, _future in self._entries:
            made = sealed(entry)
            keys.write(made.keys)
            drafts.append(made)
        columns = zip(*((d.id, d.tenant_id, d.action, d.target, d.body) for d in drafts), strict=True)
        fast.write(INSERT, [list(column) for column in columns])

    def tell(self, done: "Future[Any]") -> None:
        error = done.exception()
        for _entry, future in self._entries or ():
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)


_reads = Reads()


def note(
    action: str, *, by: Actor, tenant: UUID, target: str, details: Mapping[str, Any] | None = None
) -> UUID:
    """Write down that `by` read `target`; committed when this returns, whatever becomes of the caller's transaction."""
    entry = plain_draft(action, by=by, tenant=tenant, target=target, before=None, after=None, details=details)
    _reads.write(entry)
    return entry.id


def _unavailable() -> Problem:
    return Problem(
        "LEDGER_UNAVAILABLE",
        _("Reading here is written down, and that is not possible now."),
        status=503,
        headers={"Retry-After": "2"},
    )
