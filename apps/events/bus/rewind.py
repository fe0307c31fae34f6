"""Carrying again: the log still has what a server lost; what was handled is passed over by the inbox."""

import datetime as dt

from apps.audit import ledger
from apps.core.actor import Actor
from apps.core.ids import NIL
from apps.events import positions
from apps.events.bus.contract import Bus
from apps.events.log import lowest_since
from apps.events.positions import Position
from apps.events.relay import name_of


def rewind(bus: Bus, *, since: dt.datetime, by: Actor) -> bool:
    """Let the relay to `bus` begin again at the first event written since then; needs the platform's scope.

    Return False when there is nothing to carry (the log itself is the bus, or it holds nothing of that time) or
    the relay has moved on meanwhile.
    """
    lowest = None if bus.is_log else lowest_since(since)
    if lowest is None:
        return False
    stood = positions.of(name_of(bus), bus=bus.name)
    details = {"bus": bus.name, "since": since}
    ledger.record("bus.rewound", by=by, details=details, tenant=None)
    return positions.move(name_of(bus), since=stood, to=Position(lowest, NIL))
