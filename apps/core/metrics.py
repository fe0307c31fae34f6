"""Health in Prometheus' text format: every figure of every check is a gauge."""

import re
from numbers import Real

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from apps.core import health

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
VALUES: dict[health.Status, int] = {"ok": 0, "degraded": 1, "failed": 2}


def render(findings: dict[str, health.Finding] | None = None) -> bytes:
    """Return `aibos_<figure>` for each figure, and for each check its status (0 ok, 1 degraded, 2 failed) and time."""
    registry = CollectorRegistry()
    status = Gauge("aibos_check_status", "0 ok, 1 degraded, 2 failed.", ["check"], registry=registry)
    took = Gauge("aibos_check_seconds", "How long the check took.", ["check"], registry=registry)
    gauges: dict[str, Gauge] = {}
    for check, found in (health.run() if findings is None else findings).items():
        status.labels(check).set(VALUES[found.status])
        took.labels(check).set(found.seconds)
        for figure, value in found.figures.items():
            if not isinstance(value, Real):
                continue
            name = "aibos_" + re.sub(r"\W", "_", figure)
            if name not in gauges:
                gauges[name] = Gauge(
                    name, f"{figure.replace('_', ' ').capitalize()}.", ["check"], registry=registry
                )
            gauges[name].labels(check).set(float(value))
    return generate_latest(registry)
