"""Endpoints: set up, changed, paused and removed by members who may manage webhooks.

An endpoint sends what its owner may read. Whoever changes where or what it sends becomes its owner, so that
nobody can lead another member's view of the records to an address of their own.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit import ledger
from apps.core import egress
from apps.core.actor import Actor
from apps.core.clock import bump
from apps.core.errors import Conflict, FieldError, Invalid, NotFound
from apps.core.scope import current_tenant
from apps.events.models import DisabledFor, EndpointState, WebhookDelivery, WebhookEndpoint
from apps.events.webhooks import patterns, rights, secrets
from apps.events.webhooks.payload import SHAPES

MOST_ENDPOINTS = 50
DESCRIPTION_ROOM = 200
GRACE_HOURS = range(169)
KEYS = frozenset({"url", "description", "types", "shape", "with_record"})


@transaction.atomic
def create(
    *,
    url: str,
    types: Sequence[str],
    by: Actor,
    description: str = "",
    shape: str = "cloudevents",
    with_record: bool = False,
) -> tuple[WebhookEndpoint, str]:
    """Set up an endpoint; return it and its secret, which is shown this once."""
    owner_id = rights.require_member(by, "webhook.created")
    tenant = current_tenant()
    if WebhookEndpoint.objects.filter(tenant_id=tenant.id).count() >= MOST_ENDPOINTS:
        raise Conflict(
            _("A tenant has at most %(most)s webhooks.") % {"most": MOST_ENDPOINTS}, code="QUOTA_EXCEEDED"
        )
    given = {"url": url, "types": list(types), "description": description, "shape": shape}
    values = _checked({**given, "with_record": with_record})
    row = WebhookEndpoint.objects.create(
        tenant_id=tenant.id, owner_id=owner_id, owner_scopes=_scopes(by), **values
    )
    secret = secrets.new_secret()
    secrets.keep(tenant.id, row.id, secret)
    ledger.record("webhook.created", by=by, target=target(row), after=told(row))
    bump(tenant.id)
    return row, secret


@transaction.atomic
def update(*, endpoint_id: UUID, changes: Mapping[str, Any], by: Actor) -> WebhookEndpoint:
    """Change an endpoint; `by` is its owner from now on."""
    owner_id = rights.require_member(by, "webhook.updated")
    unknown = changes.keys() - KEYS
    if unknown:
        raise Invalid(
            _("These cannot be changed: %(names)s.") % {"names": ", ".join(sorted(map(str, unknown)))}
        )
    row = locked(endpoint_id)
    before = told(row)
    values = _checked({key: getattr(row, key) for key in KEYS} | dict(changes))
    for key, value in values.items():
        setattr(row, key, value)
    row.owner_id, row.owner_scopes, row.updated_at = owner_id, _scopes(by), timezone.now()
    row.save()
    ledger.record("webhook.updated", by=by, target=target(row), before=before, after=told(row))
    bump(row.tenant_id)
    return row


@transaction.atomic
def pause(*, endpoint_id: UUID, by: Actor) -> None:
    """Stop sending; events of the meantime are not kept for the endpoint."""
    rights.require(by, "webhook.paused")
    row = locked(endpoint_id)
    if row.state != EndpointState.ACTIVE:
        raise Conflict(_("The webhook is not active."), code="INVALID_STATE")
    _move(row, EndpointState.PAUSED)
    ledger.record("webhook.paused", by=by, target=target(row), details={"host": host_of(row)})


@transaction.atomic
def resume(*, endpoint_id: UUID, by: Actor) -> None:
    """Send again from the next event on, as if nothing had failed before."""
    rights.require(by, "webhook.resumed")
    row = locked(endpoint_id)
    if row.state == EndpointState.ACTIVE:
        raise Conflict(_("The webhook is active."), code="INVALID_STATE")
    if row.disabled_for == DisabledFor.OWNER and rights.owner_of(row) is None:
        raise Conflict(_("Its owner has left. Save the webhook to become its owner."), code="INVALID_STATE")
    _move(row, EndpointState.ACTIVE)
    ledger.record("webhook.resumed", by=by, target=target(row), details={"host": host_of(row)})


@transaction.atomic
def rotate(*, endpoint_id: UUID, by: Actor, grace_hours: int = 24) -> str:
    """Make a new secret and return it, this once; the old one signs as well for `grace_hours` (0 to 168)."""
    rights.require(by, "webhook.secret_rotated")
    if grace_hours not in GRACE_HOURS:
        message = _("Choose 0 to 168 hours.")
        raise Invalid(message, [FieldError("graceHours", "max_value", message, value=grace_hours)])
    row = locked(endpoint_id)
    secret = secrets.new_secret()
    secrets.replace(row.tenant_id, row.id, secret, dt.timedelta(hours=grace_hours))
    details = {"host": host_of(row), "grace_hours": grace_hours}
    ledger.record("webhook.secret_rotated", by=by, target=target(row), details=details)
    return secret


@transaction.atomic
def delete(*, endpoint_id: UUID, by: Actor) -> None:
    """Remove an endpoint with its secrets and its log; what waits is not sent."""
    rights.require(by, "webhook.deleted")
    row = locked(endpoint_id)
    secrets.forget(row.id)
    WebhookDelivery.objects.filter(endpoint_id=row.id).delete()
    ledger.record("webhook.deleted", by=by, target=target(row), before=told(row))
    tenant_id = row.tenant_id
    row.delete()
    bump(tenant_id)


def locked(endpoint_id: UUID) -> WebhookEndpoint:
    """Return an endpoint of the current tenant, locked; raises NotFound."""
    rows = WebhookEndpoint.objects.select_for_update().filter(tenant_id=current_tenant().id)
    row = rows.filter(id=endpoint_id).first()
    if row is None:
        raise NotFound(_("There is no such webhook."), code="RESOURCE_NOT_FOUND")
    return row


def disable(row: WebhookEndpoint, why: DisabledFor) -> None:
    """Stop sending because of what happened; part of a delivery's transaction."""
    _move(row, EndpointState.DISABLED, why)


def target(row: WebhookEndpoint) -> str:
    """Return the endpoint as the ledger names it."""
    return f"webhook:{row.id}"


def host_of(row: WebhookEndpoint) -> str:
    """Return the host of the address: the rest may hold a secret of the receiver's."""
    return urlsplit(row.url).hostname or ""


def told(row: WebhookEndpoint) -> dict[str, Any]:
    """Return what the ledger keeps of an endpoint."""
    values = {"host": host_of(row), "types": row.types, "shape": row.shape, "with_record": row.with_record}
    return values | {"description": row.description, "owner": str(row.owner_id)}


def _move(row: WebhookEndpoint, to: EndpointState, why: str = "") -> None:
    row.state, row.disabled_for, row.updated_at = to, why, timezone.now()
    row.failures, row.failing_since, row.resting_until = 0, None, None
    row.save()
    bump(row.tenant_id)


def _scopes(by: Actor) -> list[str] | None:
    return None if by.scopes is None else sorted(by.scopes)


def _checked(given: Mapping[str, Any]) -> dict[str, Any]:
    values, faults = dict(given), list[FieldError]()
    values["description"] = str(given["description"] or "").strip()
    if len(values["description"]) > DESCRIPTION_ROOM:
        message = _("Use at most 200 characters.")
        faults.append(FieldError("description", "max_length", message, constraint=DESCRIPTION_ROOM))
    try:
        values["url"] = str(given["url"] or "").strip()
        egress.check(values["url"])
    except egress.EgressRefused as refused:
        faults.append(FieldError("url", "invalid_url", f"{refused.message} {refused.cure or ''}".strip()))
    if given["shape"] not in SHAPES:
        message = _("Choose one of: %(options)s.") % {"options": ", ".join(SHAPES)}
        faults.append(FieldError("shape", "invalid_option", message, options=list(SHAPES)))
    if not isinstance(given["with_record"], bool):
        faults.append(FieldError("withRecord", "invalid_boolean", _("Write true or false.")))
    values["types"], found = _types(given["types"])
    faults += found
    if faults:
        raise Invalid(_("The webhook cannot be saved."), faults)
    return values


def _types(given: Any) -> tuple[list[str], list[FieldError]]:
    if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
        return [], [FieldError("types", "invalid_type", _("Types are a list of names."))]
    names = sorted({item.strip() for item in given} - {""})
    if not names or len(names) > patterns.MOST:
        return [], [FieldError("types", "required", _("Choose 1 to 50 types of events."))]
    words = {
        "form": _("%(name)s is not written like noun.verbed, noun.* or *."),
        "unknown": _("There is no event called %(name)s."),
    }
    faults = [(name, patterns.fault(name)) for name in names]
    return names, [
        FieldError("types", "invalid_option", words[fault] % {"name": name}, value=name)
        for name, fault in faults
        if fault
    ]
