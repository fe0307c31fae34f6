"""Moves in the life of a tenant; each is a service, an event and a ledger entry."""

import datetime as dt
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.audit import ledger
from apps.core.actor import Actor
from apps.core.clock import bump
from apps.core.errors import Conflict, PermissionDenied
from apps.core.registry import Registry
from apps.tenants.models import Tenant
from apps.tenants.states import MOVES, VERBS, State


class Listener:
    """Hears of every move inside its transaction; the app above (events) registers one."""

    def __call__(self, tenant: Tenant, verb: str, by: Actor) -> None:
        """Take note of the move."""
        raise NotImplementedError


listeners: Registry[Listener] = Registry("tenant listeners", Listener)


@transaction.atomic
def move(*, tenant_id: UUID, to: State, by: Actor, reason: str = "") -> Tenant:
    """Bring a tenant into another state; refuse what the table of moves does not hold.

    Runs in the platform's scope, by an operator or the system. Deleting starts the grace period; the data
    go when it ends (`removal.remove_due`).
    """
    if by.kind not in {"operator", "system"}:
        msg = "Only operators change the state of a tenant."
        raise PermissionDenied(msg)
    tenant = Tenant.objects.select_for_update().get(pk=tenant_id)
    if to not in MOVES[tenant.state]:
        allowed = ", ".join(sorted(MOVES[tenant.state])) or "nothing"
        msg = f"A tenant that is {tenant.state} cannot become {to}; possible: {allowed}."
        raise Conflict(msg, code="INVALID_STATE")
    if to == State.SUSPENDED and not reason.strip():
        msg = "Say why: the tenant's members read the reason."
        raise Conflict(msg, code="REASON_REQUIRED")
    before = {"state": tenant.state, "state_reason": tenant.state_reason}
    tenant.state, tenant.state_reason = to, reason[:300]
    tenant.state_changed_at = timezone.now()
    grace = dt.timedelta(days=settings.TENANT_GRACE_DAYS)
    tenant.delete_after = timezone.now() + grace if to == State.DELETED else None
    tenant.save()
    note(tenant, VERBS[to], by, before={**before}, after={"state": str(to), "state_reason": reason[:300]})
    return tenant


def note(
    tenant: Tenant, verb: str, by: Actor, *, before: dict[str, object] | None = None, after: dict[str, object]
) -> None:
    """Write the ledger entry, tell the listeners, move the clocks."""
    ledger.record(f"tenant.{verb}", by=by, target=f"tenant:{tenant.id}", before=before, after=after)
    for name in listeners:
        listener = listeners[name]
        listener(tenant, verb, by)
    bump(None)
    bump(tenant.id)
