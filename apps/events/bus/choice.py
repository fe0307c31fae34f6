"""Which back end carries the events: the setting EVENTS_BUS."""

from functools import cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from apps.events.bus.contract import Bus

# By path, so that the client of a bus is loaded only where that bus is in use.
BACK_ENDS = {
    "postgresql": "apps.events.bus.postgresql.PostgresBus",
    "nats": "apps.events.bus.nats.NatsBus",
    "kafka": "apps.events.bus.kafka.KafkaBus",
}


def current() -> Bus:
    """Return the bus that the settings name; one object per process."""
    return named(settings.EVENTS_BUS)


@cache
def named(name: str) -> Bus:
    """Return a bus by its name; raise ImproperlyConfigured when there is none."""
    if name not in BACK_ENDS:
        msg = f"EVENTS_BUS is one of {', '.join(BACK_ENDS)}, not {name!r}."
        raise ImproperlyConfigured(msg)
    made: Bus = import_string(BACK_ENDS[name])()
    return made
