"""Mails to people, sent by jobs: a request never waits for a mail server, and jobs hold no secrets.

Each job computes its link anew from what the database says when it runs. Their arguments are sealed: they say
where a link goes.
"""

from typing import Any
from uuid import UUID

from django.core.mail import send_mail
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from apps.core import queue
from apps.core.actor import Actor
from apps.core.scope import TenantRef, scope_of
from apps.identity import confirmations, links
from apps.identity.models import Invitation, Membership, MembershipState, User, normalize_email


def send_later(name: str, *, by: Actor, title: str, **args: Any) -> None:
    """Queue one of the mails below, in the caller's transaction."""
    scope = scope_of()
    tenant = scope.tenant.id if scope and scope.tenant else None
    queue.enqueue(f"identity.{name}", tenant=tenant, args=args, title=title, by=by)


@queue.task("identity.mail_invitation", tenant="required", sealed=True)
def mail_invitation(_job: queue.JobHandle, invitation_id: str) -> dict[str, Any]:
    """Mail the link of an invitation that is still open."""
    invitation = (
        Invitation.objects.select_related("tenant", "invited_by").filter(pk=UUID(invitation_id)).first()
    )
    if invitation is None or invitation.status != "pending":
        return {"sent": False}
    token = confirmations.invitation_token(invitation)
    if token is None:
        return {"sent": False}
    name = invitation.tenant.name
    with override(invitation.tenant.locale):
        body = _(
            "%(inviter)s invites you to join %(tenant)s.\n\n%(link)s\n\nThe link works until %(until)s."
        ) % {
            "inviter": invitation.invited_by or name,
            "tenant": name,
            "link": links.link(invitation.tenant.ref, links.INVITATION, token),
            "until": f"{invitation.expires_at:%Y-%m-%d %H:%M} UTC",
        }
        subject = _("Join %(tenant)s") % {"tenant": name}
    return _send(invitation.email, subject, body)


@queue.task("identity.mail_reset", tenant="optional", sealed=True)
def mail_reset(_job: queue.JobHandle, email: str) -> dict[str, Any]:
    """Mail the link for a new password, when the address belongs to somebody."""
    user = User.objects.filter(email=normalize_email(email), is_active=True).first()
    if user is None:
        return {"sent": False}
    url = links.link(_home(user), links.RESET, confirmations.reset_token(user))
    with override(user.locale or None):
        body = _(
            "Somebody asked for a new password for this address. Choose it here within an hour:\n\n%(link)s\n\n"
            "If it was not you, ignore this mail; nothing has changed."
        ) % {"link": url}
        return _send(user.email, _("Choose a new password"), body)


@queue.task("identity.mail_email_change", tenant="optional", sealed=True)
def mail_email_change(_job: queue.JobHandle, user_id: str, email: str) -> dict[str, Any]:
    """Mail the link that confirms a new address, unless somebody else has it."""
    user = User.objects.filter(pk=UUID(user_id), is_active=True).first()
    if user is None or User.objects.filter(email=normalize_email(email)).exists():
        return {"sent": False}
    url = links.link(_home(user), links.EMAIL, confirmations.email_token(user, email))
    with override(user.locale or None):
        body = _("Confirm this address for your account within an hour:\n\n%(link)s") % {"link": url}
        return _send(email, _("Confirm your new address"), body)


@queue.task("identity.mail_notice", tenant="optional", sealed=True)
def mail_notice(_job: queue.JobHandle, email: str, what: str) -> dict[str, Any]:
    """Tell a person that their password or address was changed, so that a thief cannot do it unseen."""
    texts = {
        "password": _("The password of your account was changed."),
        "email": _("The address of your account was changed; this one no longer signs in."),
    }
    when = f"{timezone.now():%Y-%m-%d %H:%M} UTC"
    body = _("%(what)s\n\n%(when)s. If it was not you, reset the password now.") % {
        "what": texts[what],
        "when": when,
    }
    return _send(email, _("Your account was changed"), body)


def _home(user: User) -> TenantRef | None:
    """Return whose pages the link opens: the tenant's at hand, else (platform) an operator's console or a tenant's."""
    scope = scope_of()
    if scope is not None and scope.tenant is not None:
        return scope.tenant
    rows = Membership.objects.filter(user=user, state=MembershipState.ACTIVE).select_related("tenant")
    membership = None if user.is_staff else rows.order_by("created_at").first()
    return membership.tenant.ref if membership else None


def _send(to: str, subject: str, body: str) -> dict[str, Any]:
    return {"sent": bool(send_mail(" ".join(subject.split()), body, None, [to]))}
