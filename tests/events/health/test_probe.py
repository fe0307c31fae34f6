"""The probe: what it keeps, what it announces, when an alert comes and goes, and that its memory is bounded."""

import datetime as dt
import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.db import connections
from django.utils import timezone
from psycopg import sql

from apps.audit import queries
from apps.audit.sequencer import run_until_empty
from apps.core import health
from apps.core.health import Finding
from apps.core.scope import TenantRef, platform_scope
from apps.events.health import alerts, healing, probe
from apps.events.models import Alert, CheckMinute, CheckState, Job, OutboxEvent
from tests.events.working import until
from tests.people import People

Say = Callable[..., None]


@pytest.fixture
def moon(database: dict[str, TenantRef], monkeypatch: pytest.MonkeyPatch) -> Iterator[Say]:
    """The one check of these tests; the fixture's value says what it finds."""
    said = [Finding("ok", "It shines.", {"moon_craters": 1})]

    def say(status: str, message: str = "", **figures: float) -> None:
        said[0] = Finding(status, message or status, figures)  # type: ignore[arg-type]

    check = health.Check("moon", lambda: said[0], title="Moon", measure="moon_craters")
    monkeypatch.setattr(health, "_checks", {"moon": check})
    with platform_scope("test"):
        for model in (Alert, CheckMinute, CheckState):
            model.objects.all().delete()
    yield say


def state() -> CheckState:
    with platform_scope("test"):
        return CheckState.objects.get(name="moon")


def announced(kind: str) -> int:
    with platform_scope("test"):
        return OutboxEvent.objects.filter(type=kind).count()


def open_alerts() -> list[Alert]:
    with platform_scope("test"):
        return list(Alert.objects.filter(resolved_at=None))


def test_it_keeps_the_last_finding_and_the_worst_of_the_minute(moon: Say) -> None:
    moon("ok", "Fine.", moon_craters=3)
    probe.probe()
    since = state().since
    moon("ok", "Still fine.", moon_craters=9)
    probe.probe()
    assert (state().message, state().figures, state().since) == ("Still fine.", {"moon_craters": 9}, since)
    moon("degraded", "A cloud.", moon_craters=5)
    probe.probe()
    moon("ok", "Fine again.", moon_craters=1)
    probe.probe()
    with platform_scope("test"):
        kept = list(CheckMinute.objects.filter(name="moon").order_by("start"))
    worst = max(kept, key=lambda row: row.worst)
    assert (worst.worst, worst.message) == (1, "A cloud.")
    assert max(row.peak or 0 for row in kept) == 9
    assert sum(row.probes for row in kept) == 4


def test_a_change_is_announced_once_it_has_settled(moon: Say) -> None:
    probe.probe()
    before = announced(probe.CHANGED)
    for status in ("failed", "ok", "failed", "ok"):
        moon(status)
        probe.probe()
    assert announced(probe.CHANGED) == before, "a flicker is no change"
    moon("failed", "Gone.")
    probe.probe()
    probe.probe()
    assert announced(probe.CHANGED) == before + 1
    probe.probe()
    assert announced(probe.CHANGED) == before + 1


def test_three_failures_in_a_row_raise_one_alert_and_three_good_ones_end_it(
    moon: Say, people: People
) -> None:
    moon("failed", "The moon is missing.")
    probe.probe()
    probe.probe()
    assert open_alerts() == [], "negative control: two are not enough"
    raised, mails = announced("alert.raised"), mail_jobs()
    for _ in range(5):
        probe.probe()
    (alert,) = open_alerts()
    assert (alert.kind, alert.subject, alert.severity) == ("health.failed", "moon", "critical")
    assert "The moon is missing." in alert.message
    assert alert.times == 5
    assert announced("alert.raised") == raised + 1
    assert mail_jobs() == mails + 1, "one mail to the one operator"
    moon("ok")
    probe.probe()
    probe.probe()
    assert len(open_alerts()) == 1
    probe.probe()
    assert open_alerts() == []
    run_until_empty()
    with platform_scope("test"):
        found = [entry.action for entry in queries.history(f"alert:{alert.id}")]
    assert sorted(found) == ["alert.raised", "alert.resolved"]


def mail_jobs() -> int:
    with platform_scope("test"):
        return Job.objects.filter(name="health.mail_alert").count()


def test_what_is_remembered_is_fresh_or_nothing(moon: Say) -> None:
    assert probe.remembered() is None
    moon("degraded", "A cloud.")
    probe.probe()
    kept = health.latest()
    assert kept.at is not None
    assert kept.findings["moon"].message == "A cloud."
    moon("ok", "Clear.")
    assert health.latest().findings["moon"].message == "A cloud.", "the page does not run the checks again"
    with platform_scope("test"):
        CheckState.objects.update(at=timezone.now() - dt.timedelta(seconds=probe.FRESH + 1))
    now = health.latest()
    assert (now.at, now.findings["moon"].message) == (None, "Clear."), "an old memory is not believed"


def test_a_check_that_the_probe_does_not_know_is_run(moon: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    probe.probe()
    extra = health.Check("sun", lambda: Finding("failed", "It set."))
    monkeypatch.setitem(health._checks, "sun", extra)
    assert health.latest().findings["sun"].message == "It set."


def test_the_memory_is_bounded(moon: Say) -> None:
    old = timezone.now() - dt.timedelta(days=probe.KEEP_DAYS, hours=1)
    with platform_scope("test"):
        CheckMinute.objects.create(name="moon", start=old, worst=0, message="")
        long_ago = timezone.now() - dt.timedelta(days=probe.KEEP_ALERTS_DAYS, hours=1)
        for subject, over in (("open", None), ("lately", timezone.now()), ("long ago", long_ago)):
            Alert.objects.create(
                kind="x",
                subject=subject,
                severity="warning",
                message="x",
                raised_at=long_ago,
                resolved_at=over,
            )
        CheckState.objects.create(name="gone", status="ok", message="", at=old, since=old, settled="ok")
    probe.probe()
    with platform_scope("test"), connections["default"].cursor() as cursor:
        probe.forget(cursor, timezone.now())
        assert not CheckMinute.objects.filter(start=old).exists()
        assert set(Alert.objects.values_list("subject", flat=True)) == {"open", "lately"}
        assert not CheckState.objects.filter(name="gone").exists(), (
            "a check that nobody registers is forgotten"
        )
        assert CheckState.objects.filter(name="moon").exists()


def test_two_probes_at_once_keep_one(moon: Say) -> None:
    """While one pump keeps what it found, another passes by instead of waiting or counting twice."""
    holding, free = threading.Event(), threading.Event()

    def hold() -> None:
        with platform_scope("test"), connections["default"].cursor() as cursor:
            cursor.execute(probe.ALONE)
            holding.set()
            free.wait(30)
        connections.close_all()

    other = threading.Thread(target=hold)
    other.start()
    assert holding.wait(30)
    probe.probe()
    with platform_scope("test"):
        assert not CheckState.objects.filter(name="moon").exists()
    free.set()
    other.join(30)
    probe.probe()
    assert state().streak == 1


def test_acknowledging_takes_it_out_of_the_way_of_operators_only(moon: Say, people: People) -> None:
    moon("failed", "Gone.")
    for _ in range(3):
        probe.probe()
    with platform_scope("test"):
        (notice,) = alerts.for_operators()
        alerts.acknowledge(notice.id, by=people.operator())
        assert alerts.for_operators() == ()
        assert Alert.objects.get(pk=notice.id).resolved_at is None
        assert Alert.objects.get(pk=notice.id).operators_ack_by == "Olga Operator"


def test_a_database_that_was_away_is_written_down_after(
    moon: Say, admin_url: str, database_name: str
) -> None:
    """Nobody may connect for a while; the probe goes on by itself and records that it did."""
    healing.side.drain()
    with platform_scope("test"):
        before = len(queries.history("health:connection_reset", limit=200))
    connections["default"].close()
    stop = threading.Event()

    def run() -> None:
        probe.probe_forever(stop, every=0.05)
        connections.close_all()

    thread = threading.Thread(target=run)
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    with psycopg.connect(admin_url, autocommit=True) as admin:
        thread.start()
        admin.execute(allow.format(sql.Identifier(database_name), sql.SQL("false")))
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database_name]
        )
        away = threading.Event()
        away.wait(1.0)
        admin.execute(allow.format(sql.Identifier(database_name), sql.SQL("true")))

    def written() -> bool:
        healing.side.drain()
        with platform_scope("test"):
            return len(queries.history("health:connection_reset", limit=200)) > before

    try:
        until(written)
        until(lambda: bool(known_checks()))
    finally:
        stop.set()
        thread.join(30)


def known_checks() -> list[str]:
    with platform_scope("test"):
        return list(CheckState.objects.values_list("name", flat=True))
