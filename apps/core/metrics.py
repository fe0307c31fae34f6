"""Health in Prometheus' text format: every figure of every check is a gauge."""

import datetime as dt
import re
from numbers import Real

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from apps.core import health
from apps.core.version import product_version

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
VALUES: dict[health.Status, int] = {"ok": 0, "degraded": 1, "failed": 2}


def render(findings: dict[str, health.Finding] | None = None) -> bytes:
    """Return `aibos_<figure>` for each figure, and for each check its status (0 ok, 1 degraded, 2 failed) and time.

    Without `findings` those of the last probe, and how old they are.
    """
    registry = CollectorRegistry()
    report = health.latest() if findings is None else health.Report(findings)
    status = Gauge("aibos_check_status", "0 ok, 1 degraded, 2 failed.", ["check"], registry=registry)
    took = Gauge("aibos_check_seconds", "How long the check took.", ["check"], registry=registry)
    gauges: dict[str, Gauge] = {}
    for check, found in report.findings.items():
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
    if findings is None:
        _about(report, registry)
    return generate_latest(registry)


def _about(report: health.Report, registry: CollectorRegistry) -> None:
    age = (dt.datetime.now(dt.UTC) - report.at).total_seconds() if report.at else 0.0
    Gauge("aibos_probe_age_seconds", "How old the findings are.", registry=registry).set(round(age, 3))
    build = Gauge("aibos_build_info", "The version that runs.", ["version"], registry=registry)
    build.labels(product_version()).set(1)
