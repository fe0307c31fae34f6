"""How many records a tenant has, known without counting them, and the plan's limit on it.

Two sequences of the tenant's schema run on: one with every record that appears (made, or taken out of the bin),
one with every record that goes. Their difference is the number of living records. A sequence makes no writer wait
and is exact among parallel ones; only what is rolled back leaves it wrong, and a chore corrects that.
"""

from collections.abc import Sequence
from typing import Any

from psycopg import sql

from apps.core.db import fast
from apps.core.errors import Problem
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.objects import catalog
from apps.tenants import quotas
from apps.tenants.queries import refs

MADE, GONE = "records_made", "records_gone"
TAKEN = sql.SQL("nextval({made}) IS NOT NULL")
ROOM = sql.SQL(
    "CASE WHEN nextval({made}) - {gone_so_far} <= {most} THEN true ELSE nextval({gone}) IS NULL END"
)
NOW = sql.SQL("SELECT {have}, {gone_so_far}")
# Whoever took a value of a sequence holds a lock on it until the end of the transaction.
WRITERS = sql.SQL(
    "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE relation = {made} AND pid <> pg_backend_pid() AND database ="
    " (SELECT oid FROM pg_database WHERE datname = current_database()))"
)
COUNT = sql.SQL("SELECT sum(n)::bigint FROM ({}) c")
NOTHING = sql.SQL("SELECT 0 AS n")
MANY = sql.SQL("SELECT count(nextval({})) FROM generate_series(1, %s)")


def room(tenant: TenantRef, limit: int | None) -> sql.Composable:
    """Return the expression that takes the place of one record: true, or false when the plan is full.

    The limit stands in the text: three parameters more cost the hot path more than the sequences do.
    """
    if limit is None:
        return TAKEN.format(**_parts(tenant))
    return ROOM.format(most=sql.Literal(limit), **_parts(tenant))


def _parts(tenant: TenantRef) -> dict[str, sql.Composable]:
    named = (sql.Literal(f'"{tenant.schema}"."{name}"') for name in (MADE, GONE))
    made, gone = (sql.SQL("{}::regclass").format(name) for name in named)
    last = sql.SQL("coalesce(pg_sequence_last_value({}), 0)")
    have = sql.SQL("({} - {})").format(last.format(made), last.format(gone))
    return {"made": made, "gone": gone, "gone_so_far": last.format(gone), "have": have}


def _rows(tenant: TenantRef, statement: sql.Composed, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    return fast.read(tenant, statement.as_bytes(None), params, writes=True).rows


def used(tenant: TenantRef) -> int:
    """Return how many living records the tenant has."""
    return max(0, int(_rows(tenant, sql.SQL("SELECT {}").format(_parts(tenant)["have"]))[0][0]))


def take(tenant: TenantRef, count: int) -> None:
    """Take the places of `count` records that come back from the bin; raises QUOTA_EXCEEDED unless all fit."""
    limit = quotas.limit_of(tenant, "records")
    if limit is not None and used(tenant) + count > limit:
        raise full(tenant, limit)
    _rows(tenant, MANY.format(_parts(tenant)["made"]), [count])
    if limit is not None and used(tenant) > limit:
        give_back(tenant, count)
        raise full(tenant, limit)


def give_back(tenant: TenantRef, count: int) -> None:
    """Give back the places of `count` records that are gone."""
    if count:
        _rows(tenant, MANY.format(_parts(tenant)["gone"]), [count])


def full(tenant: TenantRef, limit: int) -> Problem:
    """Return the refusal of one record too many."""
    return quotas.refused("records", limit, used(tenant))


def correct(tenant: TenantRef) -> int:
    """Count the living records and correct the tally; return by how many. In a transaction of its own.

    Too low is corrected always. Too high only when nobody is writing at the first look: what they wrote could not
    be told from what was rolled back.
    """
    parts = _parts(tenant)
    tables = [
        sql.SQL("SELECT count(*) AS n FROM {} WHERE deleted_at IS NULL").format(
            sql.Identifier(tenant.schema, obj.table)
        )
        for obj in catalog.catalog()
    ]
    have, gone = _rows(tenant, NOW.format(**parts))[0]
    (busy,) = _rows(tenant, WRITERS.format(**parts))[0]
    (living,) = _rows(tenant, COUNT.format(sql.SQL(" UNION ALL ").join([NOTHING, *tables])))[0]
    have_now, gone_now = _rows(tenant, NOW.format(**parts))[0]
    missing = living - have_now
    if missing > 0:
        _rows(tenant, MANY.format(parts["made"]), [missing])
        return int(missing)
    surplus = have - living - (gone_now - gone)
    if surplus > 0 and not busy:
        give_back(tenant, surplus)
        return int(-surplus)
    return 0


def correct_all() -> str:
    """Correct the tally of every tenant whose sequences moved since; a chore, outside any scope."""
    with platform_scope("tally of records"):
        tenants = refs()
    changed = 0
    for tenant in tenants:
        with tenant_scope(tenant):
            changed += correct(tenant) != 0
    return f"{changed} of {len(tenants)} corrected"
