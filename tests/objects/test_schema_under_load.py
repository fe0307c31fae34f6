"""Twelve kinds of change while people read and write and somebody reads for long: nobody fails, nobody waits for long.

The whole size (20 requests a second, a reader of five seconds, the bar of 500 ms) runs where the long tests run.
"""

import threading
import time
from uuid import UUID

import psycopg
import pytest
from django.db import connections

from apps.core.actor import SYSTEM
from apps.core.scope import tenant_scope
from apps.objects import query, records
from apps.objects.catalog import catalog
from apps.objects.parse import load_body
from apps.objects.publish import publish_in
from apps.objects.schema import applying

ROWS = 6_000  # enough that indexes are built before the change
BASE = {
    "name": {"type": "text", "required": True, "maxLength": 80},
    "code": {"type": "text", "maxLength": 80},
    "amount": {"type": "number"},
    "status": {"type": "select", "options": ["new", "old"]},
    "old_note": {"type": "textarea"},
    "secret_no": {"type": "text"},
}


def body(**changes):
    fields = {name: found for name, found in (BASE | changes).items() if found is not None}
    return {"name": "qs_load", "label": "Load", "nameField": "name", "fields": fields}


CHANGES = {
    "a column more": body(extra={"type": "text"}),
    "one with a default that is required": body(
        extra={"type": "text", "required": True, "defaultValue": "x"}
    ),
    "a column less": body(old_note=None),
    "another name": body(old_note=None, remark={"type": "textarea", "renamedFrom": "old_note"}),
    "required": body(code=BASE["code"] | {"required": True}),
    "a narrower text": body(code=BASE["code"] | {"maxLength": 60}),
    "a number as text": body(amount={"type": "text"}),
    "unique": body(code=BASE["code"] | {"unique": True}),
    "an index": body() | {"indexes": [{"fields": ["status", "amount"]}]},
    "another option": body(status={"type": "select", "options": ["new", "old", "gone"]}),
    "a reference": body(parent={"type": "lookup", "reference": "qs_load"}),
    "encrypted": body(secret_no={"type": "text", "encrypted": True}),
}


class Load(threading.Thread):
    """Reads and writes records through the services, `rate` times a second, and remembers what it felt."""

    def __init__(self, tenant, keys, rate=20):
        super().__init__(daemon=True)
        self.tenant, self.keys, self.rate = tenant, keys, rate
        self.longest, self.faults, self.done = 0.0, [], 0
        self.ended = threading.Event()

    def run(self):
        turn = 0
        while not self.ended.wait(1 / self.rate):
            turn += 1
            began = time.monotonic()
            try:
                self.ask(turn)
            except Exception as error:  # noqa: BLE001 - every kind of failure counts
                self.faults.append(repr(error))
            self.longest = max(self.longest, time.monotonic() - began)
            self.done += 1
        connections.close_all()

    def ask(self, turn):
        key = self.keys[turn % len(self.keys)]
        if turn % 4 == 0:
            records.update("qs_load", key, {"name": f"turn {turn}"}, by=SYSTEM, tenant=self.tenant)
        elif turn % 4 == 2:
            made = {"name": "new", "code": f"fresh {turn} {time.monotonic_ns()}", "amount": turn}
            found = query.get("qs_load", key, by=SYSTEM, tenant=self.tenant).record()
            made |= {} if isinstance(found["amount"], str) else {"status": "new"}
            records.create("qs_load", made | {"amount": "1"}, by=SYSTEM, tenant=self.tenant)
        else:
            query.find("qs_load", {"limit": 25}, by=SYSTEM, tenant=self.tenant)


class Reader(threading.Thread):
    """Holds the table open as a long report does."""

    def __init__(self, url, schema, seconds):
        super().__init__(daemon=True)
        self.url, self.schema, self.seconds = url, schema, seconds
        self.open = threading.Event()

    def run(self):
        with psycopg.connect(self.url) as connection:
            connection.execute(f'SELECT count(*) FROM "{self.schema}"."obj_qs_load"')
            self.open.set()
            time.sleep(self.seconds)


@pytest.fixture
def table(fresh_tenant):
    publish_in(fresh_tenant, [load_body(body())], by=SYSTEM)
    with tenant_scope(fresh_tenant), connections["default"].cursor() as cursor:
        cursor.execute(
            'INSERT INTO "obj_qs_load" (id, name, code, amount, status, old_note, secret_no)'
            " SELECT gen_random_uuid(), 'n' || n, 'c' || n, n, 'new', 'o' || n, 's' || n"
            " FROM generate_series(1, %s) n RETURNING id",
            [ROWS],
        )
        keys = [str(row[0]) for row in cursor.fetchmany(50)]
    return fresh_tenant, keys


def under_load(table, url, changed, seconds):
    """Publish `changed` while people work and a reader reads; return the load as it felt it."""
    tenant, keys = table
    load, reader = Load(tenant, keys), Reader(url, tenant.schema, seconds)
    load.start()
    time.sleep(0.2)
    calm = load.longest
    reader.start()
    reader.open.wait()
    try:
        publish_in(tenant, [load_body(changed)], by=SYSTEM, allow_destructive=True)
    finally:
        reader.join()
        time.sleep(0.2)
        load.ended.set()
        load.join()
    return load, calm


def back(table):
    """Bring the table back to what it was, for the next change."""
    tenant, _keys = table
    publish_in(tenant, [load_body(body())], by=SYSTEM, allow_destructive=True)
    with tenant_scope(tenant), connections["default"].cursor() as cursor:
        cursor.execute("UPDATE obj_qs_load SET old_note = 'o', code = coalesce(code, id::text)")


def run_all(table, url, seconds, names):
    figures = {}
    for name in names:
        load, calm = under_load(table, url, CHANGES[name], seconds)
        figures[name] = (load.done, load.longest, calm)
        assert not load.faults, (name, load.faults[:3])
        back(table)
    for name, (done, longest, calm) in figures.items():
        print(f"{name:40} {done:4} requests, longest {longest * 1000:5.0f} ms, calm {calm * 1000:4.0f} ms")
    return figures


def test_a_change_lets_everybody_by(table, superuser_url):
    """The short form: three kinds with a reader of a second; a waiting ALTER would hold everybody as long."""
    figures = run_all(table, superuser_url, 1.0, ("a column more", "unique", "encrypted"))
    assert len(figures) == 3


@pytest.mark.long
def test_twelve_kinds_with_a_reader_of_five_seconds(table, superuser_url):
    figures = run_all(table, superuser_url, 5.0, CHANGES)
    assert len(figures) == 12
    for name, (_done, longest, calm) in figures.items():
        assert longest - calm <= 0.5, (name, longest)


def test_an_impatient_change_makes_everybody_wait(table, superuser_url, monkeypatch):
    """Negative control: a change that simply waits for its lock holds up all who come after it."""
    monkeypatch.setattr(applying, "LOCK_TIMEOUT_MS", 0)
    load, _calm = under_load(table, superuser_url, CHANGES["a column more"], 2.0)
    assert load.longest > 1.0


def test_the_index_of_a_large_table_is_built_before(table):
    tenant, _keys = table
    with tenant_scope(tenant):
        assert len(catalog().object("qs_load").indexes) == 0
    statements = []
    original = applying.ahead._built

    def watched(connection, plan, op):
        statements.append(applying.ahead._statement(plan, op))
        return original(connection, plan, op)

    applying.ahead._built = watched
    try:
        publish_in(tenant, [load_body(CHANGES["an index"])], by=SYSTEM)
    finally:
        applying.ahead._built = original
    assert len(statements) == 1 and statements[0].startswith("CREATE INDEX CONCURRENTLY")
    with tenant_scope(tenant), connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_indexes WHERE schemaname = %s AND indexdef LIKE '%%status, amount%%'",
            [tenant.schema],
        )
        assert cursor.fetchone()[0] == 1


def test_a_unique_index_that_records_break_leaves_nothing(table):
    from apps.core.errors import Conflict

    tenant, keys = table
    records.update("qs_load", UUID(keys[0]), {"code": "twice"}, by=SYSTEM, tenant=tenant)
    records.update("qs_load", UUID(keys[1]), {"code": "twice"}, by=SYSTEM, tenant=tenant)
    with pytest.raises(Conflict) as refusal:
        publish_in(tenant, [load_body(CHANGES["unique"])], by=SYSTEM)
    assert refusal.value.code == "SCHEMA_CONFLICT"
    with tenant_scope(tenant), connections["default"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid")
        assert cursor.fetchone()[0] == 0
