"""The figures of the health checks as Prometheus reads them."""

import datetime as dt
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from apps.core import health, metrics
from apps.core.scope import TenantRef


def samples(text: bytes) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(text.decode())
    return {
        (item.name, item.labels.get("check", "")): item.value
        for family in families
        for item in family.samples
    }


def test_lag_and_status_are_gauges(acme: TenantRef) -> None:
    read = samples(metrics.render())
    for check in ("ledger_lag", "outbox_lag", "job_queue"):
        assert read["aibos_check_status", check] in {0, 1, 2}
        assert read["aibos_check_seconds", check] >= 0
    assert read["aibos_ledger_lag_seconds", "ledger_lag"] >= 0
    assert read["aibos_outbox_waiting_events", "outbox_lag"] >= 0
    assert read["aibos_jobs_queued", "job_queue"] >= 0


def test_a_failed_check_is_seen_and_words_are_left_out() -> None:
    found = health.Finding("failed", "It is full.", {"free bytes": 12, "disk": "sda1"}, 0.5)
    read = samples(metrics.render({"disk": found}))
    assert read == {
        ("aibos_check_status", "disk"): 2,
        ("aibos_check_seconds", "disk"): 0.5,
        ("aibos_free_bytes", "disk"): 12,
    }


UNITS = re.compile(r"_(ms|millis|milliseconds|minutes|hours|days|kb|mb|percent|celsius)(_|$)")


def lint(text: bytes) -> list[str]:
    """What `promtool check metrics` finds fault with, as far as it concerns gauges."""
    faults = []
    for family in text_string_to_metric_families(text.decode()):
        if not family.documentation:
            faults.append(f"{family.name}: no help text")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", family.name):
            faults.append(f"{family.name}: not in snake case")
        if family.name.endswith(("_total", "_count", "_sum", "_bucket")):
            faults.append(f"{family.name}: a suffix of another type")
        if UNITS.search(family.name):
            faults.append(f"{family.name}: not a base unit")
        if family.type != "gauge":
            faults.append(f"{family.name}: not a gauge")
    return faults


def test_the_names_are_as_prometheus_wants_them(acme: TenantRef) -> None:
    text = metrics.render()
    assert lint(text) == []
    names = {family.name for family in text_string_to_metric_families(text.decode())}
    assert {
        "aibos_build_info",
        "aibos_probe_age_seconds",
        "aibos_workers_alive",
        "aibos_dead_letters",
    } <= names
    assert {"aibos_checkpoint_unsigned_seconds", "aibos_disk_used_ratio", "aibos_alerts_open"} <= names


def test_control_the_lint_finds_bad_names() -> None:
    bad = health.Finding("ok", "", {"lag_ms": 1, "jobs_total": 2, "Busy": 3})
    assert len(lint(metrics.render({"bad": bad}))) == 3


def test_the_age_of_the_findings_is_told(acme: TenantRef, monkeypatch: pytest.MonkeyPatch) -> None:
    at = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=20)
    kept = health.Report({"moon": health.Finding("ok", "It shines.")}, at)
    monkeypatch.setattr(health, "_memory", [lambda: kept])
    read = samples(metrics.render())
    assert read["aibos_probe_age_seconds", ""] >= 20
    assert read["aibos_check_status", "moon"] == 0
