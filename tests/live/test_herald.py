"""The herald calls out every change of a job, and a dead layer neither fails nor delays the job."""

import asyncio
import threading

import pytest

from apps.core.ids import uuid7
from apps.core.scope import tenant_scope
from apps.events.jobs import herald, pulse, runner, work
from tests.events.working import job as row
from tests.events.working import until
from tests.live.following import make_job


class Spy:
    """A layer that notes what is sent, and may fail."""

    def __init__(self, error=None):
        self.sent, self.error = [], error

    async def group_send(self, group, message):
        self.sent.append((group, message))
        if self.error:
            raise self.error


@pytest.fixture
def layer(monkeypatch):
    spy = Spy()
    herald.herald._reset()  # one that has just failed is silent for a while
    monkeypatch.setattr(herald, "get_channel_layer", lambda: spy)
    yield spy
    herald.herald._reset()


def test_every_change_is_called_out_after_its_commit(people, acme, layer, monkeypatch):
    monkeypatch.setattr(pulse, "QUIET", 0.0)
    job = make_job(acme, people.actor("sales"), steps=3)
    runner.drain(5)
    assert row(job).state == "done"
    until(lambda: len(layer.sent) == 5)  # begun, three steps, done
    assert set(map(str, layer.sent)) == {str((f"job.{job}", {"type": "job.changed", "job": str(job)}))}
    other = make_job(acme, people.actor("sales"))
    with tenant_scope(acme):
        work.cancel(other, by=people.actor("sales"))
    until(lambda: layer.sent[-1][0] == f"job.{other}")


def test_a_dead_layer_neither_fails_nor_delays_a_job(people, acme, layer):
    layer.error = ConnectionError("nobody there")
    job = make_job(acme, people.actor("sales"), steps=3)
    runner.drain(5)
    assert row(job).state == "done"
    until(lambda: layer.sent)


def test_a_layer_that_hangs_does_not_hold_up_a_job(people, acme, layer, monkeypatch):
    """The call waits in the herald's thread; the job is done before the layer's patience ends."""
    let_go = threading.Event()

    async def hang(_group, _message):
        await asyncio.to_thread(let_go.wait)

    monkeypatch.setattr(layer, "group_send", hang)
    monkeypatch.setattr(herald, "PATIENCE", 3600)
    job = make_job(acme, people.actor("sales"), steps=3)
    try:
        runner.drain(5)
        assert row(job).state == "done"
    finally:
        let_go.set()


def test_a_full_herald_drops_calls_and_raises_nothing(layer):
    herald.herald._calls.maxsize = 1
    for _ in range(500):
        herald.herald.call(uuid7())
    until(lambda: herald.herald._calls.empty() and layer.sent)
    assert len(layer.sent) < 500
