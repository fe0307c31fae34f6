"""R34, the API's part: one quota over four processes, and what happens when the shared store dies."""

import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
import requests

from apps.cli.launch.valkey import find_program
from tests.api.conftest import environment
from tests.servers import free_port, live_server

pytestmark = pytest.mark.usefixtures("objects")
QUOTA = 200


@pytest.fixture
def store(tmp_path):
    """A Valkey of this test; yields (address, process)."""
    port = free_port()
    command = [
        find_program(),
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        str(tmp_path),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"redis://127.0.0.1:{port}/0"
    with redis.Redis.from_url(address) as client:
        for _ in range(100):
            try:
                client.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.05)
    yield address, process
    process.kill()
    process.wait()


def hammer(base, key, times):
    """Send requests in parallel; return how many got which status."""

    def one(_):
        return requests.get(f"{base}api/v1/jobs", headers={"x-api-key": key}, timeout=30).status_code

    with ThreadPoolExecutor(16) as pool:
        return Counter(pool.map(one, range(times)))


def test_four_processes_share_one_quota(keys, store, tmp_path):
    limits = {"RATE_LIMIT_USER": f"{QUOTA}/h", "RATE_LIMIT_IP": "0/m", "CACHE_URL": store[0]}
    with environment(**limits), live_server(tmp_path, workers=4, threads=2) as running:
        found = hammer(running.url(), keys["owner@acme"], QUOTA * 2)
        assert set(found) == {200, 429}
        assert abs(found[200] - QUOTA) <= QUOTA * 0.05
        refused = requests.get(
            f"{running.url()}api/v1/jobs", headers={"x-api-key": keys["owner@acme"]}, timeout=30
        )
        assert int(refused.headers["Retry-After"]) >= 1
        other = requests.get(
            f"{running.url()}api/v1/jobs", headers={"x-api-key": keys["sales@acme"]}, timeout=30
        )
        assert other.status_code == 200


def test_when_the_store_dies_every_process_counts_alone(keys, store, tmp_path):
    limits = {"RATE_LIMIT_USER": f"{QUOTA}/h", "RATE_LIMIT_IP": "0/m", "CACHE_URL": store[0]}
    with environment(**limits), live_server(tmp_path, workers=1, threads=4) as running:
        assert hammer(running.url(), keys["owner@acme"], 10) == {200: 10}
        store[1].kill()
        store[1].wait()
        found = hammer(running.url(), keys["owner@acme"], QUOTA * 2)
        assert set(found) == {200, 429}
        assert found[200] <= QUOTA * 1.05


def test_without_a_store_four_processes_would_grant_more(keys, tmp_path):
    """The control: counting alone, four processes let more than one quota through."""
    limits = {"RATE_LIMIT_USER": f"{QUOTA}/h", "RATE_LIMIT_IP": "0/m", "CACHE_URL": ""}
    with environment(**limits), live_server(tmp_path, workers=4, threads=2) as running:
        found = hammer(running.url(), keys["owner@acme"], QUOTA * 4)
    assert found[200] > QUOTA * 1.5
