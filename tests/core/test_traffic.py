"""Requests are counted in the process and handed to sinks; a sink that fails costs nobody else."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from apps.core import traffic as module
from apps.core.scope import platform_scope
from apps.core.traffic import Minute, Sink, Traffic
from apps.events import minutes


@pytest.fixture
def sinks(monkeypatch: pytest.MonkeyPatch) -> dict[str, Sink]:
    values: dict[str, Sink] = {}
    monkeypatch.setattr(module.sinks, "_values", values)
    return values


def test_minutes_are_handed_over_once(sinks: dict[str, Sink]) -> None:
    taken: list[Minute] = []
    sinks["test"] = Sink(taken.extend)
    counted = Traffic()
    for status, seconds in ((200, 0.01), (404, 0.02), (503, 0.5)):
        counted.count(status, seconds)
    assert counted.hand_over() == 3
    assert sum(minute.requests for minute in taken) == 3
    assert sum(minute.errors for minute in taken) == 1
    assert sum(minute.millis for minute in taken) == 530
    assert counted.hand_over() == 0


def test_a_failing_sink_does_not_stop_the_others(sinks: dict[str, Sink]) -> None:
    taken: list[Minute] = []

    def breaks(_minutes: Any) -> None:
        raise OSError

    sinks["breaks"] = Sink(breaks)
    sinks["works"] = Sink(taken.extend)
    counted = Traffic()
    counted.count(200, 0.0)
    counted.hand_over()
    assert len(taken) == 1


def test_what_nobody_takes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Traffic()
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    counted._minutes = {start + dt.timedelta(minutes=n): [1, 0, 0] for n in range(module.MOST)}
    counted.count(200, 0.0)
    assert len(counted._minutes) == module.MOST
    assert start not in counted._minutes


def test_every_answer_is_counted(
    database: Any, clean_connection: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setattr("apps.core.http.traffic.count", lambda status, _seconds: seen.append(status))
    Client(HTTP_HOST="localhost").get("/console/")
    assert seen == [302]


def test_minutes_of_processes_add_up(database: Any, clean_connection: None) -> None:
    start = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
    with platform_scope("test"):
        minutes.write([Minute(start, 2, 1, 30)])
        minutes.write([Minute(start, 3, 0, 20)])
        kept = minutes.Minute.objects.get(pk=start)
        assert (kept.requests, kept.errors, kept.millis) == (5, 1, 50)
        kept.delete()
