"""Telling webhooks of records: the fields that the endpoint's owner may read, as they are when the event leaves."""

from apps.core.actor import Actor
from apps.core.errors import Problem
from apps.events.types import Event
from apps.events.webhooks.payload import Teller, tellers
from apps.objects import query
from apps.objects.audience import subject_of


class Records(Teller):
    """Reads the record that an event is about, through the permission compiler."""

    def record(self, event: Event, *, by: Actor) -> bytes | None:
        """Return the record as the API would answer it; None when it is deleted or the owner may not read it."""
        subject = subject_of(event)
        if subject is None:
            return None
        try:
            return query.get(subject[0], subject[1], by=by).text.encode()
        except Problem:
            return None


def register() -> None:
    """Register the teller of records."""
    tellers.register("records", Records())
