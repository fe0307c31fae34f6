"""Plain values: an event as subscribers see it, a job as pages see it."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from apps.events.jobs.states import DEAD, ENDED


@dataclass(frozen=True)
class Event:
    """A fact. `envelope` is the whole CloudEvents 1.0 object; the other fields are read out of it."""

    id: UUID
    type: str
    subject: str | None
    time: dt.datetime
    tenant_id: UUID | None
    actor: str
    data: Mapping[str, Any]
    envelope: Mapping[str, Any]

    @property
    def depth(self) -> int:
        """How many events lie between this one and the one that a person or a clock caused."""
        return int(self.envelope.get("causationdepth", 0))

    @staticmethod
    def read(body: bytes) -> "Event":
        """Return the event whose envelope is stored as `body`."""
        return Event.of(orjson.loads(body))

    @staticmethod
    def of(values: Mapping[str, Any]) -> "Event":
        """Return the event of an envelope."""
        return Event(
            id=UUID(values["id"]),
            type=values["type"],
            subject=values.get("subject"),
            time=dt.datetime.fromisoformat(values["time"]),
            tenant_id=UUID(values["tenant"]) if values.get("tenant") else None,
            actor=values["actor"],
            data=values.get("data", {}),
            envelope=values,
        )


@dataclass(frozen=True)
class JobView:
    """A job as lists and pages show it; `log`, `result`, `traceback` and `attempts` are empty in lists."""

    id: UUID
    tenant_id: UUID | None
    name: str
    title: str
    state: str
    actor_label: str
    actor_id: str
    author_id: str
    priority: int
    attempt: int
    max_attempts: int
    done: int
    total: int | None
    message: str
    cancel_requested: bool
    run_at: dt.datetime
    created_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    error: str
    args: Mapping[str, Any]
    args_version: int = 1
    worker: str = ""
    schedule_id: UUID | None = None
    request_id: str | None = None
    attempts: Sequence[Mapping[str, Any]] = ()
    acts: Sequence[Mapping[str, Any]] = ()
    log: str = ""
    result: Mapping[str, Any] | None = None
    traceback: str = ""

    @property
    def percent(self) -> int | None:
        """Progress in whole percent, or None when the job did not say how much there is."""
        if self.state == "done":
            return 100
        return min(100, self.done * 100 // self.total) if self.total else None

    @property
    def dead(self) -> bool:
        """Whether it is a dead letter: given up by the queue, and for people to decide about."""
        return self.state in DEAD

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to the job by itself."""
        return self.state in ENDED


@dataclass(frozen=True)
class JobPage:
    """Jobs, newest first, and the cursor of the next page (None: this was the last)."""

    jobs: tuple[JobView, ...]
    next: str | None


@dataclass(frozen=True)
class LetterCount:
    """How many dead letters one task has left, and since when."""

    name: str
    failed: int
    quarantined: int
    oldest: dt.datetime
    newest: dt.datetime
