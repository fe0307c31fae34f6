"""Mails about alerts: one job per operator, so that a mail server that is away doubles nobody's mail."""

from typing import Any
from uuid import UUID

from django.core.mail import send_mail
from django.utils.translation import gettext as _
from django.utils.translation import override

from apps.core import queue
from apps.core.actor import SYSTEM
from apps.events.models import Alert
from apps.identity import links
from apps.identity.models import User

TASK = "health.mail_alert"
ARGS = {
    "type": "object",
    "properties": {"alert_id": {"type": "string"}, "user_id": {"type": "string"}},
    "required": ["alert_id", "user_id"],
    "additionalProperties": False,
}


def send_later(alert: Alert, user: User) -> None:
    """Queue the mail to one operator in the caller's transaction; asked twice it is one mail."""
    queue.enqueue(
        TASK,
        tenant=None,
        args={"alert_id": str(alert.id), "user_id": str(user.pk)},
        title="Mail an alert",
        by=SYSTEM,
        key=f"{alert.id}:{user.pk}",
    )


@queue.task(TASK, tenant="forbidden", max_attempts=8, schema=ARGS, sealed=True)
def mail_alert(_job: queue.JobHandle, alert_id: str, user_id: str) -> dict[str, Any]:
    """Mail one alert to one operator, unless it is over or they are none any more."""
    alert = Alert.objects.filter(pk=UUID(alert_id)).first()
    user = User.objects.filter(pk=UUID(user_id), is_active=True, is_staff=True).first()
    if alert is None or user is None or alert.resolved_at is not None:
        return {"sent": False}
    with override(user.locale or None):
        subject = _("[%(severity)s] %(subject)s") % {
            "severity": alert.severity,
            "subject": f"{alert.kind}: {alert.subject}",
        }
        body = _("%(message)s\n\nSince %(since)s.\n\n%(link)s") % {
            "message": alert.message,
            "since": f"{alert.raised_at:%Y-%m-%d %H:%M} UTC",
            "link": f"{links.origin(None)}{links.CONSOLE}/health/",
        }
        return {"sent": bool(send_mail(" ".join(subject.split()), body, None, [user.email]))}
