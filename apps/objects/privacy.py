"""Privacy of a tenant: erasing people and records for good, legal holds, and how long the ledger keeps its entries.

Every service wants the system permission `manage_privacy` and runs in the tenant's scope.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _
from psycopg import sql

from apps.audit.models import Erasure, Hold, Retention, SubjectKey
from apps.audit.privacy import erasure, holds, retention
from apps.audit.sealing.keys import PERSON
from apps.core.actor import Actor
from apps.core.errors import Conflict, FieldError, Invalid
from apps.core.scope import current_tenant
from apps.identity import queries as identity
from apps.objects import catalog
from apps.objects.records.call import opened
from apps.objects.records.remove import delete, purge
from apps.permissions.access import access_for

PERMISSION = "manage_privacy"


@dataclass(frozen=True)
class Former:
    """Somebody who acted here and is no member any more."""

    user_id: UUID
    name: str


@transaction.atomic
def erase(subject: str, *, by: Actor, reason: str) -> Erasure:
    """Erase a subject: `user:<id>` or `<object>:<id>`; raises 400 for what names neither."""
    kind, _colon, key = subject.partition(":")
    try:
        identity_ = UUID(key)
    except ValueError as error:
        raise _unknown() from error
    if f"{kind}:" == PERSON:
        return erase_member(identity_, by=by, reason=reason)
    if catalog.catalog().find(kind) is None:
        raise _unknown()
    return erase_record(kind, identity_, by=by, reason=reason)


@transaction.atomic
def erase_record(name: str, record_id: UUID, *, by: Actor, reason: str) -> Erasure:
    """Remove a record for good, from the bin too, and destroy the keys of what the ledger holds of it.

    The actor needs the rights to delete and to purge it. Raises 409 LEGAL_HOLD or DELETE_RESTRICTED.
    """
    access_for(by).require_system(PERMISSION)
    subject = f"{name}:{record_id}"
    holds.refuse_if_held(subject, by=by)
    with opened(name, by=by, tenant=None) as call:
        text = sql.SQL("SELECT deleted_at IS NULL FROM {} WHERE id = %s").format(
            call.compiler().table(call.obj)
        )
        rows = call.run(text.as_bytes(None), [record_id])
    if rows:
        if rows[0][0]:
            delete(name, record_id, by=by)
        purge(name, record_id, by=by)
    return erasure.erase(subject, by=by, reason=reason)


@transaction.atomic
def erase_member(user_id: UUID, *, by: Actor, reason: str) -> Erasure:
    """Destroy the keys of somebody who is no member any more: their name and addresses leave the tenant's ledger.

    Their account elsewhere stays. Raises 409 STILL_MEMBER, LEGAL_HOLD.
    """
    access_for(by).require_system(PERMISSION)
    if identity.membership_of(user_id) is not None:
        raise Conflict(
            _("This person is still a member."), code="STILL_MEMBER", cure=_("Remove the member first.")
        )
    return erasure.erase(f"{PERSON}{user_id}", by=by, reason=reason)


def former_members() -> list[Former]:
    """Return the people the tenant's ledger can still name although they are no members, by name."""
    rows = SubjectKey.objects.filter(tenant_id=current_tenant().id, subject__startswith=PERSON)
    ids = {UUID(subject.removeprefix(PERSON)) for subject in rows.values_list("subject", flat=True)}
    ids -= {row.user_id for row in identity.members()}
    found = [Former(key, name) for key, name in identity.names_of(sorted(ids)).items()]
    return sorted(found, key=lambda person: person.name)


def erasures() -> list[Erasure]:
    """Return the latest erasures."""
    return erasure.recent()


def place_hold(*, subject: str, reason: str, by: Actor) -> Hold:
    """Place a legal hold on a subject; empty: on the tenant's whole ledger."""
    access_for(by).require_system(PERMISSION)
    subject = subject.strip()
    kind, _colon, key = subject.partition(":")
    if subject and not (kind and key and len(subject) <= 200 and subject.isprintable()):
        raise _unknown()
    return holds.place(subject=subject, reason=reason, by=by)


def release_hold(hold_id: UUID, *, reason: str, by: Actor) -> Hold:
    """Release a hold; says why."""
    access_for(by).require_system(PERMISSION)
    return holds.release(hold_id, by=by, reason=erasure.checked_reason(reason))


def every_hold() -> list[Hold]:
    """Return the holds, those that stand first."""
    return holds.every()


def set_retention(days: int | None, *, by: Actor) -> Retention:
    """Keep the ledger's entries for `days`; None: for ever."""
    access_for(by).require_system(PERMISSION)
    return retention.set_days(days, by=by)


def policy() -> Retention:
    """Return how long the ledger keeps its entries."""
    return retention.policy()


def _unknown() -> Any:
    message = _("A subject is written `user:<id>` or `<object>:<id>`.")
    return Invalid(message, [FieldError("subject", "invalid_format", message)])
