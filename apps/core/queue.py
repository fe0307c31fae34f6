"""The front of durable work: services ask for a job by name; the back end above keeps and runs it."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from jsonschema_rs import Draft202012Validator, ValidationError

from apps.core.actor import Actor
from apps.core.canonical import plain
from apps.core.errors import Invalid
from apps.core.registry import Registry

Upgrade = Callable[[dict[str, Any], int], dict[str, Any]]


class JobHandle(Protocol):
    """What a handler may say about its own run."""

    id: UUID
    tenant_id: UUID | None
    by: Actor
    attempt: int  # 1 at the first
    due: dt.datetime | None  # the moment for which a schedule asked, however late it runs

    def progress(self, done: int, total: int | None = None, message: str = "") -> None:
        """Tell how far the work is; visible to others at once."""

    def log(self, text: str) -> None:
        """Append a line to the job's log."""

    def cancelled(self) -> bool:
        """Return whether somebody asked to stop; the handler ends at the next safe point."""


@dataclass(frozen=True)
class Task:
    """A registered handler. `tenant` says whether a job must name one, must not, or may.

    `schema` is a JSON Schema (2020-12) of its arguments, `version` counts their shapes: arguments of an older one
    pass through `upgrade(args, version)` first. `schedulable` tasks may be put on a schedule by a tenant's managers.
    Nobody reads or edits the arguments of a `sealed` one: they hold records' values or say where a secret goes.
    `waits` are the seconds before the second, third … attempt, spread by up to a tenth; without them the wait
    doubles from two seconds to an hour.
    """

    name: str
    run: Callable[..., Mapping[str, Any] | None]
    tenant: str = "required"
    max_attempts: int = 3
    manages_scope: bool = False
    waits: tuple[float, ...] = ()
    schema: Mapping[str, Any] | None = None
    version: int = 1
    upgrade: Upgrade | None = None
    schedulable: bool = False
    sealed: bool = False

    def faults(self, args: Mapping[str, Any]) -> list[str]:
        """Return what the schema does not allow in `args`, each with its place; empty when all is well."""
        if self.schema is None:
            return []
        checks = validators.get(self.name)
        if checks is None or checks[0] is not self.schema:
            checks = validators[self.name] = (self.schema, Draft202012Validator(dict(self.schema)))
        return [f"{_place(error)}: {error.message}" for error in checks[1].iter_errors(plain(args))]


class Later(Exception):
    """Raised by a handler whose attempt failed and that knows when the next one makes sense (in seconds)."""

    def __init__(self, message: str, *, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class BackEnd(Protocol):
    """Keeps jobs as rows and rings a worker after the commit."""

    def enqueue(
        self,
        task: Task,
        *,
        tenant: UUID | None,
        args: dict[str, Any],
        title: str,
        by: Actor,
        key: str | None,
        priority: int,
        delay: float,
    ) -> UUID:
        """Write the job in the caller's transaction; return its id."""


validators: dict[str, tuple[Mapping[str, Any], Draft202012Validator]] = {}
tasks: Registry[Task] = Registry("tasks", Task)
_back_end: list[BackEnd] = []


def use(back_end: BackEnd) -> None:
    """Put `back_end` in charge; called once, in `ready()` of the app above."""
    _back_end[:] = [back_end]


def task(
    name: str,
    *,
    tenant: str = "required",
    max_attempts: int = 3,
    manages_scope: bool = False,
    waits: tuple[float, ...] = (),
    schema: Mapping[str, Any] | None = None,
    version: int = 1,
    upgrade: Upgrade | None = None,
    schedulable: bool = False,
    sealed: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a handler `f(job, **args) -> result`.

    `tenant` is required, forbidden or optional. Effects and completion commit in one transaction, unless the
    task manages its own scopes (`manages_scope=True`) and is safe to run again from any point.
    """
    if tenant not in {"required", "forbidden", "optional"}:
        msg = f"tenant must be required, forbidden or optional, not {tenant!r}."
        raise ValueError(msg)

    def register(run: Callable[..., Any]) -> Callable[..., Any]:
        tasks.register(
            name,
            Task(
                *(name, run, tenant, max_attempts, manages_scope, waits),
                schema=schema,
                version=version,
                upgrade=upgrade,
                schedulable=schedulable,
                sealed=sealed,
            ),
        )
        return run

    return register


def enqueue(
    name: str,
    *,
    tenant: UUID | None,
    args: dict[str, Any],
    title: str,
    by: Actor,
    key: str | None = None,
    priority: int = 0,
    delay: float = 0.0,
) -> UUID:
    """Ask for a job; it exists if and only if the caller's transaction commits. Return its id.

    A second call with the same `key` returns the first call's job. Of a tenant's due jobs the highest `priority`
    goes first. `delay` is in seconds.
    """
    known = tasks.get(name)
    if known is None:
        msg = f"No task is registered as {name!r}."
        raise LookupError(msg)
    if known.tenant == "required" and tenant is None:
        msg = f"The task {name!r} belongs to a tenant; without one it would have nowhere to run."
        raise ValueError(msg)
    if known.tenant == "forbidden" and tenant is not None:
        msg = f"The task {name!r} works for the platform, not for one tenant."
        raise ValueError(msg)
    if faults := known.faults(args):
        msg = f"The task {name!r} does not take these arguments: {'; '.join(faults)}."
        raise Invalid(msg)
    return _back_end[0].enqueue(
        known, tenant=tenant, args=args, title=title, by=by, key=key, priority=priority, delay=delay
    )


def _place(error: ValidationError) -> str:
    return ".".join(str(part) for part in error.instance_path) or "args"
