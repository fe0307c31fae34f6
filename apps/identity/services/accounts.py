"""A person's own account: profile, password, address. Works in a tenant's scope and in the platform's.

Links to choose a new password and to confirm an address are mailed by jobs; asking for one gives the same
answer, after the same work, whether the address has an account or not.
"""

from uuid import UUID
from zoneinfo import available_timezones

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit import ledger
from apps.core.actor import Actor
from apps.core.clock import bump
from apps.core.errors import FieldError, Invalid, Problem
from apps.core.scope import current_scope
from apps.identity import confirmations, mails, passwords, throttle
from apps.identity.models import User, normalize_email
from apps.identity.place import Place
from apps.identity.services.members import EMAIL_LENGTH, checked_email
from apps.identity.services.sessions import end_everywhere
from apps.identity.services.sign_in import NOBODY, member

NAME_LENGTH = 200


@transaction.atomic
def update_profile(
    *, by: Actor, name: str | None = None, locale: str | None = None, time_zone: str | None = None
) -> User:
    """Change what is given of the own name, language and time zone; empty language or zone: the tenant's."""
    user = _self(by)
    given = {"name": name, "locale": locale, "time_zone": time_zone}
    changes = {key: value.strip() for key, value in given.items() if value is not None}
    _check_profile(changes)
    before = {key: getattr(user, key) for key in changes}
    for key, value in changes.items():
        setattr(user, key, value)
    if changes:
        user.save(update_fields=[*changes, "updated_at"])
        ledger.record("profile.changed", by=by, target=f"user:{user.id}", before=before, after=changes)
        _bump()
    return user


@transaction.atomic
def change_password(*, by: Actor, current: str, new: str, session_id: UUID | None = None) -> User:
    """Replace the own password and end all other sessions everywhere; `session_id` is the one that stays."""
    user = _self(by)
    _prove(user, current, by, "password.changed", "currentPassword")
    passwords.require_strong(new, user=user, field="newPassword")
    _set_password(user, new, by=by, keep=session_id, action="password.changed")
    return user


@transaction.atomic
def end_sessions(*, by: Actor, keep: UUID | None = None) -> None:
    """End the own sessions in every tenant; `keep` is the one that stays, if any."""
    end_everywhere(user=_self(by), by=by, keep=keep, reason="ended everywhere")


@transaction.atomic
def request_reset(*, email: str, place: Place) -> None:
    """Queue the mail with a link for a new password; says nothing about whether the address is known."""
    account = normalize_email(email)
    throttle.spend(
        [
            throttle.Counter("reset", f"{account}\x1f{place.ip}", 5),
            throttle.Counter("reset-ip", place.ip or "", 30),
        ]
    )
    ledger.record("password.reset_requested", by=NOBODY)
    if "@" not in account or len(account) > EMAIL_LENGTH:
        return
    mails.send_later("mail_reset", by=NOBODY, title=_("Mail a link for a new password"), email=account)


@transaction.atomic
def reset_password(*, token: str, new: str) -> User:
    """Set the password of the person the link was mailed to and end all their sessions everywhere."""
    user = confirmations.read_reset(token)
    passwords.require_strong(new, user=user, field="newPassword")
    user.email_verified_at = user.email_verified_at or timezone.now()
    by = member(user, current_scope().tenant)
    _set_password(user, new, by=by, keep=None, action="password.reset")
    return user


@transaction.atomic
def request_email_change(*, by: Actor, password: str, email: str) -> None:
    """Queue the mail that confirms a new address; the old one stays until the link is opened."""
    user = _self(by)
    _prove(user, password, by, "email.change_requested", "password")
    account = checked_email(email)
    ledger.record("email.change_requested", by=by, target=f"user:{user.id}")
    mails.send_later(
        "mail_email_change", by=by, title=_("Mail a confirmation"), user_id=str(user.id), email=account
    )


@transaction.atomic
def confirm_email(*, token: str) -> User:
    """Give a person the address their link confirms and tell the old one; raises 400 INVALID_TOKEN."""
    user, email = confirmations.read_email(token)
    old = user.email
    user.email, user.email_verified_at = email, timezone.now()
    try:
        with transaction.atomic():
            user.save(update_fields=["email", "email_verified_at", "updated_at"])
    except IntegrityError as error:
        raise confirmations.invalid() from error
    by = member(user, current_scope().tenant)
    ledger.record("email.changed", by=by, target=f"user:{user.id}")
    mails.send_later("mail_notice", by=by, title=_("Mail a notice"), email=old, what="email")
    bump(None)
    _bump()
    return user


def _self(by: Actor) -> User:
    if by.kind not in ("member", "operator") or by.user_id is None:
        raise Problem("FORBIDDEN", _("A key has no account; sign in."), status=403)
    return User.objects.select_for_update().get(pk=by.user_id)


def _prove(user: User, password: str, by: Actor, action: str, field: str) -> None:
    throttle.spend([throttle.Counter("prove", str(user.id), 5)])
    if len(password) > passwords.LONGEST or not user.check_password(password):
        ledger.denied(action, by=by, reason="wrong password", target=f"user:{user.id}")
        message = _("The current password is not right.")
        raise Invalid(message, [FieldError(field, "invalid_value", message)], code="INVALID_PASSWORD")
    throttle.forgive([throttle.Counter("prove", str(user.id), 5)])


def _set_password(user: User, new: str, *, by: Actor, keep: UUID | None, action: str) -> None:
    user.set_password(new)
    user.password_changed_at = timezone.now()
    user.save(update_fields=["password", "password_changed_at", "email_verified_at", "updated_at"])
    ledger.record(action, by=by, target=f"user:{user.id}")
    end_everywhere(user=user, by=by, keep=keep, reason="password changed")
    mails.send_later("mail_notice", by=by, title=_("Mail a notice"), email=user.email, what="password")
    _bump()


def _check_profile(changes: dict[str, str]) -> None:
    found = []
    if len(changes.get("name", "")) > NAME_LENGTH:
        message = _("Use at most 200 characters.")
        found.append(FieldError("name", "max_length", message, constraint=NAME_LENGTH))
    if changes.get("locale") and changes["locale"] not in dict(settings.LANGUAGES):
        found.append(FieldError("locale", "invalid_option", _("This language is not offered.")))
    if changes.get("time_zone") and changes["time_zone"] not in available_timezones():
        found.append(FieldError("timeZone", "invalid_option", _("There is no such time zone.")))
    if found:
        raise Invalid(_("The profile cannot be saved."), found)


def _bump() -> None:
    tenant = current_scope().tenant
    bump(tenant.id if tenant else None)
