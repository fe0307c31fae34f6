"""R28 on running servers: four processes at once, and a server killed before and after the commit."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
import requests

from tests.api.conftest import environment
from tests.servers import ROOT, _wait, free_port, live_server

pytestmark = pytest.mark.usefixtures("objects")
ACCOUNTS = "api/v1/data/api_account"


def post(base, key, name, mark):
    headers = {"x-api-key": key} | ({"Idempotency-Key": mark} if mark else {})
    return requests.post(base + ACCOUNTS, json={"name": name}, headers=headers, timeout=30)


def records(superuser_url, name):
    with psycopg.connect(superuser_url) as connection:
        return connection.execute(
            "SELECT count(*) FROM t_acme.obj_api_account WHERE name = %s", [name]
        ).fetchone()[0]


def waiting(superuser_url):
    """Return how many connections wait for a lock."""
    with psycopg.connect(superuser_url) as connection:
        return connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        ).fetchone()[0]


@pytest.fixture(scope="module")
def four(objects, tmp_path_factory):
    folder = tmp_path_factory.mktemp("four")
    with (
        environment(RATE_LIMIT_USER="0/m", RATE_LIMIT_IP="0/m"),
        live_server(folder, workers=4, threads=2) as running,
    ):
        yield running.url()


def test_fifty_posts_to_four_processes_make_one_record(four, keys, acme, superuser_url):
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: post(four, keys["owner@acme"], "R28", "r28-fifty"), range(50)))
    codes = {answer.status_code for answer in answers}
    assert codes <= {201, 409}
    made = {answer.content for answer in answers if answer.status_code == 201}
    assert len(made) == 1
    assert {a.json()["code"] for a in answers if a.status_code == 409} <= {"IDEMPOTENCY_IN_FLIGHT"}
    assert all(int(a.headers["Retry-After"]) >= 1 for a in answers if a.status_code == 409)
    assert records(superuser_url, "R28") == 1
    assert post(four, keys["owner@acme"], "other", "r28-fifty").status_code == 422
    assert post(four, keys["sales@acme"], "R28 of sales", "r28-fifty").status_code == 201


def test_without_the_key_every_post_tries_to_make_one(four, keys, acme, superuser_url):
    """The control: the unique name lets one through, the others are told 409 UNIQUE_VIOLATION, no replay."""
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: post(four, keys["owner@acme"], "R28 control", None), range(20)))
    assert sorted({answer.status_code for answer in answers}) == [201, 409]
    assert sum(answer.status_code == 201 for answer in answers) == 1
    assert {a.json()["code"] for a in answers if a.status_code == 409} == {"UNIQUE_VIOLATION"}


@contextmanager
def mortal(folder):
    """Run one server; yields (address, kill)."""
    port, log = free_port(), folder / f"{time.monotonic_ns()}.log"
    env = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings.test", "PORT": str(port)}
    command = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    command += ["--workers", "1", "--blocking-threads", "2", "config.wsgi:application"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=out, start_new_session=True)

        def kill():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

        try:
            _wait(port, process, log)
            yield f"http://localhost:{port}/", kill
        finally:
            kill()


def until(found, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found():
            return
        time.sleep(0.02)
    pytest.fail("It did not happen in time.")


def test_killed_after_the_commit_the_retry_gets_the_first_answer(keys, acme, superuser_url, tmp_path):
    name, mark = "R28 after", "r28-after"
    with mortal(tmp_path) as (base, kill), ThreadPoolExecutor(1) as pool:
        pool.submit(post, base, keys["owner@acme"], name, mark)
        until(lambda: records(superuser_url, name))
        kill()
    with mortal(tmp_path) as (base, _):
        again = post(base, keys["owner@acme"], name, mark)
    assert again.status_code == 201
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json()["record"]["name"] == name
    assert records(superuser_url, name) == 1


def test_killed_before_the_commit_the_retry_makes_it(keys, acme, superuser_url, tmp_path):
    name, mark = "R28 before", "r28-before"
    with psycopg.connect(superuser_url) as blocker, mortal(tmp_path) as (base, kill):
        # An uncommitted row of the same name makes the server's transaction wait just before its end.
        blocker.execute(
            "INSERT INTO t_acme.obj_api_account (id, created_at, updated_at, name, version)"
            " VALUES (gen_random_uuid(), now(), now(), %s, 1)",
            [name],
        )
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(post, base, keys["owner@acme"], name, mark)
            until(lambda: waiting(superuser_url))
            kill()
            assert first.exception() is not None
        blocker.rollback()
    assert records(superuser_url, name) == 0
    with mortal(tmp_path) as (base, _):
        again = post(base, keys["owner@acme"], name, mark)
    assert again.status_code == 201
    assert "Idempotency-Replayed" not in again.headers
    assert records(superuser_url, name) == 1
