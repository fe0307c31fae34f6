"""The figures of the health checks as Prometheus reads them."""

from prometheus_client.parser import text_string_to_metric_families

from apps.core import health, metrics
from apps.core.scope import TenantRef


def samples(text: bytes) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(text.decode())
    return {(item.name, item.labels["check"]): item.value for family in families for item in family.samples}


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
