"""Sources: who may send messages in, each at an address and with a secret of its own."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from apps.audit import ledger
from apps.core.actor import Actor
from apps.core.errors import Conflict, FieldError, Invalid, NotFound
from apps.core.scope import current_tenant
from apps.events.models import EndpointState, WebhookReceipt, WebhookSource
from apps.events.webhooks import rights, schemes, secrets, signing
from apps.events.webhooks.endpoints import DESCRIPTION_ROOM, GRACE_HOURS

NAME = re.compile(r"[a-z][a-z0-9-]{1,39}")
MOST_SOURCES = 50


@transaction.atomic
def create(
    *,
    name: str,
    scheme: str,
    by: Actor,
    secret: str = "",
    options: Mapping[str, Any] | None = None,
    description: str = "",
) -> tuple[WebhookSource, str]:
    """Open a source; return it and its secret (made here when none is given), which is shown this once."""
    rights.require(by, "webhook_source.created")
    tenant = current_tenant()
    options = {key: value for key, value in (options or {}).items() if value not in ("", None)}
    _check(name, scheme, options, description.strip(), secret)
    rows = WebhookSource.objects.filter(tenant_id=tenant.id)
    if rows.count() >= MOST_SOURCES:
        message = _("A tenant has at most %(most)s incoming webhooks.") % {"most": MOST_SOURCES}
        raise Conflict(message, code="QUOTA_EXCEEDED")
    if rows.filter(name=name).exists():
        message = _("There is an incoming webhook with this name already.")
        raise Invalid(message, [FieldError("name", "unique", message, value=name)])
    row = WebhookSource.objects.create(
        tenant_id=tenant.id, name=name, scheme=scheme, options=options, description=description.strip()
    )
    secret = secret or secrets.new_secret()
    secrets.keep(tenant.id, row.id, secret)
    ledger.record("webhook_source.created", by=by, target=target(row), after=told(row))
    return row, secret


@transaction.atomic
def rotate(*, source_id: UUID, by: Actor, secret: str = "", grace_hours: int = 24) -> str:
    """Put another secret in place and return it, this once; the old one is taken as well for `grace_hours`."""
    rights.require(by, "webhook_source.secret_rotated")
    if grace_hours not in GRACE_HOURS:
        message = _("Choose 0 to 168 hours.")
        raise Invalid(message, [FieldError("graceHours", "max_value", message, value=grace_hours)])
    row = locked(source_id)
    if faults := _secret_faults(row.scheme, secret):
        raise Invalid(_("The secret cannot be used."), faults)
    secret = secret or secrets.new_secret()
    secrets.replace(row.tenant_id, row.id, secret, dt.timedelta(hours=grace_hours))
    details = {"name": row.name, "grace_hours": grace_hours}
    ledger.record("webhook_source.secret_rotated", by=by, target=target(row), details=details)
    return secret


@transaction.atomic
def switch(*, source_id: UUID, on: bool, by: Actor) -> None:
    """Take messages again, or refuse all of them."""
    action = "webhook_source.resumed" if on else "webhook_source.paused"
    rights.require(by, action)
    row = locked(source_id)
    wanted = EndpointState.ACTIVE if on else EndpointState.PAUSED
    if row.state == wanted:
        raise Conflict(_("Nothing is to be changed."), code="INVALID_STATE")
    row.state = wanted
    row.save(update_fields=["state"])
    ledger.record(action, by=by, target=target(row), details={"name": row.name})


@transaction.atomic
def delete(*, source_id: UUID, by: Actor) -> None:
    """Close a source for good; the events that came through it stay."""
    rights.require(by, "webhook_source.deleted")
    row = locked(source_id)
    secrets.forget(row.id)
    WebhookReceipt.objects.filter(source_id=row.id).delete()
    ledger.record("webhook_source.deleted", by=by, target=target(row), before=told(row))
    row.delete()


def locked(source_id: UUID) -> WebhookSource:
    """Return a source of the current tenant, locked; raises NotFound."""
    rows = WebhookSource.objects.select_for_update().filter(tenant_id=current_tenant().id)
    row = rows.filter(pk=source_id).first()
    if row is None:
        raise NotFound(_("There is no such incoming webhook."), code="RESOURCE_NOT_FOUND")
    return row


def target(row: WebhookSource) -> str:
    """Return the source as the ledger names it."""
    return f"webhook_source:{row.id}"


def told(row: WebhookSource) -> dict[str, Any]:
    """Return what the ledger keeps of a source."""
    return {"name": row.name, "scheme": row.scheme, "options": row.options, "description": row.description}


def _check(name: str, scheme: str, options: Mapping[str, Any], description: str, secret: str) -> None:
    faults = []
    if not NAME.fullmatch(name):
        message = _("Use 2 to 40 small letters, digits and hyphens, a letter first.")
        faults.append(FieldError("name", "invalid_format", message, value=name))
    if len(description) > DESCRIPTION_ROOM:
        message = _("Use at most 200 characters.")
        faults.append(FieldError("description", "max_length", message, constraint=DESCRIPTION_ROOM))
    if scheme not in schemes.SCHEMES:
        message = _("Choose one of: %(options)s.") % {"options": ", ".join(schemes.SCHEMES)}
        faults.append(FieldError("scheme", "invalid_option", message, options=list(schemes.SCHEMES)))
    else:
        faults += _option_faults(scheme, options) + _secret_faults(scheme, secret)
    if faults:
        raise Invalid(_("The incoming webhook cannot be saved."), faults)


def _option_faults(scheme: str, options: Mapping[str, Any]) -> list[FieldError]:
    if scheme != "hmac":
        message = _("Only the scheme hmac has options.")
        return [FieldError("options", "invalid_option", message)] if options else []
    unknown, message = sorted(options.keys() - schemes.OPTIONS), _("There is no such option.")
    faults = [FieldError(f"options.{key}", "invalid_option", message) for key in unknown]
    for key in ("header", "timestamp_header", "id_header"):
        value = options.get(key, "" if key == "header" else "x")
        if not isinstance(value, str) or not schemes.HEADER.fullmatch(value):
            message = _("Write the name of a header in small letters.")
            faults.append(FieldError(f"options.{key}", "invalid_format", message))
    for key, known in (("encoding", schemes.ENCODINGS), ("digest", schemes.DIGESTS)):
        if options.get(key, known[0]) not in known:
            message = _("Choose one of: %(options)s.") % {"options": ", ".join(known)}
            faults.append(FieldError(f"options.{key}", "invalid_option", message, options=known))
    prefix = options.get("prefix", "")
    if not isinstance(prefix, str) or len(prefix) > 20:
        faults.append(FieldError("options.prefix", "max_length", _("Use at most 20 characters.")))
    return faults


def _secret_faults(scheme: str, secret: str) -> list[FieldError]:
    if not secret:
        return []
    message = ""
    if schemes.SCHEMES[scheme].standard_secret:
        try:
            signing.key_of(secret)
        except signing.BadSecret:
            message = _("Write whsec_ and base64 of 24 to 64 bytes.")
    elif not schemes.LEAST_SECRET <= len(secret) <= schemes.MOST_SECRET:
        message = _("Use 16 to 256 characters.")
    return [FieldError("secret", "invalid_format", message)] if message else []
