"""Breaking the glass: full rights on records for a short time, taken by oneself, for a reason that everybody in
charge is told at once by an event, and that the ledger keeps.
"""

import datetime as dt
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.audit import ledger
from apps.core import clock
from apps.core.actor import Actor
from apps.core.errors import Conflict, FieldError, Invalid, PermissionDenied
from apps.core.scope import current_tenant
from apps.events import outbox
from apps.events.registry import EventType, register
from apps.permissions import granting
from apps.permissions.access import access_for
from apps.permissions.builtin import EMERGENCY
from apps.permissions.models import Assignment

PERMISSION = "break_glass"
SHORTEST_REASON = 10
MOST_MINUTES = 240
BROKEN, ENDED = "access.glass_broken", "access.glass_mended"


@transaction.atomic
def break_glass(*, by: Actor, reason: str, minutes: int = 60) -> Assignment:
    """Give the acting member emergency access for so many minutes; needs `break_glass`.

    Raises `Invalid` for a reason too short to be one, and a time beyond four hours.
    """
    if by.user_id is None or by.kind != "member" or not access_for(by).has_system(PERMISSION):
        why = f"This needs the permission {PERMISSION}."
        ledger.denied(BROKEN, by=by, reason=why)
        raise PermissionDenied(why, details={"permission": PERMISSION})
    _check(reason, minutes)
    until = timezone.now() + dt.timedelta(minutes=minutes)
    made, _ = Assignment.objects.update_or_create(
        user_id=by.user_id,
        set_name=EMERGENCY.name,
        defaults={
            "valid_from": None,
            "valid_until": until,
            "reason": reason.strip(),
            "emergency": True,
            "assigned_by": by.id,
        },
    )
    told = {"reason": reason.strip(), "until": until.isoformat()}
    target = f"user:{by.user_id}"
    ledger.record(BROKEN, by=by, target=target, after=told)
    outbox.emit(BROKEN, subject=target, data=told | {"member": by.label}, by=by)
    clock.bump(current_tenant().id)
    return made


@transaction.atomic
def mend_glass(*, user_id: UUID, by: Actor) -> None:
    """End an emergency before its time: one's own, or with `manage_permissions` anybody's."""
    target = f"user:{user_id}"
    if user_id != by.user_id:
        granting.allowed(by, ENDED, target)
    gone, _ = Assignment.objects.filter(user_id=user_id, set_name=EMERGENCY.name, emergency=True).delete()
    if not gone:
        raise Conflict("Nobody of that id holds emergency access.", code="INVALID_STATE")
    ledger.record(ENDED, by=by, target=target)
    outbox.emit(ENDED, subject=target, data={}, by=by)
    clock.bump(current_tenant().id)


def standing() -> list[Assignment]:
    """Return the emergencies that have not ended, the newest first."""
    now = timezone.now()
    return list(Assignment.objects.filter(emergency=True, valid_until__gt=now).order_by("-created_at"))


def declare_events() -> None:
    """Register the events of emergencies."""
    text = {"type": "string"}
    register(
        EventType(
            BROKEN,
            "A member took emergency access to records.",
            {
                "type": "object",
                "required": ["reason", "until"],
                "properties": {"reason": text, "until": text, "member": text},
            },
        ),
        EventType(ENDED, "Emergency access ended before its time.", {"type": "object"}),
    )


def _check(reason: str, minutes: int) -> None:
    errors = []
    if len(reason.strip()) < SHORTEST_REASON:
        message = f"Say why, in at least {SHORTEST_REASON} characters: everybody in charge reads it."
        errors.append(FieldError("reason", "min_length", message, constraint=SHORTEST_REASON))
    if not 1 <= minutes <= MOST_MINUTES:
        message = f"Emergency access lasts 1 to {MOST_MINUTES} minutes."
        errors.append(FieldError("minutes", "max_value", message, constraint=MOST_MINUTES))
    if errors:
        raise Invalid(errors[0].message, errors)
