"""Running jobs: the handler's effects and the job's completion commit together, or neither does."""

import json
import logging
import random
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from django.db import connections, transaction
from psycopg import sql

from apps.audit import ledger
from apps.core import context, queue
from apps.core.canonical import plain
from apps.core.db import loss
from apps.core.errors import Problem
from apps.core.scope import Scope, TenantRef, platform_scope, tenant_scope
from apps.events.jobs import history
from apps.events.jobs.claim import Claim, anything_due, claim
from apps.events.jobs.herald import herald
from apps.events.jobs.pulse import LEASE, Lost, heart

logger = logging.getLogger("aibos.work")

BACK_OFF, LONGEST_WAIT = 2.0, 3600.0
TRACE_ROOM = 20_000
PUT_BACK, CALM = 5.0, 10.0
END = sql.SQL("""
UPDATE public.events_job
SET state = %s, result = %s::jsonb, error = %s, traceback = %s, lease_until = NULL,
    finished_at = CASE WHEN %s THEN NULL ELSE clock_timestamp() END,
    run_at = CASE WHEN %s THEN clock_timestamp() + %s * interval '1 second' ELSE run_at END,
    asleep = %s, attempt = attempt - %s,
    done = CASE WHEN %s = 'done' THEN coalesce(total, done) ELSE done END,
    {attempts}
WHERE id = %s AND fence = %s AND state = 'running'
""").format(attempts=history.append(state="%s", cause="%s"))


class Refused(RuntimeError):
    """A job that must not run: no such task, no such tenant, or none where the task needs one."""


class TooNew(RuntimeError):
    """A job asked for by a newer release than this worker's: another worker takes it, or this one after its update."""


class Cancelled(Exception):
    """Raised by a handler to end as cancelled with everything it did taken back."""


def run_next(lease: float = LEASE) -> bool:
    """Claim and run one job; return False when none is due."""
    taken = claim(lease)
    if taken is None:
        return False
    execute(taken)
    return True


def drain(seconds: float) -> int:
    """Run due jobs for about that long; return how many."""
    until, done = time.monotonic() + seconds, 0
    while time.monotonic() < until and run_next():
        done += 1
    return done


def work_forever(stop: threading.Event, *, lease: float = LEASE, pause: float = 0.1) -> None:
    """Run jobs until `stop` is set; with nothing to do ask every `pause` seconds, twice as seldom after a while."""
    idle = 0
    while not stop.is_set():
        try:
            busy = (not idle or anything_due()) and run_next(lease)
        except loss.ERRORS:
            logger.warning("A worker lost its database; it tries again.", exc_info=True)
            loss.reset()
            busy = False
        except Exception:
            logger.exception("A worker stumbled outside its job; it goes on.")
            loss.reset()
            busy = False
        idle = 0 if busy else idle + 1
        if idle:
            stop.wait(pause if idle * pause < CALM else 2 * pause)


def execute(taken: Claim) -> None:
    """Run a claimed job to its next state; only a lost database leaves it to the sweeper."""
    carried = {"actor": taken.run.by, "request_id": taken.request_id}
    with context.carrying(**carried), heart.beating(taken.run):
        try:
            _perform(taken)
        except (Lost, Cancelled) as reason:
            _give_back(taken, reason)
        except TooNew as reason:
            with platform_scope("work: put back"):
                _end(taken, "queued", error=str(reason), wait=PUT_BACK, uncounted=1)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a handler raises ends the attempt, not the worker
            _fail(taken, error)


def _perform(taken: Claim) -> None:
    task = queue.tasks.get(taken.name)
    if task is None:
        msg = f"No task is registered as {taken.name!r}."
        raise Refused(msg)
    tenant = _tenant_of(taken, task)
    args = _args_of(taken, task)
    if task.manages_scope:
        result = task.run(taken.run, **args)
        with _scope(tenant, taken):
            _complete(taken, result)
        return
    with _scope(tenant, taken):
        _complete(taken, task.run(taken.run, **args))


def _args_of(taken: Claim, task: queue.Task) -> dict[str, Any]:
    """Return the arguments in the shape that the task takes today."""
    if taken.args_version > task.version:
        msg = f"{task.name} knows arguments up to version {task.version}, these are of {taken.args_version}."
        raise TooNew(msg)
    if taken.args_version < task.version and task.upgrade:
        return task.upgrade(dict(taken.args), taken.args_version)
    return taken.args


def _tenant_of(taken: Claim, task: queue.Task) -> TenantRef | None:
    tenant_id = taken.run.tenant_id
    if (tenant_id is None and task.tenant == "required") or (tenant_id and task.tenant == "forbidden"):
        msg = f"The task {task.name!r} may not run {'for' if tenant_id else 'without'} a tenant."
        raise Refused(msg)
    if tenant_id and taken.tenant is None:
        msg = f"There is no tenant {tenant_id}."
        raise Refused(msg)
    return taken.tenant


def _scope(tenant: TenantRef | None, taken: Claim) -> AbstractContextManager[Scope]:
    return tenant_scope(tenant) if tenant else platform_scope(f"job {taken.name}")


def _complete(taken: Claim, result: Mapping[str, Any] | None) -> None:
    state = "cancelled" if taken.run.noticed else "done"
    if not _end(taken, state, result=result):
        msg = f"The lease of job {taken.id} is gone; its effects are taken back."
        raise Lost(msg)


def _give_back(taken: Claim, reason: Exception) -> None:
    if isinstance(reason, Lost):
        logger.warning("%s", reason)
        return
    with platform_scope("work: a cancelled job"):
        _end(taken, "cancelled", error=str(reason))


def _fail(taken: Claim, error: BaseException) -> None:
    final = isinstance(error, Refused) or (isinstance(error, Problem) and error.status < 500)
    final = final or taken.run.attempt >= taken.max_attempts
    wait = 0.0 if final else _wait(taken, error)
    cause = _cause(error)
    trace = "".join(traceback.format_exception(error))[-TRACE_ROOM:]
    logger.log(
        logging.ERROR if final else logging.WARNING, "Job %s (%s) failed: %s", taken.id, taken.name, cause
    )
    try:
        _write_failure(taken, cause, trace, final=final, wait=wait)
    except loss.ERRORS:
        loss.reset()
        _write_failure(taken, cause, trace, final=final, wait=wait)


def _cause(error: BaseException) -> str:
    """Return what went wrong and, where the refusal knows it, what helps."""
    if isinstance(error, Problem) and error.cure:
        return f"{error} {error.cure}"
    return (
        str(error)
        if isinstance(error, Refused | Problem | queue.Later)
        else f"{type(error).__name__}: {error}"
    )


def _write_failure(taken: Claim, cause: str, trace: str, *, final: bool, wait: float) -> None:
    with platform_scope("work: a failed job"):
        if _end(taken, "failed" if final else "queued", error=cause, trace=trace, wait=wait) and final:
            ledger.record(
                "job.failed",
                by=taken.run.by,
                target=f"job:{taken.id}",
                details={"task": taken.name, "cause": cause, "attempts": taken.run.attempt},
                tenant=taken.run.tenant_id,
            )


def _end(
    taken: Claim,
    state: str,
    *,
    result: Mapping[str, Any] | None = None,
    error: str = "",
    trace: str = "",
    wait: float = 0.0,
    uncounted: int = 0,
) -> bool:
    again = state == "queued"
    document = None if result is None else json.dumps(plain(result)).replace("\\u0000", "\\ufffd")
    texts = [error.replace("\x00", "\ufffd"), trace.replace("\x00", "\ufffd")]
    with connections["default"].cursor() as cursor:
        values = [state, document, *texts, again, again, wait, wait > 0, uncounted, state, state, texts[0]]
        cursor.execute(END, [*values, taken.id, taken.run.fence])
        transaction.on_commit(lambda: herald.call(taken.id))
        return bool(cursor.rowcount)


def _wait(taken: Claim, error: BaseException) -> float:
    if isinstance(error, queue.Later) and error.after is not None:
        return max(error.after, 0.0)
    task = queue.tasks.get(taken.name)
    if task is None or not task.waits:
        return back_off(taken.run.attempt)
    planned = task.waits[min(taken.run.attempt, len(task.waits)) - 1]
    return planned * (1 + random.random() / 10)  # noqa: S311 - spreads load, guards nothing


def back_off(attempt: int) -> float:
    """Return the seconds to wait after that many attempts: doubling, capped at an hour, half of it by chance."""
    longest = min(BACK_OFF * 2 ** (attempt - 1), LONGEST_WAIT)
    return longest / 2 + random.random() * longest / 2  # noqa: S311 - spreads load, guards nothing
