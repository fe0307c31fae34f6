"""Telling people that a webhook was switched off: an event, an entry in the ledger, a mail to those in charge."""

from typing import Any
from uuid import UUID

from django.core.mail import send_mail
from django.utils.translation import gettext as _
from django.utils.translation import override

from apps.audit import ledger
from apps.core import queue
from apps.core.actor import SYSTEM
from apps.core.scope import current_tenant
from apps.events import outbox
from apps.events.models import DisabledFor, WebhookEndpoint
from apps.events.registry import EventType, register
from apps.events.webhooks import endpoints
from apps.identity import links
from apps.identity import queries as identity
from apps.identity.models import MembershipState, Role, User

MAIL = "webhooks.mail_disabled"
PAGE = "/settings/webhooks/"
TEXT = {"type": "string"}

register(
    EventType(
        "webhook.disabled",
        "The platform stopped sending to a webhook.",
        {
            "type": "object",
            "properties": {"id": TEXT, "host": TEXT, "reason": {"enum": list(DisabledFor.values)}},
            "required": ["id", "host", "reason"],
            "additionalProperties": False,
        },
    )
)


def disabled(row: WebhookEndpoint, why: DisabledFor) -> None:
    """Disable an endpoint and tell: its owner, and the tenant's owners and administrators, each once."""
    endpoints.disable(row, why)
    data = {"id": row.id, "host": endpoints.host_of(row), "reason": str(why)}
    outbox.emit("webhook.disabled", subject=endpoints.target(row), data=data, by=SYSTEM)
    ledger.record("webhook.disabled", by=SYSTEM, target=endpoints.target(row), details=data)
    for user_id in _told(row):
        queue.enqueue(
            MAIL,
            tenant=row.tenant_id,
            args={"endpoint_id": str(row.id), "user_id": str(user_id), "why": str(why)},
            title=f"Mail: webhook to {data['host']} is switched off",
            by=SYSTEM,
        )


def _told(row: WebhookEndpoint) -> list[UUID]:
    active = identity.members().filter(state=MembershipState.ACTIVE, user__is_active=True)
    in_charge = active.filter(role__in=(Role.OWNER, Role.ADMIN)) | active.filter(user=row.owner_id)
    return sorted({place.user_id for place in in_charge})


@queue.task(MAIL, sealed=True)
def mail_disabled(_job: queue.JobHandle, endpoint_id: str, user_id: str, why: str) -> dict[str, Any]:
    """Mail one person where to look."""
    row = WebhookEndpoint.objects.filter(pk=UUID(endpoint_id)).first()
    user = User.objects.filter(pk=UUID(user_id), is_active=True).first()
    if row is None or user is None:
        return {"sent": False}
    with override(user.locale or None):
        host = endpoints.host_of(row)
        subject = _("The webhook to %(host)s is switched off") % {"host": host}
        lead = _("Nothing is sent to %(host)s any more. Look at it here:") % {"host": host}
        link = links.link(current_tenant(), PAGE, str(row.id))
        body = f"{DisabledFor(why).label}\n\n{lead}\n\n{link}"
        return {"sent": bool(send_mail(" ".join(subject.split()), body, None, [user.email]))}
