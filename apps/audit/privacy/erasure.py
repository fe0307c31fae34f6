"""Erasing a subject from a ledger: its keys are destroyed, so what was sealed for it can be read by nobody.

The chain covers the sealed bytes and holds as before. What is written for the subject afterwards is sealed
without a key that anybody keeps.
"""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from apps.audit import ledger
from apps.audit.models import Erasure, SubjectKey
from apps.audit.privacy import holds
from apps.audit.sealing.keys import PERSON
from apps.core.actor import Actor
from apps.core.clock import bump
from apps.core.errors import FieldError, Invalid
from apps.core.ids import NIL
from apps.core.scope import current_scope, platform_scope

REASON = 500


def here() -> UUID:
    """Return how tables name the ledger of the scope in force."""
    tenant = current_scope().tenant
    return tenant.id if tenant else NIL


@transaction.atomic
def erase(subject: str, *, by: Actor, reason: str) -> Erasure:
    """Destroy the keys of `subject` in the scope's ledger; erasing it again changes nothing.

    Raises 409 LEGAL_HOLD while a hold stands, 400 without a reason. Who may ask is judged by the service that
    knows the subject.
    """
    reason = checked_reason(reason)
    holds.refuse_if_held(subject, by=by)
    known = Erasure.objects.filter(tenant_id=here(), subject=subject).first()
    if known is not None:
        return known
    row = Erasure(tenant_id=here(), subject=subject, reason=reason, erased_by=f"{by.kind}:{by.id}")
    row.save(force_insert=True)
    row.keys = _destroy(here(), subject)
    row.save(update_fields=["keys"])
    ledger.record("subject.erased", by=by, target=subject, details={"reason": reason, "keys": row.keys})
    bump(here() if here() != NIL else None)
    return row


def erase_everywhere(subject: str, *, by: Actor, reason: str, ledgers: Sequence[UUID]) -> list[Erasure]:
    """Destroy a person's keys in these ledgers (NIL: the platform's) in the platform's scope, or in none of them."""
    reason = checked_reason(reason)
    with platform_scope("erasure of a person"):
        holds.refuse_if_held_anywhere(subject, by=by, ledgers=ledgers)
        made = []
        for key in ledgers:
            row, new = Erasure.objects.get_or_create(
                tenant_id=key,
                subject=subject,
                defaults={"reason": reason, "erased_by": f"{by.kind}:{by.id}"},
            )
            if not new:
                continue
            row.keys = _destroy(key, subject)
            row.save(update_fields=["keys"])
            ledger.record(
                "subject.erased",
                by=by,
                target=subject,
                details={"reason": reason, "keys": row.keys},
                tenant=key if key != NIL else None,
            )
            bump(key if key != NIL else None)
            made.append(row)
        bump(None)
    return made


def readmit(user_id: UUID, *, tenant: UUID) -> None:
    """Let a person who joins a tenant again have a key there; what was erased stays so."""
    Erasure.objects.filter(tenant_id=tenant, subject=f"{PERSON}{user_id}").delete()


def recent(limit: int = 100) -> list[Erasure]:
    """Return the latest erasures of the scope's ledger."""
    return list(Erasure.objects.filter(tenant_id=here()).order_by("-erased_at")[:limit])


def sweep() -> str:
    """Destroy keys that a transaction under way during an erasure brought in after it; a chore."""
    with platform_scope("privacy: keys of erased subjects"):
        count = 0
        for row in Erasure.objects.filter(subject__in=SubjectKey.objects.values("subject")):
            count += _destroy(row.tenant_id, row.subject)
    return f"{count} keys destroyed"


def checked_reason(reason: str) -> str:
    """Return the reason, trimmed; raises 400 when there is none."""
    reason = reason.strip()
    if not reason or len(reason) > REASON:
        fault = FieldError(
            "reason", "required", _("Say why, in at most %(most)s characters.") % {"most": REASON}
        )
        raise Invalid(fault.message, [fault])
    return reason


def _destroy(ledger_id: UUID, subject: str) -> int:
    gone, _rows = SubjectKey.objects.filter(tenant_id=ledger_id, subject=subject).delete()
    return gone
