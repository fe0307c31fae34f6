"""What a password must be: 8 to 128 characters, not a known leaked one, not the person's own name.

There are no rules of composition. Known leaked passwords come from Django's list of the most common ones and,
when `BREACHED_PASSWORDS` names a file (plain or .gz, one password a line), from that file too.
"""

import gzip
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import (
    CommonPasswordValidator,
    UserAttributeSimilarityValidator,
)
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from apps.core.errors import FieldError, Invalid
from apps.identity.models import User

SHORTEST = 8
LONGEST = 128


class LengthValidator:
    """Refuses what is too short to resist guessing or too long to hash in a bounded time."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raise ValidationError with code min_length or max_length."""
        if len(password) < SHORTEST:
            raise ValidationError(
                _("Use at least %(limit)d characters."), code="min_length", params={"limit": SHORTEST}
            )
        if len(password) > LONGEST:
            raise ValidationError(
                _("Use at most %(limit)d characters."), code="max_length", params={"limit": LONGEST}
            )

    def get_help_text(self) -> str:
        """Return the hint shown beside the field."""
        return _("%(low)d to %(high)d characters of any kind; a sentence is fine.") % {
            "low": SHORTEST,
            "high": LONGEST,
        }


class BreachedValidator:
    """Refuses passwords that are on a list of leaked ones, in any case of letters."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raise ValidationError with code invalid_value."""
        spelling = password.lower().strip()
        if spelling in _common() or spelling in _listed(_file()):
            raise ValidationError(
                _("This password is on a list of leaked ones. Choose another."), code="invalid_value"
            )

    def get_help_text(self) -> str:
        """Return the hint shown beside the field."""
        return _("Passwords known from leaks are refused.")


VALIDATORS = (
    LengthValidator(),
    BreachedValidator(),
    UserAttributeSimilarityValidator(user_attributes=("email", "name")),
)


def require_strong(password: str, *, user: User, field: str = "password") -> None:
    """Raise `Invalid` with every rule the password breaks, as errors of `field`."""
    found = []
    for validator in VALIDATORS if len(password) <= LONGEST else VALIDATORS[:1]:
        try:
            validator.validate(password, user)
        except ValidationError as error:
            code = error.code if error.code in ("min_length", "max_length") else "invalid_value"
            found.append(FieldError(field, code, " ".join(error.messages)))
    if found:
        raise Invalid(_("This password cannot be used."), found)


def spend(password: str) -> None:
    """Do the work of one password check, for accounts that do not exist."""
    make_password(password[:LONGEST])


def _file() -> str:
    return str(settings.BREACHED_PASSWORDS or "")


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    return frozenset(item for item in CommonPasswordValidator().passwords if len(item) >= SHORTEST)


@lru_cache(maxsize=2)
def _listed(path: str) -> frozenset[str]:
    if not path:
        return frozenset()
    opener: Any = gzip.open if Path(path).suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", errors="replace") as lines:
        return frozenset(line.strip().lower() for line in lines if len(line) > SHORTEST)
