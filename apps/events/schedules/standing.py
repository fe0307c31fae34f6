"""The product's own schedules: each registered chore has one, kept as the code says and as operators paused it."""

import json
from typing import Any

from django.db import connections

from apps.core.actor import SYSTEM
from apps.core.chores import TASK, chores
from apps.core.scope import platform_scope

PREFIX = "chore:"
KEEP = """
INSERT INTO public.events_schedule (id, tenant_id, key, title, task, args, kind, every, at, actor, next_at)
VALUES (gen_random_uuid(), NULL, %s, %s, %s, %s::jsonb, 'interval', %s, to_timestamp(0), %s::jsonb, clock_timestamp())
ON CONFLICT (tenant_id, key) WHERE key IS NOT NULL DO UPDATE
SET title = EXCLUDED.title, every = EXCLUDED.every, next_at = least(events_schedule.next_at, clock_timestamp()
    + EXCLUDED.every * interval '1 second'), updated_at = clock_timestamp()
WHERE (events_schedule.title, events_schedule.every) IS DISTINCT FROM (EXCLUDED.title, EXCLUDED.every)
"""
FORGET = (
    "DELETE FROM public.events_schedule WHERE tenant_id IS NULL AND key LIKE 'chore:%%' AND NOT key = ANY(%s)"
)


def ensure() -> None:
    """Make the schedules of all registered chores and forget those of chores that are gone. Outside a scope."""
    actor = json.dumps(SYSTEM.as_dict())
    with platform_scope("schedules: the product's own"), connections["default"].cursor() as cursor:
        for name, chore in chores.items():
            values: list[Any] = [
                PREFIX + name,
                chore.title,
                TASK,
                json.dumps({"name": name}),
                chore.every,
                actor,
            ]
            cursor.execute(KEEP, values)
        cursor.execute(FORGET, [[PREFIX + name for name in chores]])
