"""Servers of the bus for tests: a real NATS with JetStream, and the brokers that librdkafka brings for tests."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Producer

from tests.servers import free_port

CONFIGURATION = """
server_name: aibos-test
listen: 127.0.0.1:{port}
jetstream {{ store_dir: "{store}", sync_interval: {sync} }}
"""


class NatsServer:
    """A nats-server of its own folder; may be killed and started again."""

    def __init__(self, folder: Path, sync: str = "always") -> None:
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._folder = folder
        (folder / "nats.conf").write_text(
            CONFIGURATION.format(port=self.port, store=folder / "store", sync=sync)
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = Path(sys.executable).parent / "nats-server"
        command = [str(program), "-c", str(self._folder / "nats.conf")]
        with (self._folder / "nats.log").open("ab") as out:
            self._process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
        end = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert time.monotonic() < end, (self._folder / "nats.log").read_text()
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def wipe(self) -> None:
        """Lose everything that was stored."""
        shutil.rmtree(self._folder / "store", ignore_errors=True)


@contextmanager
def nats_server(folder: Path) -> Iterator[NatsServer]:
    server = NatsServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def kafka_cluster(brokers: int = 3) -> Iterator[str]:
    """Yield the addresses of librdkafka's mock cluster: real sockets, Kafka's protocol, memory for a disk."""
    host = Producer({"bootstrap.servers": "unused", "test.mock.num.brokers": brokers})
    try:
        known = host.list_topics(timeout=30).brokers.values()
        yield ",".join(f"{broker.host}:{broker.port}" for broker in known)
    finally:
        host.flush(1)
        del host


def make_topic(servers: str, topic: str) -> None:
    """Make a topic by asking for it: the mock cluster has no request to create one."""
    asking = Producer({"bootstrap.servers": servers})
    end = time.monotonic() + 30
    while asking.list_topics(topic, timeout=10).topics[topic].error is not None:
        assert time.monotonic() < end, "the topic was not made"
        time.sleep(0.1)
