"""Types that hold text: text, textarea, email, url, phone."""

from __future__ import annotations

import re
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator, URLValidator
from django.db import models
from django.db.models import F
from django.db.models.functions import Length
from django.db.models.lookups import GreaterThanOrEqual, LessThanOrEqual
from django.utils.translation import gettext as _

from apps.objects.definitions import FieldDef
from apps.objects.kinds.kind import EQUALITY, KINDS, MATCH, ORDER, Kind
from apps.objects.kinds.naming import named
from apps.objects.kinds.problem import AcceptContext, FieldProblem

PHONE = re.compile(r"\+? ?\(?[0-9][0-9 ()./\-]*(?:(?:x|ext\.?) ?[0-9]{1,6})?", re.IGNORECASE)
PHONE_DIGITS = range(4, 19)
_email = EmailValidator()
_url = URLValidator(schemes=["http", "https"])


def clean_text(raw: Any) -> str:
    """Return `raw` when it is text that PostgreSQL can store, else raise `FieldProblem`."""
    if not isinstance(raw, str):
        raise FieldProblem("invalid_type", _("Enter text."))
    if "\x00" in raw:
        raise FieldProblem("invalid_format", _("The text must not hold the NUL character."))
    try:
        raw.encode()
    except UnicodeEncodeError as error:
        raise FieldProblem("invalid_format", _("The text holds half of a surrogate pair.")) from error
    return raw


class TextKind(Kind):
    """One line of text, at most 255 characters unless `maxLength` says otherwise."""

    name = "text"
    keys = frozenset({"maxLength", "minLength"})
    operators = EQUALITY | ORDER | MATCH
    searchable = True
    maskable = True
    nestable = True
    example = "Anna"
    limit: ClassVar[int] = 255
    ceiling: ClassVar[int] = 4_000
    format: ClassVar[str] = ""

    def max_length(self, field: FieldDef) -> int:
        return field.max_length or self.limit

    def model_field(self, object_name: str, field: FieldDef) -> models.Field[Any, Any]:
        return models.TextField(null=not field.required)

    def constraints(self, object_name: str, field: FieldDef) -> list[models.BaseConstraint]:
        length = Length(F(field.name))
        found: list[models.BaseConstraint] = [
            models.CheckConstraint(
                condition=LessThanOrEqual(length, self.max_length(field)),
                name=named(object_name, field.name, "len"),
            )
        ]
        if field.min_length:
            found.append(
                models.CheckConstraint(
                    condition=GreaterThanOrEqual(length, field.min_length),
                    name=named(object_name, field.name, "minlen"),
                )
            )
        return found

    def parse(self, field: FieldDef, raw: Any, context: AcceptContext) -> str:
        text = self.tidy(clean_text(raw))
        limit = self.max_length(field)
        if len(text) > limit:
            message = _("Enter at most %(limit)d characters (it has %(count)d).")
            message %= {"limit": limit, "count": len(text)}
            raise FieldProblem("max_length", message, constraint=limit)
        if field.min_length and len(text) < field.min_length:
            message = _("Enter at least %(limit)d characters.") % {"limit": field.min_length}
            raise FieldProblem("min_length", message, constraint=field.min_length)
        self.judge(text)
        return text

    def tidy(self, text: str) -> str:
        return text

    def judge(self, text: str) -> None:
        """Raise `FieldProblem` when the syntax of `text` is wrong."""

    def schema(self, field: FieldDef, *, writing: bool) -> dict[str, Any]:
        if not writing:
            return {"type": "string"}
        limit = {"maxLength": field.max_length} if field.max_length else {}
        return {"type": "string"} | ({"format": self.format} if self.format else {}) | limit

    def filter_value(self, field: FieldDef, raw: Any) -> str:
        if isinstance(raw, int) and not isinstance(raw, bool):
            return str(raw)
        return clean_text(raw)


class TextareaKind(TextKind):
    """Several lines of text, at most 32,000 characters unless `maxLength` says otherwise."""

    name = "textarea"
    limit = 32_000
    ceiling = 131_072
    example = "One line.\nAnother."
    widget = "textarea"
    cell = "longtext"


class EmailKind(TextKind):
    """An e-mail address; its domain may be written in any script."""

    name = "email"
    limit = 254
    ceiling = 254
    format = "email"
    example = "anna@example.com"
    widget = "email"
    cell = "email"

    def tidy(self, text: str) -> str:
        return text.strip()

    def judge(self, text: str) -> None:
        local, _at, domain = text.rpartition("@")
        try:
            ascii_domain = domain if domain.isascii() else domain.encode("idna").decode()
            _email(f"{local}@{ascii_domain}")
        except (ValidationError, UnicodeError) as error:
            message = _("Enter an e-mail address such as anna@example.com.")
            raise FieldProblem("invalid_email", message) from error


class UrlKind(TextKind):
    """A web address with http or https, so that a page may link to it safely."""

    name = "url"
    limit = 2_000
    ceiling = 4_000
    format = "uri"
    example = "https://example.com"
    widget = "url"
    cell = "url"

    def tidy(self, text: str) -> str:
        return text.strip()

    def judge(self, text: str) -> None:
        message = _("Enter a web address that starts with https:// or http://.")
        try:
            _url(text)
            parts = urlsplit(text)
        except (ValidationError, ValueError) as error:
            raise FieldProblem("invalid_url", message) from error
        if parts.username or parts.password:
            raise FieldProblem("invalid_url", _("The address must not hold a password."))


class PhoneKind(TextKind):
    """A telephone number as people write it; only its characters and the count of digits are checked."""

    name = "phone"
    limit = 40
    ceiling = 40
    example = "+49 30 1234567"
    widget = "tel"
    cell = "phone"

    def tidy(self, text: str) -> str:
        return text.strip()

    def judge(self, text: str) -> None:
        digits = sum(c.isdigit() for c in text)
        if not (text.isascii() and PHONE.fullmatch(text) and digits in PHONE_DIGITS):
            raise FieldProblem("invalid_phone", _("Enter a phone number such as +49 30 1234567."))


for _kind in (TextKind(), TextareaKind(), EmailKind(), UrlKind(), PhoneKind()):
    KINDS.register(_kind.name, _kind)
