"""What the product has put right by itself: each time one event and one ledger entry, written beside everything."""

import logging
from concurrent.futures import Future
from typing import Any

from apps.audit import ledger
from apps.audit.aside import Aside
from apps.core.actor import SYSTEM
from apps.events import outbox
from apps.events.registry import EventType, register

logger = logging.getLogger("aibos.health")

HEALED = "health.healed"
side = Aside("health healing")

register(
    EventType(
        HEALED,
        "The product put something right by itself.",
        {
            "type": "object",
            "properties": {
                "what": {"type": "string"},
                "message": {"type": "string"},
                "figures": {"type": "object"},
            },
            "required": ["what", "message"],
        },
    )
)


def healed(what: str, message: str, **figures: Any) -> "Future[None]":
    """Record that `what` (stale_lease, lost_process, stuck_loop, dead_loop, connection_reset) was put right.

    Returns at once; with the database away it is written when that is back.
    """
    logger.warning("Healed %s: %s", what, message)
    values = {
        "what": what,
        "message": message,
        "figures": {key: str(value) for key, value in figures.items()},
    }
    return side.submit(lambda: _write(values), note=repr(values).encode())


def _write(values: dict[str, Any]) -> None:
    target = f"health:{values['what']}"
    ledger.record(HEALED, by=SYSTEM, target=target, details=values, tenant=None)
    outbox.emit(HEALED, subject=target, data=values, by=SYSTEM, tenant=None)
