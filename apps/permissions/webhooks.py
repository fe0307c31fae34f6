"""Who may manage webhooks and know of what happens to them: holders of the permission."""

from apps.core.actor import Actor
from apps.events.audience import audiences
from apps.events.webhooks.rights import PERMISSION, Gate, gates
from apps.permissions import emergency
from apps.permissions.access import access_for
from apps.permissions.audience import Holders


class Compiled(Gate):
    """Asks the permission compiler."""

    def allows(self, by: Actor) -> bool:
        """Return whether the actor holds the permission in the tenant in force."""
        return access_for(by).has_system(PERMISSION)


def register() -> None:
    """Open the gate for holders of the permission, and show them the events of webhooks."""
    gates.register(PERMISSION, Compiled())
    holders = Holders(PERMISSION)
    for name in ("webhook.received", "webhook.disabled"):
        audiences.register(name, holders)
    audiences.register("schedule.due", holders)
    managers = Holders("manage_permissions")
    for name in (emergency.BROKEN, emergency.ENDED):
        audiences.register(name, managers)
