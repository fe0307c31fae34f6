"""Objects that ask for it: whoever reads a record is in the ledger before they have it, whatever happens next."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import transaction

from apps.audit import queries as ledger
from apps.audit import reads
from apps.audit.models import Pending
from apps.core.actor import SYSTEM
from apps.core.errors import Problem
from apps.core.scope import tenant_scope
from apps.objects import query, records
from apps.objects.parse import load_body
from apps.objects.publish import publish_in
from apps.permissions import services as permissions
from tests.objects.world import EVERY

FILE = {
    "name": "qa_file",
    "label": "File",
    "sharingModel": "public_read_write",
    "enable": {"trackReads": True},
    "fields": {"name": {"type": "text"}, "ward": {"type": "text"}},
}
VISIT = {
    "name": "qa_visit",
    "label": "Visit",
    "sharingModel": "public_read_write",
    "fields": {"name": {"type": "text"}, "of": {"type": "lookup", "reference": "qa_file"}},
}


@pytest.fixture(scope="module")
def stage(published):
    publish_in(published.acme, [load_body(FILE), load_body(VISIT)], by=SYSTEM)
    with tenant_scope(published.acme):
        body = {"objects": {"qa_file": EVERY | {"allowExport": True}, "qa_visit": EVERY}}
        permissions.create_set(name="qa_files", label="Files", body=body, by=SYSTEM)
        permissions.assign(user_id=published.user("sales"), name="qa_files", by=SYSTEM)
    return published


@pytest.fixture
def file(stage):
    with tenant_scope(stage.acme):
        return records.create("qa_file", {"name": "Ann", "ward": "A"}, by=stage.actor("sales")).id


def seen(stage, action, **more):
    with tenant_scope(stage.acme):
        return ledger.browse(ledger.Filters(action=action, **more), limit=200).entries


@pytest.mark.parametrize("outside", [True, False], ids=["one round trip", "in a scope"])
def test_reading_a_record_is_in_the_ledger(stage, file, outside):
    by = stage.actor("sales")
    if outside:
        query.get("qa_file", file, by=by, tenant=stage.acme)
    else:
        with tenant_scope(stage.acme):
            query.get("qa_file", file, by=by)
    (entry,) = seen(stage, "qa_file.read", target=f"qa_file:{file}")
    assert (entry.actor.id, entry.actor.label) == (by.id, by.label)


def test_a_list_names_the_records_it_showed(stage, file):
    by = stage.actor("sales")
    page = query.find("qa_file", {"where": {"id": file}, "fields": ["name"]}, by=by, tenant=stage.acme)
    assert page.records() == [{"id": file, "name": "Ann"}]
    (entry,) = [
        e for e in seen(stage, "qa_file.read", target="object:qa_file") if e.details["records"] == [file]
    ]
    assert entry.details["count"] == 1


def test_an_export_is_called_one(stage, file):
    query.find("qa_file", {"where": {"id": file}}, by=stage.actor("sales"), tenant=stage.acme, op="export")
    assert [e for e in seen(stage, "qa_file.exported") if e.details["records"] == [file]]


def test_a_watched_record_seen_through_another_is_named(stage, file):
    by = stage.actor("sales")
    with tenant_scope(stage.acme):
        visit = records.create("qa_visit", {"name": "Monday", "of": file}, by=by).id
    query.get("qa_visit", visit, by=by, tenant=stage.acme, expand="of")
    query.find("qa_visit", {"where": {"id": visit}, "expand": ["of"]}, by=by, tenant=stage.acme)
    found = [
        e for e in seen(stage, "qa_file.read", target="object:qa_file") if e.details["records"] == [file]
    ]
    assert len(found) == 2
    assert seen(stage, "qa_visit.read") == ()


def test_objects_that_do_not_ask_are_not_watched(stage, file):
    """Negative control of the others: without the key the same read leaves nothing."""
    by = stage.actor("sales")
    with tenant_scope(stage.acme):
        visit = records.create("qa_visit", {"name": "Monday"}, by=by).id
        before = Pending.objects.count()
        query.get("qa_visit", visit, by=by)
        assert Pending.objects.count() == before


def test_counting_groups_is_a_read_too(stage, file):
    body = {"groupBy": ["ward"], "aggregations": [{"function": "count", "alias": "n"}]}
    query.find("qa_file", body, by=stage.actor("sales"), tenant=stage.acme)
    assert [e for e in seen(stage, "qa_file.read", target="object:qa_file") if e.details.get("groups")]


def test_the_entry_stays_although_the_reader_rolls_back(stage, file):
    with tenant_scope(stage.acme):
        query.get("qa_file", file, by=stage.actor("sales"))
        transaction.set_rollback(True)
    assert len(seen(stage, "qa_file.read", target=f"qa_file:{file}")) == 1


def test_nobody_reads_what_cannot_be_written_down(stage, file, superuser_url, monkeypatch):
    monkeypatch.setattr(reads, "PATIENCE", 0.2)
    with psycopg.connect(superuser_url) as other:
        other.execute("LOCK TABLE public.audit_pending IN SHARE MODE")
        with pytest.raises(Problem) as refusal:
            query.get("qa_file", file, by=stage.actor("sales"), tenant=stage.acme)
        other.rollback()
    assert (refusal.value.code, refusal.value.status) == ("LEDGER_UNAVAILABLE", 503)


def test_many_readers_at_once_lose_nothing_and_share_commits(stage, file, monkeypatch):
    by, commits = stage.actor("sales"), []
    real = reads._Group.write
    monkeypatch.setattr(
        reads._Group, "write", lambda self: (real(self), commits.append(len(self._entries)))[0]
    )
    gate = threading.Barrier(16)

    def read(_number):
        gate.wait()
        for _ in range(10):
            reads.note("qa_file.read", by=by, tenant=stage.acme.id, target="qa_file:crowd")

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(read, range(16)))
    assert len(seen(stage, "qa_file.read", target="qa_file:crowd")) == 160
    assert sum(commits) == 160
    assert max(commits) > 1


KILLED = """
import os, signal, sys
import django
django.setup()
from uuid import UUID
from apps.audit import reads
from apps.core.actor import SYSTEM
waits = sys.argv[2] == "waits"
if not waits:
    reads.Reads.write = lambda self, entry: self._waiting.append((entry, None))
reads.note("qa_file.read", by=SYSTEM, tenant=UUID(sys.argv[1]), target=f"qa_file:killed-{sys.argv[2]}")
print("answered", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_killed_after_its_answer_has_lost_nothing(stage):
    """Negative control: a buffer that does not wait for its commit loses the entry of the very same answer."""
    for how, kept in (("waits", 1), ("buffers", 0)):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(stage.acme.id), how],
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.test"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stdout, done.returncode) == ("answered\n", -signal.SIGKILL), done.stderr
        assert len(seen(stage, "qa_file.read", target=f"qa_file:killed-{how}")) == kept
