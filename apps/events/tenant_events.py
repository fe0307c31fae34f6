"""The facts of a tenant's life: every move of the table is an event of the platform."""

from apps.core.actor import Actor
from apps.events import outbox
from apps.events.registry import EventType, register
from apps.tenants.lifecycle import Listener, listeners
from apps.tenants.models import Tenant
from apps.tenants.states import VERBS

SCHEMA = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "slug": {"type": "string"}, "state": {"type": "string"}},
    "required": ["id", "slug", "state"],
    "additionalProperties": False,
}


class Herald(Listener):
    """Writes the event of a move in the move's own transaction."""

    def __call__(self, tenant: Tenant, verb: str, by: Actor) -> None:
        """Emit `tenant.<verb>`."""
        outbox.emit(
            f"tenant.{verb}",
            subject=f"tenant:{tenant.id}",
            data={"id": tenant.id, "slug": tenant.slug, "state": str(tenant.state)},
            by=by,
            tenant=None,
        )


register(
    *[
        EventType(f"tenant.{verb}", f"In the life of a tenant: {verb.replace('_', ' ')}.", SCHEMA)
        for verb in ("created", "imported", *VERBS.values())
    ]
)
listeners.register("events", Herald())
