"""Whether webhooks are sent in time; a receiver that fails is its tenant's matter and only counted."""

from django.db import connections
from django.utils.translation import gettext_lazy as _

from apps.core.health import Finding, check
from apps.core.scope import platform_scope

LATE, FAR_TOO_LATE = 300.0, 3600.0
STATE = """
SELECT (SELECT count(*) FROM public.webhooks_endpoint WHERE state = 'active'),
       (SELECT count(*) FROM public.webhooks_endpoint WHERE state = 'active' AND failing_since IS NOT NULL),
       (SELECT count(*) FROM public.webhooks_endpoint WHERE state = 'disabled'),
       count(*),
       coalesce(extract(epoch FROM clock_timestamp() - min(coalesce(next_at, created_at))), 0)
FROM public.webhooks_delivery WHERE state = 'waiting'
"""


@check("webhooks", title=_("Webhooks"), group="events", measure="webhooks_overdue_seconds")
def webhooks() -> Finding:
    """Judge how long the delivery that should have been tried first is overdue."""
    with platform_scope("health: webhooks"), connections["default"].cursor() as cursor:
        cursor.execute(STATE)
        active, failing, disabled, waiting, seconds = cursor.fetchone()
    overdue = max(0.0, float(seconds))
    figures = {
        "webhooks_active": active,
        "webhooks_failing": failing,
        "webhooks_disabled": disabled,
        "webhooks_waiting_deliveries": waiting,
        "webhooks_overdue_seconds": round(overdue, 3),
    }
    message = f"{waiting} deliveries wait; of {active} webhooks {failing} fail, {disabled} are switched off."
    if overdue < LATE:
        return Finding("ok", message, figures)
    return Finding("failed" if overdue >= FAR_TOO_LATE else "degraded", message, figures)
