"""Days of the log and of the inbox: made ahead, filled without thinking, dropped whole.

An event's id begins with its time, so a day is a range of ids. What belongs to no day that was made in time lies in
the default partition and is moved when its day is made. Needs the owner's login; a lock that is not to be had within
`PATIENCE` is let go and asked for again, so that writers never queue up behind a table that is being put in order.
"""

import datetime as dt
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connections
from psycopg import sql

from apps.core.db import loss
from apps.core.db.owner import owner_session
from apps.core.db.walls import build_walls
from apps.core.scope import platform_scope

logger = logging.getLogger("aibos.events")

LOG, INBOX = "events_outbox", "events_inbox"
KEYS = {LOG: "id", INBOX: "event_id"}
AHEAD = 7
PATIENCE, TRIES = "200ms", 30
LOCK_NOT_AVAILABLE = "55P03"
DAY_MS = 86_400_000

KNOWN = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = %s::regclass AND c.relname LIKE %s ORDER BY 1
"""
STRAY = sql.SQL("SELECT DISTINCT substr({key}::text, 1, 13) FROM public.{default}")
MOVE = sql.SQL("""
WITH moved AS (DELETE FROM public.{default} WHERE {key} >= {low} AND {key} < {high} RETURNING *)
INSERT INTO public.{made} SELECT * FROM moved
""")
UNREAD = sql.SQL("""
SELECT EXISTS (SELECT 1 FROM public.events_position p WHERE p.bus = %s AND EXISTS (
  SELECT 1 FROM public.{day} o WHERE (o.xid, o.id) > (p.xid, p.id)))
""")
NOBODY = "SELECT NOT EXISTS (SELECT 1 FROM public.events_position WHERE bus = %s)"


@dataclass(frozen=True)
class Kept:
    """What was done: the partitions made, those dropped, and the old days that somebody has not read yet."""

    made: tuple[str, ...]
    dropped: tuple[str, ...]
    waiting: tuple[str, ...]

    def __str__(self) -> str:
        return f"{len(self.made)} made, {len(self.dropped)} dropped, {len(self.waiting)} not read by all"


def bounds(day: dt.date) -> tuple[UUID, UUID]:
    """Return the least id of a day and that of the next."""
    millis = int(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp() * 1000)
    return UUID(int=millis << 80), UUID(int=(millis + DAY_MS) << 80)


def name_of(table: str, day: dt.date) -> str:
    """Return the name of a day's partition."""
    return f"{table}_{day:%Y%m%d}"


def keep(*, today: dt.date | None = None, days: int | None = None) -> Kept:
    """Make the days ahead and the days of stray rows, and drop what is older than `days` and read by everybody."""
    today = today or dt.datetime.now(dt.UTC).date()
    oldest = today - dt.timedelta(days=max(1, settings.EVENTS_KEEP_DAYS if days is None else days))
    made: list[str] = []
    dropped: list[str] = []
    waiting: list[str] = []
    with owner_session():
        for table in (LOG, INBOX):
            wanted = {today + dt.timedelta(days=number) for number in range(AHEAD + 1)} | _strays(table)
            made += [name_of(table, day) for day in sorted(wanted - _days(table)) if _make(table, day)]
        for day in sorted(_days(LOG)):
            if day < oldest:
                (dropped if _drop_log(day) else waiting).append(name_of(LOG, day))
        # A day's inbox goes with the day's events: as long as these can be read again, it says what was done.
        dropped += [name_of(INBOX, day) for day in sorted(_days(INBOX)) if day < oldest and _drop_inbox(day)]
    if waiting:
        logger.warning("Days of the log that somebody has not read are kept: %s.", ", ".join(waiting))
    return Kept(tuple(made), tuple(dropped), tuple(waiting))


def _days(table: str) -> set[dt.date]:
    with platform_scope("events: days of the log"), connections["default"].cursor() as cursor:
        cursor.execute(KNOWN, [f"public.{table}", f"{table}\\_2%"])
        return {_date(row[0].rpartition("_")[2]) for row in cursor.fetchall()}


def _date(text: str) -> dt.date:
    return dt.datetime.strptime(text, "%Y%m%d").replace(tzinfo=dt.UTC).date()


def _strays(table: str) -> set[dt.date]:
    query = STRAY.format(key=sql.Identifier(KEYS[table]), default=sql.Identifier(f"{table}_default"))
    with platform_scope("events: days of the log"), connections["default"].cursor() as cursor:
        cursor.execute(query)
        stamps = [int(row[0].replace("-", ""), 16) for row in cursor.fetchall()]
    return {dt.datetime.fromtimestamp(stamp / 1000, dt.UTC).date() for stamp in stamps}


def _make(table: str, day: dt.date) -> bool:
    return _patiently(lambda: _attach(table, day))


def _attach(table: str, day: dt.date) -> None:
    """Make a day beside the table and attach it: writers of other days never wait."""
    low, high = (sql.Literal(str(edge)) for edge in bounds(day))
    names = {
        "table": sql.Identifier(table),
        "made": sql.Identifier(name_of(table, day)),
        "default": sql.Identifier(f"{table}_default"),
        "key": sql.Identifier(KEYS[table]),
        "low": low,
        "high": high,
    }
    statements = (
        sql.SQL("LOCK TABLE public.{default} IN ACCESS EXCLUSIVE MODE"),
        sql.SQL("CREATE TABLE public.{made} (LIKE public.{table} INCLUDING ALL)"),
        MOVE,
        sql.SQL(
            "ALTER TABLE public.{table} ATTACH PARTITION public.{made} FOR VALUES FROM ({low}) TO ({high})"
        ),
    )
    with platform_scope("events: a day of the log"), connections["default"].cursor() as cursor:
        _be_patient(cursor)
        for statement in statements:
            cursor.execute(statement.format(**names))
        cursor.execute(sql.SQL("SELECT NOT EXISTS (SELECT 1 FROM public.{default})").format(**names))
        if cursor.fetchone()[0]:  # gives back what the moved rows took
            cursor.execute(sql.SQL("TRUNCATE public.{default}").format(**names))
        build_walls("public")


def _drop_log(day: dt.date) -> bool:
    name = sql.Identifier(name_of(LOG, day))
    with platform_scope("events: who has read it"), connections["default"].cursor() as cursor:
        cursor.execute(NOBODY, [settings.EVENTS_BUS])
        nobody = cursor.fetchone()[0]
        cursor.execute(UNREAD.format(day=name), [settings.EVENTS_BUS])
        if cursor.fetchone()[0] or nobody:
            return False
    return _patiently(lambda: _drop(LOG, day))


def _drop_inbox(day: dt.date) -> bool:
    return day not in _days(LOG) and _patiently(lambda: _drop(INBOX, day))


def _drop(table: str, day: dt.date) -> None:
    names = {"table": sql.Identifier(table), "day": sql.Identifier(name_of(table, day))}
    with platform_scope("events: an old day of the log"), connections["default"].cursor() as cursor:
        _be_patient(cursor)
        cursor.execute(sql.SQL("ALTER TABLE public.{table} DETACH PARTITION public.{day}").format(**names))
        cursor.execute(sql.SQL("DROP TABLE public.{day}").format(**names))


def _be_patient(cursor: Any) -> None:
    cursor.execute("SELECT set_config('lock_timeout', %s, true)", [PATIENCE])


def _patiently(work: Callable[[], None]) -> bool:
    """Try until the locks are to be had; return False when they never were (the next chore tries again)."""
    for attempt in range(TRIES):
        try:
            work()
            return True
        except DatabaseError as error:
            if getattr(error.__cause__, "sqlstate", None) != LOCK_NOT_AVAILABLE or loss.is_lost(error):
                raise
            time.sleep(random.uniform(0.05, 0.2) * (1 + attempt / 5))  # noqa: S311 - no secret
    logger.warning("The log's tables were in use all the time; their days are put in order later.")
    return False
