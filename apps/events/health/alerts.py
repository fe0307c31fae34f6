"""Alerts: what people must know. Raised once, mailed to operators, in the way until acknowledged or over.

Each raise, acknowledgement and end is one event and one ledger entry; one about a tenant is in both its own
ledger and the platform's, so that whoever edits the one does not silence the other.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from django.db import connections, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.audit import ledger
from apps.core import health
from apps.core.actor import SYSTEM, Actor
from apps.core.clock import Clocked, bump
from apps.core.errors import NotFound, PermissionDenied
from apps.core.ids import uuid7
from apps.core.scope import current_scope, platform_scope
from apps.events import outbox
from apps.events.health import mails
from apps.events.models import Alert
from apps.events.registry import EventType, register
from apps.identity.models import User
from apps.identity.rules import may_operate, may_run_platform

MANAGERS = frozenset({"owner", "admin"})
Severity = Literal["critical", "warning"]
# What is new about an alert that is open already lies in its `mark`: then it is in the way again.
RAISE = """
INSERT INTO public.events_alert AS kept (id, tenant_id, kind, subject, severity, message, details, times)
VALUES (%s, %s, %s, %s, %s, %s, %s::jsonb, 1)
ON CONFLICT (kind, subject, tenant_id) WHERE resolved_at IS NULL DO UPDATE SET
  times = kept.times + 1, last_at = clock_timestamp(), message = excluded.message, details = excluded.details,
  operators_ack_at = CASE WHEN kept.details->>'mark' IS DISTINCT FROM excluded.details->>'mark'
                          THEN NULL ELSE kept.operators_ack_at END,
  tenant_ack_at = CASE WHEN kept.details->>'mark' IS DISTINCT FROM excluded.details->>'mark'
                       THEN NULL ELSE kept.tenant_ack_at END
RETURNING id, times, operators_ack_at IS NULL
"""
FACT = {
    "type": "object",
    "properties": {
        "alert": {"type": "string"},
        "kind": {"type": "string"},
        "subject": {"type": "string"},
        "severity": {"type": "string"},
        "message": {"type": "string"},
        "tenant": {"type": "string"},
    },
    "required": ["alert", "kind", "subject", "severity", "message"],
}
register(
    EventType("alert.raised", "Something happened that people must know.", FACT),
    EventType("alert.acknowledged", "Somebody has seen an alert.", FACT),
    EventType("alert.resolved", "What an alert was about is over.", FACT),
)


@dataclass(frozen=True)
class Notice:
    """An alert as banners show it."""

    id: UUID
    tenant_id: UUID | None
    kind: str
    subject: str
    severity: str
    message: str
    details: Mapping[str, Any]


def raise_alert(
    kind: str,
    *,
    subject: str,
    message: str,
    tenant_id: UUID | None = None,
    severity: Severity = "critical",
    details: Mapping[str, Any] | None = None,
) -> UUID:
    """Open an alert, or add to the one that is open; only a new one is announced. In the platform's scope.

    `details` may name a `mark`: when it differs from the open alert's, the alert is in the way again.
    """
    row = [uuid7(), tenant_id, kind, subject, severity, message, json.dumps(dict(details or {}), default=str)]
    with connections["default"].cursor() as cursor:
        cursor.execute(RAISE, row)
        alert_id, times, in_the_way = cursor.fetchone()
    if times > 1:
        if in_the_way:
            _moved(tenant_id)
        return UUID(str(alert_id))
    alert = Alert.objects.get(pk=alert_id)
    _record("alert.raised", alert, SYSTEM, {"details": alert.details})
    for user in recipients(tenant_id):
        mails.send_later(alert, user)
    _moved(tenant_id)
    return UUID(str(alert_id))


@transaction.atomic
def acknowledge(alert_id: UUID, *, by: Actor) -> Alert:
    """Say that `by` has seen the alert: it leaves the way of operators, or of the tenant's own people.

    Raises NotFound outside its scope and PermissionDenied for anyone but its operators and managers.
    """
    tenant = current_scope().tenant
    rows = Alert.objects.select_for_update().filter(pk=alert_id)
    alert = (rows.filter(tenant_id=tenant.id) if tenant else rows).first()
    if alert is None:
        raise NotFound("There is no such alert.")
    _check(alert, by)
    side = "operators" if by.kind in {"operator", "system"} else "tenant"
    if getattr(alert, f"{side}_ack_at") is None:
        setattr(alert, f"{side}_ack_at", timezone.now())
        setattr(alert, f"{side}_ack_by", by.label)
        alert.save(update_fields=[f"{side}_ack_at", f"{side}_ack_by"])
        _record("alert.acknowledged", alert, by, {"side": side})
        _moved(alert.tenant_id)
    return alert


def resolve(
    kind: str, *, subject: str, resolution: str, tenant_id: UUID | None = None, by: Actor = SYSTEM
) -> bool:
    """End the open alert of that kind and subject; return whether there was one. In the platform's scope."""
    rows = Alert.objects.select_for_update().filter(
        kind=kind, subject=subject, tenant_id=tenant_id, resolved_at=None
    )
    alert = rows.first()
    if alert is None:
        return False
    alert.resolved_at, alert.resolution = timezone.now(), resolution
    alert.save(update_fields=["resolved_at", "resolution"])
    _record("alert.resolved", alert, by, {"resolution": resolution})
    _moved(tenant_id)
    return True


def for_operators() -> tuple[Notice, ...]:
    """Return what is in the way of operators, newest first; in the platform's scope, cached by its clock."""
    return _of_platform.get()


def for_tenant() -> tuple[Notice, ...]:
    """Return what is in the way of the tenant in force, newest first; cached by its clock."""
    return _of_tenant.get()


def recipients(tenant_id: UUID | None) -> list[User]:
    """Return the operators who are told: superusers, and for a tenant those to whom it is granted."""
    staff = User.objects.filter(is_active=True, is_staff=True).order_by("email")
    return [
        user
        for user in staff
        if user.is_superuser or (tenant_id is not None and may_operate(user, tenant_id))
    ]


@health.check("alerts", title=_("Open alerts"), group="machine", measure="alerts_open", alarms=False)
def alerts_check() -> health.Finding:
    """Count what is open; what nobody has acknowledged needs somebody."""
    with platform_scope("health: alerts"):
        rows = list(Alert.objects.filter(resolved_at=None).values_list("severity", "operators_ack_at"))
    new = sum(seen is None for _severity, seen in rows)
    critical = sum(severity == "critical" for severity, _seen in rows)
    figures = {"alerts_open": len(rows), "alerts_critical": critical, "alerts_unacknowledged": new}
    if not rows:
        return health.Finding("ok", "No alert is open.", figures)
    return health.Finding(
        "degraded" if new else "ok", f"{len(rows)} alerts are open, {new} of them new.", figures
    )


def _check(alert: Alert, by: Actor) -> None:
    if by.kind == "system":
        return
    if by.kind == "operator":
        user = User.objects.filter(pk=by.user_id).first() if by.user_id else None
        if alert.tenant_id is None and may_run_platform(by):
            return
        if alert.tenant_id is not None and user is not None and may_operate(user, alert.tenant_id):
            return
    elif by.tenant_id == alert.tenant_id is not None and by.role in MANAGERS:
        return
    raise PermissionDenied("Only operators and the tenant's managers acknowledge an alert.")


def _record(action: str, alert: Alert, by: Actor, more: Mapping[str, Any]) -> None:
    data: dict[str, Any] = {"alert": str(alert.id), "kind": alert.kind, "subject": alert.subject}
    data |= {"severity": alert.severity, "message": alert.message}
    if alert.tenant_id:
        data["tenant"] = str(alert.tenant_id)
    here = current_scope().tenant
    books = [alert.tenant_id] if here else list(dict.fromkeys([None, alert.tenant_id]))
    for book in books:
        ledger.record(action, by=by, target=f"alert:{alert.id}", details={**data, **more}, tenant=book)
    outbox.emit(action, subject=f"alert:{alert.id}", data=data, by=by, tenant=alert.tenant_id)


def _moved(tenant_id: UUID | None) -> None:
    """Make every process read the alerts anew; the platform's clock is out of reach in a tenant's scope."""
    if tenant_id is not None:
        bump(tenant_id)
    if current_scope().tenant is None:
        bump(None)


def _notices(rows: Any) -> tuple[Notice, ...]:
    return tuple(
        Notice(row.id, row.tenant_id, row.kind, row.subject, row.severity, row.message, row.details)
        for row in rows.filter(resolved_at=None).order_by("-id")[:50]
    )


def _load_platform() -> tuple[Notice, ...]:
    return _notices(Alert.objects.filter(operators_ack_at=None))


def _load_tenant() -> tuple[Notice, ...]:
    tenant = current_scope().tenant
    return _notices(Alert.objects.filter(tenant_ack_at=None, tenant_id=tenant.id)) if tenant else ()


_of_platform: Clocked[tuple[Notice, ...]] = Clocked(_load_platform, of="platform", size=1)
_of_tenant: Clocked[tuple[Notice, ...]] = Clocked(_load_tenant)
