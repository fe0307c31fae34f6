"""Writing events: one INSERT in the transaction that makes the fact true; the relay takes it from there."""

import datetime as dt
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from psycopg.sql import SQL, Composed

from apps.core import canonical, context
from apps.core.actor import Actor
from apps.core.db import fast
from apps.core.ids import uuid7
from apps.core.scope import TenantRef, current_scope
from apps.events.registry import type_of
from apps.events.wake import ring_on_commit

HERE: Any = object()
# The event whose handling writes further events; set by the relay.
cause: ContextVar[UUID | None] = ContextVar("cause", default=None)
# How many events lie between it and the one that a person or a clock caused.
depth: ContextVar[int] = ContextVar("depth", default=0)
INSERT = "INSERT INTO public.events_outbox (id, tenant_id, type, subject, body) VALUES (%s, %s, %s, %s, %s)"


def emit(
    type: str,  # noqa: A002 - the name CloudEvents gives it
    *,
    subject: str | None = None,
    data: Mapping[str, Any] | None = None,
    by: Actor,
    tenant: TenantRef | UUID | None = HERE,
) -> UUID:
    """Write an event in the caller's transaction and return its id.

    `subject` is `kind:id`. Raises LookupError for an unregistered type, ValueError for data that do not fit
    its schema, TypeError for floats, ScopeMissing outside a scope.
    """
    params = _params(type, subject, data, by, tenant)
    fast.write(INSERT, params)
    ring_on_commit()
    event_id: UUID = params[0]
    return event_id


def statement(
    type: str,  # noqa: A002 - the name CloudEvents gives it
    *,
    subject: str | None = None,
    data: Mapping[str, Any] | None = None,
    by: Actor,
    tenant: TenantRef | UUID | None = HERE,
) -> tuple[Composed, list[Any]]:
    """Return the same INSERT for `WITH event AS (<statement>)` in a larger one, with its five parameters."""
    params = _params(type, subject, data, by, tenant)
    ring_on_commit()
    return Composed([SQL(INSERT)]), params


def _params(
    name: str, subject: str | None, data: Mapping[str, Any] | None, by: Actor, tenant: TenantRef | UUID | None
) -> list[Any]:
    known = type_of(name)
    values = canonical.plain(data or {})
    if fault := known.checks.fault(values):
        msg = f"{name}: {fault}"
        raise ValueError(msg)
    if tenant is HERE:
        tenant = current_scope().tenant
    tenant_id = tenant.id if isinstance(tenant, TenantRef) else tenant
    event_id = uuid7()
    envelope = {
        "specversion": "1.0",
        "id": event_id,
        "type": name,
        "source": f"/tenants/{tenant_id}" if tenant_id else "/platform",
        "subject": subject,
        "time": dt.datetime.now(dt.UTC),
        "datacontenttype": "application/json",
        "dataschema": known.uri,
        "dataversion": known.version,
        "tenant": tenant_id,
        "actor": f"{by.kind}:{by.id}",
        "correlationid": context.request_id.get(),
        "causationid": cause.get(),
        "causationdepth": depth.get() or None,
        "data": values,
    }
    body = canonical.dumps({key: value for key, value in envelope.items() if value is not None})
    if b"\\u0000" in body:
        msg = f"{name}: an event may not hold the NUL character."
        raise ValueError(msg)
    return [event_id, tenant_id, name, subject, body]
