"""The end of what webhooks leave behind: logs after thirty days, known messages after ninety, stopped deliveries."""

import datetime as dt
from typing import Any

from django.db import connections
from django.utils import timezone

from apps.core.chores import Chore, chores
from apps.core.scope import platform_scope

LOG_DAYS, RECEIPT_DAYS = 30, 90
PORTION = 2_000
# What waits is kept, however old.
OLD = (
    (
        """DELETE FROM public.webhooks_attempt WHERE id IN (
             SELECT a.id FROM public.webhooks_attempt a LEFT JOIN public.webhooks_delivery d ON d.id = a.delivery_id
             WHERE d.id IS NULL OR (d.ended_at < %s) LIMIT %s)""",
        LOG_DAYS,
    ),
    (
        """DELETE FROM public.webhooks_delivery WHERE id IN (
             SELECT id FROM public.webhooks_delivery WHERE ended_at < %s LIMIT %s)""",
        LOG_DAYS,
    ),
    (
        """DELETE FROM public.webhooks_receipt WHERE id IN (
             SELECT id FROM public.webhooks_receipt WHERE received_at < %s LIMIT %s)""",
        RECEIPT_DAYS,
    ),
    (
        """DELETE FROM public.webhooks_secret WHERE id IN (
             SELECT id FROM public.webhooks_secret WHERE expires_at < %s LIMIT %s)""",
        1,
    ),
)

# A job that people stopped, or whose last worker was lost, tells its delivery nothing by itself.
ORPHANS = """
UPDATE public.webhooks_delivery d
SET state = CASE j.state WHEN 'failed' THEN 'failed' ELSE 'skipped' END, ended_at = clock_timestamp(),
    next_at = NULL, reason = CASE j.state WHEN 'failed' THEN j.error ELSE 'Somebody stopped it.' END
FROM public.events_job j
WHERE j.id = d.job_id AND d.state = 'waiting' AND j.state IN ('failed', 'cancelled', 'discarded')
"""


def reconcile() -> int:
    """End the deliveries whose job ended without them, of all tenants; return how many."""
    with platform_scope("webhooks: deliveries without a job"), connections["default"].cursor() as cursor:
        cursor.execute(ORPHANS)
        return int(cursor.rowcount)


def forget() -> int:
    """Delete a portion of what is old, of all tenants; return how many rows."""
    count = 0
    for statement, days in OLD:
        params: list[Any] = [timezone.now() - dt.timedelta(days=days), PORTION]
        with platform_scope("webhooks: old logs"), connections["default"].cursor() as cursor:
            cursor.execute(statement, params)
            count += cursor.rowcount
    return count


chores.register("webhooks.reconcile", Chore("End deliveries whose job was stopped", 60, reconcile))
chores.register("webhooks.forget", Chore("Remove old logs of webhooks", 600, forget))
