"""A manager mends what failed: dead letter → edit → done; and replays the others at once, by keyboard where it counts."""

import re
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connections
from playwright.sync_api import expect

from apps.core import queue
from apps.core.scope import platform_scope, tenant_scope
from apps.events.jobs import queries, runner
from apps.events.models import Job
from apps.objects.transfer import imports
from tests.looks import LOOKS, RICHEST, chosen
from tests.portal.atelier import PASSWORD, Atelier, atelier
from tests.portal.browser import faults, opened, overflow, sign_in
from tests.servers import LiveServer

__all__ = ["atelier"]
pytestmark = pytest.mark.browser


@contextmanager
def worker() -> Iterator[None]:
    """The product's own worker loop, in a thread of the test."""
    stop = threading.Event()

    def run() -> None:
        try:
            runner.work_forever(stop)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, name="worker", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)


def check(atelier: Atelier, run_id: str, title: str) -> str:
    """Ask for the check of an import."""
    with tenant_scope(atelier.ref):
        made = queue.enqueue(
            "objects.import_check",
            tenant=atelier.ref.id,
            args={"run_id": run_id},
            title=title,
            by=atelier.actor("sales"),
        )
    return str(made)


def mistaken(atelier: Atelier, wrong: str) -> str:
    """Ask for the check of an upload; the job gets a wrong id. Return the right one."""
    with tenant_scope(atelier.ref):
        content = b"name\nJourney account\n"
        by = atelier.actor("admin")
        run = imports.upload(object_name="crm_account", file_name="accounts.csv", content=content, by=by)
        imports.choose(run_id=run.id, mapping=[{"column": "name", "field": "name"}], mode="insert", by=by)
        made = imports.check(run_id=run.id, by=by)
    with platform_scope("journeys"):
        Job.objects.filter(pk=made).update(args={"run_id": wrong})
    return str(run.id)


def states(atelier: Atelier) -> list[str]:
    with tenant_scope(atelier.ref):
        return sorted(job.state for job in queries.jobs(name="objects.import_check").jobs)


def until(atelier: Atelier, wanted: list[str], seconds: int = 30) -> None:
    """Wait until the jobs stand so; not while a browser is open, whose loop owns this thread."""
    end = time.monotonic() + seconds
    while (now := states(atelier)) != wanted:
        assert time.monotonic() < end, now
        time.sleep(0.1)


@pytest.fixture(autouse=True)
def no_jobs(atelier: Atelier) -> None:
    with platform_scope("journeys"), connections["default"].cursor() as cursor:
        cursor.execute("DELETE FROM public.events_job")


def test_a_dead_letter_is_edited_and_runs(server: LiveServer, atelier: Atelier) -> None:
    base = server.url("", tenant=atelier.ref.slug)
    wrong = str(uuid.uuid4())
    right = mistaken(atelier, wrong)
    with worker():
        until(atelier, ["failed"])
    with worker(), opened() as page:
        sign_in(page, base, atelier.email("admin"), PASSWORD)
        page.goto(f"{base}/settings")
        page.get_by_role("link", name="Dead letters").click()
        page.get_by_role("link", name="Check accounts.csv").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Check accounts.csv")
        expect(page.locator("main")).to_contain_text(wrong)
        assert faults(page) == []
        page.get_by_role("link", name="Edit and try again").click()
        field = page.get_by_label("Arguments", exact=True)
        field.fill('{"run_id": 5}')
        page.get_by_role("button", name="Try again with these").click()
        expect(page.locator("[data-error-summary]")).to_contain_text("args.run_id")
        assert faults(page) == []
        page.locator("[data-error-summary] a").first.click()
        expect(field).to_be_focused()
        field.fill(f'{{"run_id": "{right}"}}')
        page.get_by_role("button", name="Try again with these").click()
        page.wait_for_url(re.compile("/jobs/"))
        expect(page.locator("#job")).to_contain_text("Done", timeout=30_000)
        page.goto(f"{base}/settings/dead-letters")
        expect(page.get_by_role("heading", name="No dead letters")).to_be_visible()
    assert states(atelier) == ["done"]


def test_the_others_are_replayed_and_set_aside(server: LiveServer, atelier: Atelier) -> None:
    base = server.url("", tenant=atelier.ref.slug)
    for number in range(4):
        check(atelier, str(uuid.uuid4()), f"Check part {number}.csv")
    with worker():
        until(atelier, ["failed"] * 4)
    with worker(), opened() as page:
        sign_in(page, base, atelier.email("admin"), PASSWORD)
        page.goto(f"{base}/settings/dead-letters")
        page.get_by_role("checkbox", name="Select Check part 0.csv").check()
        expect(page.get_by_text("1 selected")).to_be_visible()
        page.get_by_role("region", name="Selected jobs").get_by_role("button", name="Quarantine").click()
        expect(page.get_by_role("status").filter(has_text="1 job is in quarantine.")).to_be_visible()
        page.get_by_role("link", name="Check part 1.csv").click()
        page.get_by_role("link", name="Discard").click()
        page.get_by_label("Reason").fill("Sent twice")
        page.get_by_role("button", name="Discard").click()
        expect(page.locator("main")).to_contain_text("Sent twice")
        page.goto(f"{base}/settings/dead-letters")
        page.get_by_role("link", name="Replay all").click()
        expect(page.locator("main")).to_contain_text("2 jobs are queued again")
        page.get_by_role("button", name="Begin the replay").click()
        page.wait_for_url(re.compile("/jobs/"))
        expect(page.locator("#job")).to_contain_text("Done", timeout=30_000)
    with worker():
        until(atelier, ["discarded", "failed", "failed", "quarantined"])
    with tenant_scope(atelier.ref):
        tried = [len(queries.get(job.id).attempts) for job in queries.jobs(state="failed").jobs]
    assert tried == [6, 6], "three attempts before, three after"


@pytest.mark.parametrize("look", chosen())
def test_the_pages_look_right(server: LiveServer, atelier: Atelier, look: str) -> None:
    base = server.url("", tenant=atelier.ref.slug)
    made = [check(atelier, str(uuid.uuid4()), f"Check part {number}.csv") for number in range(2)]
    with worker():
        until(atelier, ["failed"] * 2)
    with opened(**LOOKS[look]) as page:
        page.context.add_cookies([{"name": "aibos_language", "value": "en", "url": base}])
        sign_in(page, base, atelier.email("admin"), PASSWORD)
        page.context.add_cookies(
            [{"name": "aibos_language", "value": "ar" if look == RICHEST else "en", "url": base}]
        )
        for path in (
            "/settings/jobs",
            "/settings/jobs?state=done",
            f"/jobs/{made[0]}",
            "/settings/dead-letters",
            f"/settings/dead-letters/{made[0]}",
            f"/settings/dead-letters/{made[0]}/edit",
            f"/settings/dead-letters/{made[0]}/discard",
            "/settings/dead-letters/replay",
        ):
            page.goto(base + path)
            assert overflow(page) == 0, path
            assert faults(page) == [], path
