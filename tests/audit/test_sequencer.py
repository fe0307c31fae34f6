"""The sequencer: nothing lost, doubled or forked, whoever is killed; one broken ledger does not stop the others."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connections
from psycopg import sql

from apps.audit import ledger, queries
from apps.audit.sequencer import Sequencer
from apps.audit.verify import verify
from apps.core import health
from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from tests.audit.settling import settle

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def attacker(superuser_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection."""
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        yield connection


def write(tenant: TenantRef, count: int, action: str = "lead.created") -> None:
    with tenant_scope(tenant):
        for number in range(count):
            ledger.record(action, by=SYSTEM, target=f"lead:{number}")


def chained(tenant: TenantRef) -> int:
    return verify(tenant).entries


def test_many_writers_and_a_killed_sequencer(database: dict[str, TenantRef]) -> None:
    """16 processes on one tenant, a tenth rolled back, the sequencer killed ten times; the naive append forks."""
    command = [
        sys.executable,
        "-m",
        "bench.ledger",
        "--seconds",
        "6",
        "--kills",
        "10",
        "--tenant",
        "crowded",
        "--json",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["writers"] == 16
    assert figures["kills"] == 10
    assert figures["committed"] == figures["chained"] > 100
    assert (figures["lost"], figures["phantom"], figures["forked"]) == (0, 0, 0)
    assert figures["verified"], figures["bad"]
    assert figures["naive_forked"] > 0, "the negative control did not fork"


def test_what_a_slow_transaction_wrote_is_not_passed_over(fresh_tenant: TenantRef) -> None:
    """A later commit waits for the earlier transaction, and both end up in the order of transactions."""
    settle()
    before = chained(fresh_tenant)
    opened, finish = threading.Event(), threading.Event()

    def slow() -> None:
        with tenant_scope(fresh_tenant):
            ledger.record("lead.created", by=SYSTEM, target="lead:slow")
            opened.set()
            finish.wait(20)
        connections.close_all()

    thread = threading.Thread(target=slow)
    thread.start()
    opened.wait(20)
    write(fresh_tenant, 1, "lead.updated")
    Sequencer().run_once()
    assert chained(fresh_tenant) == before, "linked past an open transaction"
    finish.set()
    thread.join()
    settle()
    with tenant_scope(fresh_tenant):
        newest = sorted(queries.browse(queries.Filters(), limit=2).entries, key=lambda entry: entry.seq or 0)
    assert [entry.action for entry in newest] == ["lead.created", "lead.updated"]
    assert verify(fresh_tenant).ok


def test_several_sequencers_do_not_disturb_each_other(fresh_tenant: TenantRef) -> None:
    write(fresh_tenant, 500)
    before = chained(fresh_tenant)
    done: list[int] = []

    def link() -> None:
        mine = Sequencer(batch=7)
        done.extend(mine.run_once() for _ in range(60))
        connections.close_all()

    threads = [threading.Thread(target=link) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settle()
    verdict = verify(fresh_tenant)
    assert verdict.ok, verdict.bad
    assert (verdict.entries - before, verdict.pending) == (500, 0)
    assert len([turn for turn in done if turn]) > 1


def test_no_tenant_starves(acme: TenantRef, globex: TenantRef) -> None:
    settle()
    write(acme, 300)
    write(globex, 1)
    before = chained(acme), chained(globex)
    sequencer = Sequencer(batch=50)
    while not sequencer.run_once():
        pass
    assert chained(acme) == before[0] + 50
    settle(globex)
    assert chained(globex) == before[1] + 1
    settle()


def test_a_broken_ledger_is_reported_and_the_others_go_on(
    fresh_tenant: TenantRef, acme: TenantRef, attacker: psycopg.Connection[Any]
) -> None:
    settle()
    before = chained(acme)
    rename = "ALTER TABLE {} RENAME TO {}"
    schema = fresh_tenant.schema
    attacker.execute(sql.SQL(rename).format(sql.Identifier(schema, "audit_entry"), sql.Identifier("gone")))
    write(fresh_tenant, 3)
    write(acme, 3)
    settle(acme)
    assert chained(acme) == before + 3
    found = health.run()["ledger_lag"]
    assert found.status == "failed"
    assert str(fresh_tenant.id) in found.message
    attacker.execute(sql.SQL(rename).format(sql.Identifier(schema, "gone"), sql.Identifier("audit_entry")))
    settle()
    assert verify(fresh_tenant).ok
    assert verify(fresh_tenant).pending == 0
    assert health.run()["ledger_lag"].status == "ok"


def test_a_forged_entry_makes_the_chain_stand_still_not_fork(
    fresh_tenant: TenantRef, attacker: psycopg.Connection[Any]
) -> None:
    """Somebody with the application's login adds an entry by hand: the number is taken, and verify says which."""
    write(fresh_tenant, 2)
    settle()
    last = chained(fresh_tenant)
    with tenant_scope(fresh_tenant), connections["default"].raw_cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_entry SELECT seq + 1, hash, prev, body, gen_random_uuid(), action, target, actor, at"
            " FROM audit_entry WHERE seq = %s",
            [last],
        )
    write(fresh_tenant, 1)
    sequencer = Sequencer()
    for _ in range(3):
        sequencer.run_once()
    verdict = verify(fresh_tenant)
    assert verdict.bad is not None
    assert (verdict.bad.seq, verdict.bad.flaw, verdict.pending) == (last + 1, "beyond the head", 1)
    attacker.execute("SET session_replication_role = replica")
    attacker.execute(sql.SQL("DELETE FROM {} WHERE seq > %s").format(_entries(fresh_tenant)), [last])
    settle()
    assert verify(fresh_tenant).ok


def test_rows_of_another_cluster_are_linked(
    fresh_tenant: TenantRef, attacker: psycopg.Connection[Any]
) -> None:
    """After a dump is restored elsewhere, transaction ids may lie in the future; nothing waits for them."""
    settle()
    before = chained(fresh_tenant)
    write(fresh_tenant, 2)
    attacker.execute(
        "UPDATE public.audit_pending SET xid = '4611686018427387904' WHERE tenant_id = %s", [fresh_tenant.id]
    )
    settle()
    assert chained(fresh_tenant) == before + 2
    assert verify(fresh_tenant).ok


def test_entries_of_nobody_are_reported(
    database: dict[str, TenantRef], attacker: psycopg.Connection[Any]
) -> None:
    nobody = "00000000-0000-7000-8000-00000000dead"
    with platform_scope("test"):
        ledger.record("lead.created", by=SYSTEM, tenant=TenantRef(UUID(nobody), "x", "t_x"))
    Sequencer().run_once()
    assert "no such tenant" in health.run()["ledger_lag"].message
    attacker.execute("DELETE FROM public.audit_pending WHERE tenant_id = %s", [nobody])
    attacker.execute("DELETE FROM public.audit_head WHERE tenant_id = %s", [nobody])


@pytest.mark.parametrize(("age", "status"), [(1, "ok"), (10, "degraded"), (100, "failed")])
def test_the_alarm_goes_by_the_age_of_the_oldest(
    acme: TenantRef, attacker: psycopg.Connection[Any], age: int, status: str
) -> None:
    settle()
    write(acme, 1)
    attacker.execute("UPDATE public.audit_pending SET written_at = now() - %s * interval '1 second'", [age])
    found = health.run()["ledger_lag"]
    assert found.status == status
    assert found.figures["ledger_lag_seconds"] >= age
    settle()


def test_the_alarm_names_the_transaction_that_holds_everything_up(
    acme: TenantRef, superuser_url: str, attacker: psycopg.Connection[Any]
) -> None:
    settle()
    with psycopg.connect(superuser_url) as holder:
        holder.execute("SELECT pg_current_xact_id()")
        write(acme, 1)
        attacker.execute("UPDATE public.audit_pending SET written_at = now() - interval '100 seconds'")
        found = health.run()["ledger_lag"]
        assert "is open" in found.message, found.message
    settle()
    assert health.run()["ledger_lag"].status == "ok"


def _entries(tenant: TenantRef) -> sql.Identifier:
    return sql.Identifier(tenant.schema, "audit_entry")
