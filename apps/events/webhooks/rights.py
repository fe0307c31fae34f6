"""Who may manage webhooks: the permission compiler above says, through the gate it registers here."""

from uuid import UUID

from django.utils.translation import gettext as _

from apps.audit import ledger
from apps.core.actor import Actor
from apps.core.errors import PermissionDenied
from apps.core.registry import Registry
from apps.core.scope import current_tenant
from apps.events.models import WebhookEndpoint
from apps.identity import queries as identity
from apps.identity.models import MembershipState

PERMISSION = "manage_webhooks"


class Gate:
    """Answers in the tenant's scope."""

    def allows(self, by: Actor) -> bool:
        """Return whether the actor may manage webhooks now."""
        raise NotImplementedError


gates: Registry[Gate] = Registry("gates of webhooks", Gate)


def may_manage(by: Actor) -> bool:
    """Return whether the actor may manage webhooks; nobody may while no gate is registered."""
    gate = gates.get(PERMISSION)
    return gate is not None and gate.allows(by)


def require(by: Actor, action: str, target: str | None = None) -> None:
    """Write a refusal into the ledger and raise 403 unless the actor may manage webhooks."""
    if may_manage(by):
        return
    reason = _("Managing webhooks needs the permission %(name)s.") % {"name": PERMISSION}
    ledger.denied(action, by=by, reason=reason, target=target)
    raise PermissionDenied(reason, details={"permission": PERMISSION})


def require_member(by: Actor, action: str) -> UUID:
    """Return the member whose rights an endpoint gets; operators have no records to send."""
    require(by, action)
    if by.user_id is None or by.kind not in ("member", "api_key"):
        reason = _("Only a member of the tenant can set up a webhook: it sends what that member may read.")
        ledger.denied(action, by=by, reason=reason)
        raise PermissionDenied(reason)
    return by.user_id


def owner_of(endpoint: WebhookEndpoint) -> Actor | None:
    """Return the owner of an endpoint as an actor, or None when they are no active member any more."""
    place = identity.membership_of(endpoint.owner_id)
    if place is None or place.state != MembershipState.ACTIVE or not place.user.is_active:
        return None
    scopes = endpoint.owner_scopes
    return Actor(
        kind="member" if scopes is None else "api_key",
        id=str(endpoint.owner_id),
        label=str(place.user),
        tenant_id=current_tenant().id,
        user_id=endpoint.owner_id,
        scopes=None if scopes is None else frozenset(scopes),
        role=place.role,
    )
