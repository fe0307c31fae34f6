"""Live progress through the real processes: a job in a worker, watched through the front door and in a browser."""

import json
import os
import signal
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.db import connections
from playwright.sync_api import expect

from apps.core import queue
from apps.core.scope import platform_scope, tenant_scope
from apps.identity.services.sessions import end_session
from tests.api.conftest import make_key
from tests.live.following import session
from tests.live.stage import Stage, staged
from tests.live.wire import Refused, Wire
from tests.portal.browser import opened, sign_in


@pytest.fixture(scope="module")
def stage(database, people, tmp_path_factory):
    with staged(tmp_path_factory.mktemp("stage")) as running:
        yield running


@pytest.fixture
def run(people, acme, monkeypatch):
    """Queue `live.steps`, which only the worker's process knows."""

    def start(number: int, pause: int, *, platform: bool = False) -> str:
        task = queue.Task("live.steps", run=lambda _job: None, tenant="optional")
        monkeypatch.setitem(queue.tasks._values, "live.steps", task)
        args = {"number": number, "pause": pause}
        if platform:
            with platform_scope("test"):
                return str(
                    queue.enqueue("live.steps", tenant=None, args=args, title="Count", by=people.operator())
                )
        with tenant_scope(acme):
            return str(
                queue.enqueue(
                    "live.steps", tenant=acme.id, args=args, title="Count", by=people.actor("sales")
                )
            )

    return start


def wire(stage: Stage, job: str, slug: str = "acme", cookie: str = "", **headers: str) -> Wire:
    sent = {"Host": f"{slug}.localhost:{stage.port}"} | headers
    if cookie:
        sent = {"Origin": stage.origin(slug), "Cookie": f"{settings.SESSION_COOKIE_NAME}={cookie}"} | sent
    return Wire(stage.port, f"/ws/jobs/{job}", sent)


def test_a_real_job_over_a_real_socket(stage, people, acme, run):
    token, _ = session(people.users["sales@acme"], acme, "acme.localhost")
    heard, late = [], []
    line = wire(stage, run(8, 300), cookie=token)
    while not isinstance(item := line.next(), int):
        heard.append(item)
        if item["state"] == "running" and item["message"]:
            late.append(time.time() - float(item["message"]))
    assert item == 1000
    assert heard[-1]["state"] == "done"
    assert heard[-1]["result"] == {"steps": 8}
    steps = [message["done"] for message in heard]
    assert steps == sorted(steps)
    print(f"latency of {len(late)} steps: {sorted(round(value * 1000, 1) for value in late)} ms")


def test_events_for_whoever_has_a_key(stage, people, acme, run):
    key = make_key(acme, people.actor("sales"))
    request = urllib.request.Request(
        f"http://127.0.0.1:{stage.port}/events/jobs/{run(3, 300)}",
        headers={"Host": f"acme.localhost:{stage.port}", "x-api-key": key},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        kind, text = answer.headers["Content-Type"], answer.read().decode()
    told = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    assert kind == "text/event-stream"
    assert told[-1]["state"] == "done"
    assert len(told) >= 3


def test_who_is_kept_out(stage, people, acme, globex, run):
    job = run(1, 100)
    own, _ = session(people.users["sales@acme"], acme, "acme.localhost")
    other, _ = session(people.users["owner@globex"], globex, "globex.localhost")
    assert wire(stage, job, "globex", other).all() == ([], 4404)
    assert wire(stage, job, "acme", other).all() == ([], 4401)
    assert wire(stage, job).all() == ([], 4401)
    with pytest.raises(Refused, match="403"):
        wire(stage, job, cookie=own, Origin="http://evil.example")
    assert wire(stage, job, cookie=own).all()[1] == 1000  # negative control: its own


def test_an_ended_session_is_closed(stage, people, acme, run):
    token, session_id = session(people.users["sales@acme"], acme, "acme.localhost")
    line = wire(stage, run(40, 100), cookie=token)
    line.next()
    with tenant_scope(acme):
        end_session(session_id=session_id, by=people.actor("sales"))
    start = time.monotonic()
    assert line.all()[1] == 4401
    print(f"closed {time.monotonic() - start:.2f} s after the end of the session")


def beside(run, number: int, pause: int, **where: bool) -> str:
    """Queue in another thread: the browser's driver keeps a loop in this one, and Django refuses to work there."""

    def work() -> str:
        try:
            return run(number, pause, **where)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


@pytest.mark.browser
def test_a_page_hears_of_its_job(stage, people, acme, run):
    with opened() as page:
        base = stage.origin("acme")
        sign_in(page, base, people.email("sales"), people.password)
        sockets, frames, asked = [], [], []

        def heard(frame):
            frames.append(frame)

        def note(found):
            sockets.append(found.url)
            found.on("framereceived", heard)

        page.on("websocket", note)
        page.on("request", lambda request: asked.append(request.url) if "fragment" in request.url else None)
        job = beside(run, 20, 300)
        page.goto(f"{base}/jobs/{job}")
        expect(page.locator("#job[data-live]")).to_be_visible()
        expect(page.locator("#job dl")).to_contain_text("20", timeout=60_000)
        assert sockets == [f"ws://acme.localhost:{stage.port}/ws/jobs/{job}"]
        assert len(frames) >= 10
        print(f"{len(frames)} messages, {len(asked)} requests of the page")


@pytest.mark.browser
def test_the_console_hears_of_the_platforms_job(stage, people, run):
    with opened() as page:
        base = f"http://localhost:{stage.port}"
        page.goto(f"{base}/")
        page.get_by_label("Email address").fill("operator@aibos.test")
        page.get_by_label("Password").fill(people.password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{base}/console/")
        page.goto(f"{base}/console/events/job/{beside(run, 20, 300, platform=True)}/change/")
        expect(page.locator("[data-job][data-live]")).to_be_visible()
        expect(page.get_by_role("status").filter(has_text="Done.")).to_be_visible(timeout=60_000)


@pytest.mark.browser
def test_a_page_without_a_socket_asks_by_itself(stage, people, acme, run):
    """The process behind the sockets is gone: last, because nothing starts it again here."""
    os.killpg(stage.sockets.pid, signal.SIGKILL)
    stage.sockets.wait()
    with opened(tolerated="WebSocket connection to") as page:
        base = stage.origin("acme")
        sign_in(page, base, people.email("sales"), people.password)
        page.goto(f"{base}/jobs/{beside(run, 6, 500)}")
        expect(page.locator("#job dl")).to_contain_text("6", timeout=60_000)
