"""When a finding becomes an alert: failed three probes in a row, and over when three in a row were not."""

from apps.core import health
from apps.core.health import Finding
from apps.events.health import alerts

AFTER = 3
KIND = "health.failed"


def weigh(name: str, found: Finding, streak: int) -> None:
    """Raise or end the alert of a check; `streak` probes in a row found this status. In the platform's scope."""
    known = health.checks().get(name)
    if streak < AFTER or (known is not None and not known.alarms):
        return
    if found.status == "failed":
        title = str(known.title) if known else name
        alerts.raise_alert(KIND, subject=name, message=f"{title}: {found.message}", details={"check": name})
    else:
        alerts.resolve(KIND, subject=name, resolution=f"The check is {found.status} again: {found.message}")
