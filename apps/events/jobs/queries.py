"""Reading jobs, for the pages and the API: lists by state and tenant, one with its progress, counts."""

import json
from typing import Any
from uuid import UUID

from django.db import connections
from psycopg import sql

from apps.core.errors import Invalid, NotFound
from apps.core.scope import current_scope
from apps.events.jobs.states import JobState
from apps.events.types import JobPage, JobView

MOST = 200
BRIEF = """id, tenant_id, name, title, state, actor->>'label' AS actor_label, actor->>'id' AS actor_id, priority,
 attempt, max_attempts, done, total, message, cancel_requested, run_at, created_at, started_at, finished_at, error,
 args"""
LIST = sql.SQL("SELECT {columns} FROM public.events_job WHERE {condition} ORDER BY id DESC LIMIT {limit}")


def jobs(
    *,
    state: str | None = None,
    tenant_id: UUID | None = None,
    name: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> JobPage:
    """Return the scope's jobs, newest first.

    A tenant's scope sees its own jobs; the platform's sees all, or those of `tenant_id`. `cursor` is what the
    page before gave as `next`.
    """
    limit = max(1, min(limit, MOST))
    where, params = _scope_condition(tenant_id)
    if state:
        if state not in JobState.values:
            message = f"A job's state is one of {', '.join(JobState.values)}."
            raise Invalid(message, code="INVALID_QUERY")
        where, params = [*where, sql.SQL("state = %s")], [*params, state]
    if name:
        where, params = [*where, sql.SQL("name = %s")], [*params, name]
    if cursor:
        where, params = [*where, sql.SQL("id < %s")], [*params, _cursor(cursor)]
    found = _read(sql.SQL(BRIEF), where, params, limit + 1)
    page = tuple(JobView(**row) for row in found[:limit])
    return JobPage(page, str(page[-1].id) if len(found) > limit else None)


def get(job_id: UUID) -> JobView:
    """Return one job with its log, result and traceback; raise NotFound when the scope has no such job."""
    where, params = _scope_condition(None)
    columns = sql.SQL(BRIEF + ", log, result, traceback, attempts, args_version")
    found = _read(columns, [*where, sql.SQL("id = %s")], [*params, job_id], 1)
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
    for name in ("args", "result", "attempts"):
        if row.get(name) is not None:
            row[name] = json.loads(row[name])
    if "attempts" in row:
        row["attempts"] = tuple(row["attempts"])
    return row


def _and(conditions: list[sql.Composable]) -> sql.Composable:
    return sql.SQL(" AND ").join([sql.SQL("TRUE"), *conditions])


def _cursor(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Invalid("The cursor is not one this list gave out.", code="INVALID_CURSOR") from error
