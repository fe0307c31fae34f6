"""Signed links that work once: they carry what they were made of, and die when that changes."""

from typing import Any
from uuid import UUID

from django.core import signing
from django.utils.translation import gettext as _

from apps.core.errors import Problem
from apps.identity.models import Invitation, User, normalize_email
from apps.identity.secrets import derived, digest, same

RESET_SALT = "aibos.identity.reset"
EMAIL_SALT = "aibos.identity.email"
SECONDS = 3600


def reset_token(user: User) -> str:
    """Return a token for choosing a new password: an hour, once, and not after the next sign-in."""
    return signing.dumps({"u": str(user.id), "s": _state(user)}, salt=RESET_SALT)


def read_reset(token: str) -> User:
    """Return the person a reset token was made for; raise 400 INVALID_TOKEN when it no longer holds."""
    return _read(token, RESET_SALT)[0]


def email_token(user: User, email: str) -> str:
    """Return a token that confirms `email` as the person's new address."""
    values = {"u": str(user.id), "s": _state(user, with_login=False), "e": normalize_email(email)}
    return signing.dumps(values, salt=EMAIL_SALT)


def read_email(token: str) -> tuple[User, str]:
    """Return the person and the new address; raise 400 INVALID_TOKEN when the token no longer holds."""
    user, values = _read(token, EMAIL_SALT, with_login=False)
    return user, str(values["e"])


def invitation_token(invitation: Invitation) -> str | None:
    """Return the secret of an invitation's link, or None when it was made with another SECRET_KEY."""
    token = derived("invitation", invitation.id)
    return token if same(digest(token), invitation.token_hash) else None


def _read(token: str, salt: str, *, with_login: bool = True) -> Any:
    try:
        values = signing.loads(token, salt=salt, max_age=SECONDS)
        user = User.objects.select_for_update().filter(pk=UUID(values["u"]), is_active=True).first()
    except (signing.BadSignature, KeyError, ValueError) as error:
        raise invalid() from error
    if user is None or not same(_state(user, with_login=with_login), values["s"]):
        raise invalid()
    return user, values


def invalid() -> Problem:
    """Return the refusal of a link, the same for every reason."""
    return Problem(
        "INVALID_TOKEN", _("This link is not valid any more."), status=400, cure=_("Ask for a new one.")
    )


def _state(user: User, *, with_login: bool = True) -> str:
    login = user.last_login.isoformat() if user.last_login and with_login else ""
    text = "\x1f".join([str(user.id), user.password, user.email, login])
    return derived("state-of-a-person", text)
