"""Reading jobs, for the pages and the API: lists by state and tenant, one with its progress, counts."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connections
from psycopg import sql

from apps.core.errors import Invalid, NotFound
from apps.core.scope import current_scope
from apps.events.jobs.states import JobState
from apps.events.types import JobPage, JobView, LetterCount

MOST = 200
AUTHOR = "coalesce(jsonb_path_query_first(acts, '$[*] ? (exists (@.actor)).actor.id') #>> '{}', actor->>'id')"
BRIEF = f"""id, tenant_id, name, title, state, actor->>'label' AS actor_label, actor->>'id' AS actor_id,
 {AUTHOR} AS author_id, priority, attempt, max_attempts, done, total, message, cancel_requested, run_at,
 created_at, started_at, finished_at, error, args"""
BY_AUTHOR = f"({AUTHOR} = ANY(%s) OR actor->>'id' = ANY(%s))"
FULL = f"{BRIEF}, args_version, worker, schedule_id, request_id, attempts, acts, log, result, traceback"
DEAD_BY_TASK = sql.SQL("""
SELECT name, count(*) FILTER (WHERE state = 'failed'), count(*) FILTER (WHERE state = 'quarantined'),
       min(coalesce(finished_at, created_at)), max(coalesce(finished_at, created_at))
FROM public.events_job WHERE state IN ('failed', 'quarantined') AND {condition}
GROUP BY name ORDER BY 2 DESC, 1
""")
LIST = sql.SQL("SELECT {columns} FROM public.events_job WHERE {condition} ORDER BY id DESC LIMIT {limit}")


def jobs(
    *,
    state: str | None = None,
    states: Sequence[str] = (),
    tenant_id: UUID | None = None,
    name: str | None = None,
    author: Sequence[str] | None = None,
    text: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> JobPage:
    """Return the scope's jobs, newest first.

    A tenant's scope sees its own jobs; the platform's sees all, or those of `tenant_id`. `author` keeps those of
    one person, known by these ids; `text` is looked for in titles and causes. `cursor` is what the page before
    gave as `next`.
    """
    limit = max(1, min(limit, MOST))
    where, params = _scope_condition(tenant_id)
    wanted = [*states, *([state] if state else [])]
    if wanted:
        if not set(wanted) <= set(JobState.values):
            message = f"A job's state is one of {', '.join(JobState.values)}."
            raise Invalid(message, code="INVALID_QUERY")
        where, params = [*where, sql.SQL("state = ANY(%s)")], [*params, wanted]
    if name:
        where, params = [*where, sql.SQL("name = %s")], [*params, name]
    if author is not None:
        where, params = [*where, sql.SQL(BY_AUTHOR)], [*params, list(author), list(author)]
    if text:
        like = f"%{_literal(text)}%"
        where, params = [*where, sql.SQL("(title ILIKE %s OR error ILIKE %s)")], [*params, like, like]
    if cursor:
        where, params = [*where, sql.SQL("id < %s")], [*params, _cursor(cursor)]
    found = _read(sql.SQL(BRIEF), where, params, limit + 1)
    page = tuple(JobView(**row) for row in found[:limit])
    return JobPage(page, str(page[-1].id) if len(found) > limit else None)


def get(job_id: UUID) -> JobView:
    """Return one job with all there is about it; raise NotFound when the scope has no such job."""
    where, params = _scope_condition(None)
    found = _read(sql.SQL(FULL), [*where, sql.SQL("id = %s")], [*params, job_id], 1)
    if not found:
        raise NotFound("There is no such job.")
    return JobView(**found[0])


def counts() -> dict[str, int]:
    """Return how many jobs of the scope are in each state; states without jobs are 0."""
    where, params = _scope_condition(None)
    statement = sql.SQL("SELECT state, count(*) FROM public.events_job WHERE {} GROUP BY 1").format(
        _and(where)
    )
    with connections["default"].cursor() as db:
        db.execute(statement, params)
        return dict.fromkeys(JobState.values, 0) | dict(db.fetchall())


def dead_by_task(*, tenant_id: UUID | None = None) -> list[LetterCount]:
    """Return the scope's dead letters counted by task, the task with the most first."""
    where, params = _scope_condition(tenant_id)
    with connections["default"].cursor() as db:
        db.execute(DEAD_BY_TASK.format(condition=_and(where)), params)
        return [LetterCount(*row) for row in db.fetchall()]


def names(*, tenant_id: UUID | None = None) -> list[str]:
    """Return the tasks of which the scope has jobs, by name."""
    where, params = _scope_condition(tenant_id)
    statement = sql.SQL("SELECT DISTINCT name FROM public.events_job WHERE {} ORDER BY 1").format(_and(where))
    with connections["default"].cursor() as db:
        db.execute(statement, params)
        return [row[0] for row in db.fetchall()]


def _scope_condition(tenant_id: UUID | None) -> tuple[list[sql.Composable], list[Any]]:
    here = current_scope().tenant
    wanted = here.id if here else tenant_id
    return ([sql.SQL("tenant_id = %s")], [wanted]) if wanted else ([], [])


def _read(
    columns: sql.Composable, where: list[sql.Composable], params: list[Any], limit: int
) -> list[dict[str, Any]]:
    statement = LIST.format(columns=columns, condition=_and(where), limit=sql.Literal(limit))
    with connections["default"].cursor() as db:
        db.execute(statement, params)
        names = [column.name for column in db.description]
        return [_plain(dict(zip(names, row, strict=True))) for row in db.fetchall()]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    for name in ("args", "result", "attempts", "acts"):
        if row.get(name) is not None:
            row[name] = json.loads(row[name])
    if "attempts" in row:
        row["attempts"] = tuple(row["attempts"])
    return row


def _and(conditions: list[sql.Composable]) -> sql.Composable:
    return sql.SQL(" AND ").join([sql.SQL("TRUE"), *conditions])


def _literal(text: str) -> str:
    """Return a text in which LIKE finds nothing but itself."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _cursor(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Invalid("The cursor is not one this list gave out.", code="INVALID_CURSOR") from error
