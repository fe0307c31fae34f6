"""Legal holds: while one stands, its subject is not erased and no entry of the ledger is removed."""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit import ledger
from apps.audit.models import Hold
from apps.core.actor import Actor
from apps.core.errors import Conflict, FieldError, Invalid, NotFound
from apps.core.ids import NIL
from apps.core.scope import current_scope

REASON = 500


def here() -> UUID:
    """Return how tables name the ledger of the scope in force."""
    tenant = current_scope().tenant
    return tenant.id if tenant else NIL


@transaction.atomic
def place(*, subject: str, reason: str, by: Actor) -> Hold:
    """Place a hold on a subject (empty: on the whole ledger of the scope); raises 400 without a reason."""
    reason = reason.strip()
    if not reason or len(reason) > REASON:
        fault = FieldError(
            "reason", "required", _("Say why, in at most %(most)s characters.") % {"most": REASON}
        )
        raise Invalid(fault.message, [fault])
    row = Hold(tenant_id=here(), subject=subject, reason=reason, placed_by=f"{by.kind}:{by.id}")
    row.save(force_insert=True)
    ledger.record("hold.placed", by=by, target=subject or None, after={"hold": row.id, "reason": reason})
    return row


@transaction.atomic
def release(hold_id: UUID, *, by: Actor, reason: str) -> Hold:
    """Release a hold; releasing it again changes nothing. Raises 404 HOLD_NOT_FOUND."""
    row = Hold.objects.select_for_update().filter(pk=hold_id, tenant_id=here()).first()
    if row is None:
        raise NotFound(_("There is no such hold."), code="HOLD_NOT_FOUND")
    if row.released_at is None:
        row.released_at, row.released_by = timezone.now(), f"{by.kind}:{by.id}"
        row.save(update_fields=["released_at", "released_by"])
        ledger.record(
            "hold.released",
            by=by,
            target=row.subject or None,
            before={"hold": row.id, "reason": row.reason},
            details={"reason": reason.strip()},
        )
    return row


def standing(subject: str | None = None) -> list[Hold]:
    """Return the holds in force on the scope's ledger; with `subject` those that protect it."""
    rows = Hold.objects.filter(tenant_id=here(), released_at__isnull=True)
    if subject is not None:
        rows = rows.filter(Q(subject="") | Q(subject=subject))
    return list(rows.order_by("placed_at"))


def every(limit: int = 200) -> list[Hold]:
    """Return the latest holds of the scope's ledger, standing ones first."""
    rows = Hold.objects.filter(tenant_id=here())
    return sorted(rows.order_by("-placed_at")[:limit], key=lambda row: row.released_at is not None)


def refuse_if_held(subject: str, *, by: Actor) -> None:
    """Raise 409 LEGAL_HOLD, and write the refusal down, while a hold protects `subject`."""
    held = standing(subject)
    if held:
        _refuse(subject, held, by=by)


def refuse_if_held_anywhere(subject: str, *, by: Actor, ledgers: Sequence[UUID]) -> None:
    """The same over several ledgers, in the platform's scope."""
    rows = Hold.objects.filter(tenant_id__in=ledgers, released_at__isnull=True)
    held = list(rows.filter(Q(subject="") | Q(subject=subject)))
    if held:
        _refuse(subject, held, by=by)


def _refuse(subject: str, held: Sequence[Hold], *, by: Actor) -> None:
    ledger.denied("subject.erasure_denied", by=by, reason="a legal hold stands", target=subject)
    raise Conflict(
        _("A legal hold stands: nothing about this subject may be erased."),
        code="LEGAL_HOLD",
        cure=_("Release the hold first."),
        details={"holds": [str(row.id) for row in held]},
    )
