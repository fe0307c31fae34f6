"""The watch over the ledger's coverage: every request, job and command of the suite is judged by what it wrote.

Triggers in the tests' database note each changed row and each entry with its transaction. After a request (or a
job, or a command) the watch looks at what was noted: a transaction that changed a row of business without an entry
fails the test, and so does an entry without actor, of another ledger, or without the request's id. At the end of a whole run
every mutating route must have been asked and have written. Switched on with `pytest --ledger-watch`.
"""

import functools
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
from django.core.handlers.base import BaseHandler
from django.core.management.base import BaseCommand
from django.urls import URLResolver

from apps.events.jobs import runner

# Bookkeeping that is no fact of business, each with its reason; `table` or `table:OPERATION`.
EXEMPT = {
    "audit_pending": "the ledger itself",
    "audit_entry": "the ledger itself",
    "audit_head": "the ledger itself",
    "audit_subjectkey": "keys come with the entry they seal",
    "audit_exportposition": "how far a copy of the ledger got",
    "audit_tile": "the tree over entries",
    "audit_tree": "the tree over entries",
    "audit_checkpoint": "signed heads of the tree",
    "audit_anchor": "where signed heads were sent",
    "audit_verification": "what a verification found, entered as ledger.verified",
    "tenant_clock": "tells processes that caches are stale",
    "events_process": "who is alive",
    "events_check": "what the health checks found",
    "events_check_minute": "what the health checks found",
    "events_minute": "figures for charts",
    "webhooks_delivery": "deliveries of an event whose change is entered; what people do to them is, too",
    "webhooks_attempt": "attempts of a delivery",
    "api_idempotencyanswer": "answers kept for a repeated request",
    "tenants_historicaltenant": "stands beside the entry of the same change",
    "tenants_historicalplan": "stands beside the entry of the same change",
    "tenants_historicalhost": "stands beside the entry of the same change",
    "events_position": "how far a consumer got",
    "events_job": "work asked for and how it goes: the row names who asked, and what it does is entered",
    "webhooks_receipt:UPDATE": "how often the same message came again",
    "identity_session:UPDATE": "when a session was last seen",
    "identity_apikey:UPDATE": "when a key was last used; revoking deletes or is entered by its service",
    "identity_user:UPDATE": "when a person last signed in, which is entered as session.started",
    "portal_visit": "what a person looked at last, for their own start page",
    "portal_preference": "how a person likes their lists",
    "django_migrations": "bookkeeping of the schema",
    "objects_importrow": "rows of an uploaded file; the upload and every record made of them are entered",
    "objects_importrun:UPDATE": "progress of an import; its steps are entered",
}
# The same of what jobs write by themselves, without anybody asking.
EXEMPT_IN_JOBS = {
    "webhooks_endpoint:UPDATE": "how its deliveries fare; being switched off is entered",
}
INSTALL = """
CREATE SCHEMA IF NOT EXISTS ledger_watch;
CREATE TABLE IF NOT EXISTS ledger_watch.seen (
  id bigserial PRIMARY KEY, xid xid8 NOT NULL, tbl text NOT NULL, op text NOT NULL, body text);
CREATE OR REPLACE FUNCTION ledger_watch.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND to_jsonb(OLD) = to_jsonb(NEW) THEN RETURN NULL; END IF;
  INSERT INTO ledger_watch.seen (xid, tbl, op, body) VALUES (pg_current_xact_id(), TG_TABLE_NAME, TG_OP,
    CASE WHEN TG_TABLE_NAME = 'audit_pending' AND TG_OP = 'INSERT'
         THEN convert_from((to_jsonb(NEW)->>'body')::bytea, 'UTF8') END);
  RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION ledger_watch.cover(place regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE OR REPLACE TRIGGER ledger_watch AFTER INSERT OR UPDATE OR DELETE ON %s
                  FOR EACH ROW EXECUTE FUNCTION ledger_watch.note()', place);
END $$;
CREATE OR REPLACE FUNCTION ledger_watch.born() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE made record;
BEGIN
  FOR made IN SELECT * FROM pg_event_trigger_ddl_commands() WHERE object_type = 'table' AND command_tag = 'CREATE TABLE'
  LOOP
    IF (SELECT relname LIKE 'obj\\_%' AND relkind = 'r' FROM pg_class WHERE oid = made.objid) THEN
      PERFORM ledger_watch.cover(made.objid::regclass);
    END IF;
  END LOOP;
END $$;
GRANT USAGE ON SCHEMA ledger_watch TO PUBLIC;
DROP EVENT TRIGGER IF EXISTS ledger_watch;
CREATE EVENT TRIGGER ledger_watch ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION ledger_watch.born();
SELECT ledger_watch.cover(c.oid::regclass) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND NOT c.relispartition AND (n.nspname = 'public' OR n.nspname LIKE 't\\_%');
"""
NEWEST = "SELECT coalesce(max(id), 0) FROM ledger_watch.seen"
SINCE = "SELECT xid::text, tbl, op, body FROM ledger_watch.seen WHERE id > %s ORDER BY id"


@dataclass
class Seen:
    """What one request, job or command wrote: transactions with their rows and entries."""

    rows: dict[str, list[str]] = field(default_factory=dict)
    entries: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def wrote(self) -> bool:
        """Whether a row of business changed."""
        return any(self.rows.values())

    def faults(self, request_id: str | None = None) -> list[str]:
        """Say what is wrong with the entries; nothing means that all is covered."""
        found = []
        for xid, rows in self.rows.items():
            if rows and not self.entries.get(xid):
                found.append(f"changed {', '.join(sorted(set(rows)))} without an entry in its transaction")
        for entries in self.entries.values():
            said = [json.dumps(_told(entry), sort_keys=True) for entry in entries]
            found += [
                f"twice the same entry: {text}" for text in {text for text in said if said.count(text) > 1}
            ]
            for entry in entries:
                actor = entry.get("actor", {})
                if not (actor.get("kind") and actor.get("id")):
                    found.append(f"{entry.get('action')} names no actor")
                if request_id and not entry.get("request"):
                    found.append(f"{entry.get('action')} does not name its request")
        return found


def _told(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: entry.get(key) for key in ("action", "target", "before", "after", "details", "tenant")}


class Watch:
    """One database under watch, by the administrator's connection."""

    def __init__(self, superuser_url: str) -> None:
        self._connection = psycopg.connect(superuser_url, autocommit=True)
        self._connection.execute(INSTALL)

    def close(self) -> None:
        """End the connection; the triggers go with the database."""
        self._connection.close()

    def newest(self) -> int:
        """Return the number of the last thing noted."""
        row = self._connection.execute(NEWEST).fetchone()
        assert row is not None
        return int(row[0])

    def since(self, mark: int, *, by_a_job: bool = False) -> Seen:
        """Return what was written after `mark` and is committed."""
        exempt = EXEMPT | EXEMPT_IN_JOBS if by_a_job else EXEMPT
        seen = Seen()
        for xid, table, op, body in self._connection.execute(SINCE, [mark]):
            if table == "audit_pending" and op == "INSERT":
                seen.entries.setdefault(xid, []).append(json.loads(body))
            rows = seen.rows.setdefault(xid, [])
            if table not in exempt and f"{table}:{op}" not in exempt:
                rows.append(f"{table} ({op})")
        return seen

    @contextmanager
    def judging(self, what: str, request_id: Callable[[], str | None] = lambda: None) -> Iterator[Seen]:
        """Fail when what the block commits is not covered."""
        mark, held = self.newest(), Seen()
        yield held
        seen = self.since(mark)
        held.rows, held.entries = seen.rows, seen.entries
        faults = seen.faults(request_id())
        assert not faults, f"{what}: " + "; ".join(faults)


def route_of(path: str) -> str:
    """Return a route as one names it: parameters without their converters."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"<\1>", path)


class Suite:
    """The watch of a whole run: wraps requests, jobs and commands, and remembers which routes have written."""

    def __init__(self) -> None:
        self.watch: Watch | None = None
        self.faults: list[str] = []
        self.routes: dict[str, bool] = {}
        self._depth = 0

    def begin(self, superuser_url: str) -> None:
        """Watch a database that was just made."""
        self.watch = Watch(superuser_url)

    def end(self) -> None:
        """Stop watching before the database goes."""
        if self.watch is not None:
            self.watch.close()
        self.watch = None

    def install(self) -> None:
        """Wrap what handles requests, runs jobs and runs commands."""
        BaseHandler.get_response = self._asked(BaseHandler.get_response)
        runner.run_next = self._done("a job", runner.run_next)
        BaseCommand.execute = self._done("a command", BaseCommand.execute)

    def _asked(self, real: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(real)
        def get_response(handler: Any, request: Any) -> Any:
            if self.watch is None or self._depth:
                return real(handler, request)
            mark = self.watch.newest()
            self._depth += 1
            try:
                response = real(handler, request)
            finally:
                self._depth -= 1
            seen = self.watch.since(mark)
            match = getattr(request, "resolver_match", None)
            route = f"{request.method} {route_of(match.route) if match else request.path}"
            self.routes[route] = self.routes.get(route, False) or seen.wrote or bool(seen.entries)
            self.faults += [
                f"{route}: {fault}" for fault in seen.faults(response.headers.get("X-Request-Id"))
            ]
            return response

        return get_response

    def _done(self, what: str, real: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(real)
        def run(*args: Any, **kwargs: Any) -> Any:
            if self.watch is None or self._depth:
                return real(*args, **kwargs)
            mark = self.watch.newest()
            self._depth += 1
            try:
                return real(*args, **kwargs)
            finally:
                self._depth -= 1
                self.faults += [
                    f"{what}: {fault}" for fault in self.watch.since(mark, by_a_job=True).faults()
                ]

        return run


suite = Suite()


# Mutating methods that change nothing by their nature, each with its reason.
CHANGE_NOTHING = {
    "POST api/v1/data/<name>/query": "a question in a body",
    "POST api/data/<name>/query": "a question in a body",
    "POST api/v1/security/explain": "a question in a body",
    "POST api/v1/auth/organization/set-active": "a session's tenant is fixed; only its own can be named",
    "POST api/v1/auth/sign-up/email": "refused: people come by invitation",
    "POST language": "sets a cookie",
    "POST o/<name>/conditions": "a question in a body",
    "POST o/<name>/filter": "turns a form into an address",
    "POST preferences": "how a person likes their lists",
    "POST ^api(?:/[\\s\\S]*)?\\Z": "refuses what no door serves",
    "PUT ^api(?:/[\\s\\S]*)?\\Z": "refuses what no door serves",
    "PATCH ^api(?:/[\\s\\S]*)?\\Z": "refuses what no door serves",
    "DELETE ^api(?:/[\\s\\S]*)?\\Z": "refuses what no door serves",
}


def mutating_routes() -> set[str]:
    """Return every route of the API and the portal that may change something, as `METHOD route`."""
    found = set()
    for route, view in _walk(import_module("apps.api.urls").urlpatterns):
        if route.startswith("api/data/"):  # the same doors as below /api/v1, for clients of ObjectOS
            continue
        door = getattr(view, "cls", None)
        methods = door.methods() if door is not None else ()
        found |= {f"{method} {route}" for method in methods if method not in {"GET", "HEAD"}}
    for route, view in _walk(import_module("apps.portal.urls").urlpatterns):
        if "POST" in _methods(view):
            found.add(f"POST {route}")
    return found - set(CHANGE_NOTHING)


def _walk(patterns: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for item in patterns:
        where = prefix + str(item.pattern)
        if isinstance(item, URLResolver):
            yield from _walk(item.url_patterns, where)
        else:
            yield route_of(where), item.callback


def _methods(view: Any) -> frozenset[str]:
    """Return the methods that a page's decorator lets through."""
    while view is not None:
        for cell in getattr(view, "__closure__", None) or ():
            value = cell.cell_contents
            if isinstance(value, list | tuple) and value and set(value) <= {"GET", "HEAD", "POST"}:
                return frozenset(value)
        view = getattr(view, "__wrapped__", None)
    return frozenset()


def never_written(target: Path) -> list[str]:
    """Return the mutating routes of which no test of the run behind `target` saw a write or an entry."""
    wrote = set()
    for line in target.read_text(encoding="utf-8").splitlines():
        route, _tab, flag = line.partition("\t")
        if flag == "1":
            wrote.add(route)
    return sorted(mutating_routes() - wrote)
