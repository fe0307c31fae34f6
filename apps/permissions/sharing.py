"""The only code that changes shares and sharing rules: what opens records to more than their owners.

A share asks no right here: `apps.objects.records.sharing` asks whether the sharer may touch the record.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.audit import ledger
from apps.core import clock
from apps.core.actor import Actor
from apps.core.errors import FieldError, Invalid, NotFound
from apps.core.scope import current_tenant
from apps.permissions import conditions, granting, known, policies
from apps.permissions.models import Level, Share, SharingRule
from apps.permissions.principals import GROUP_NAME

LEVELS = {"read": Level.READ, "edit": Level.EDIT, "full": Level.FULL}
WORDS = {level: word for word, level in LEVELS.items()}


@transaction.atomic
def share(
    *,
    object_name: str,
    record_id: UUID,
    principal: str,
    level: Level,
    by: Actor,
    reason: str = "",
    valid_from: dt.datetime | None = None,
    valid_until: dt.datetime | None = None,
) -> Share:
    """Share a record, or change how it is shared with the principal; takes effect with the transaction."""
    granting.require_principal(principal)
    granting.window(valid_from, valid_until)
    first = not Share.objects.filter(object_name=object_name).exists()
    key: dict[str, Any] = {"object_name": object_name, "record_id": record_id, "principal": principal}
    found = Share.objects.filter(**key).first()
    wanted = {"level": level, "reason": reason, "valid_from": valid_from, "valid_until": valid_until}
    before = share_values(found) if found is not None else None
    made, _ = Share.objects.update_or_create(**key, defaults=wanted | {"granted_by": by.id})
    if first:  # from now on the rules of the object look for shares
        clock.bump(current_tenant().id)
    target = f"{object_name}:{record_id}"
    ledger.record(f"{object_name}.shared", by=by, target=target, before=before, after=share_values(made))
    return made


@transaction.atomic
def unshare(*, object_name: str, record_id: UUID, share_id: UUID, by: Actor) -> None:
    """Take a share of the record back; raises RESOURCE_NOT_FOUND."""
    found = Share.objects.filter(id=share_id, object_name=object_name, record_id=record_id).first()
    if found is None:
        raise NotFound("There is no such share of this record.", code="RESOURCE_NOT_FOUND")
    before = share_values(found)
    found.delete()
    ledger.record(f"{object_name}.unshared", by=by, target=f"{object_name}:{record_id}", before=before)


def shares_of(object_name: str, record_id: UUID) -> list[Share]:
    """Return the shares of a record, the oldest first."""
    return list(Share.objects.filter(object_name=object_name, record_id=record_id).order_by("created_at"))


def forget(object_name: str, record_id: UUID) -> None:
    """Drop the shares of a record that is removed for good; the removal's own entry tells of it."""
    Share.objects.filter(object_name=object_name, record_id=record_id).delete()


def share_values(found: Share) -> dict[str, Any]:
    """Return what the ledger keeps of a share."""
    said = {"with": found.principal, "level": WORDS[Level(found.level)], "reason": found.reason}
    for key, moment in (("valid_from", found.valid_from), ("valid_until", found.valid_until)):
        said[key] = moment.isoformat() if moment is not None else ""
    return {key: value for key, value in said.items() if value}


@transaction.atomic
def put_rule(
    *,
    name: str,
    object_name: str,
    principal: str,
    level: Level,
    by: Actor,
    label: str = "",
    description: str = "",
    criteria: Any = None,
    owners: str = "",
    active: bool = True,
    module: str = "",
) -> SharingRule:
    """Create a sharing rule, or change the one of that name; needs `manage_permissions`.

    Raises `Invalid` for a condition that has no rule over the object, and for one that shares everything by
    naming neither criteria nor owners.
    """
    granting.allowed(by, "sharing_rule.changed", f"sharing_rule:{name}")
    _check_rule(name, object_name, criteria, owners)
    granting.require_principal(principal)
    if owners:
        granting.require_principal(owners)
    found = SharingRule.objects.select_for_update().filter(name=name).first()
    before = rule_values(found) if found is not None else None
    made = found or SharingRule(name=name, module=module)
    made.label, made.description, made.object_name = label or name, description, object_name
    made.criteria, made.owners, made.principal = policies.condition(criteria) or None, owners, principal
    made.level, made.active = level, active
    after = rule_values(made)
    if before == after:
        return made
    made.save()
    granting.settle("sharing_rule", name, by=by, before=before, after=after)
    return made


@transaction.atomic
def delete_rule(*, name: str, by: Actor) -> None:
    """Delete a sharing rule; raises RESOURCE_NOT_FOUND."""
    granting.allowed(by, "sharing_rule.deleted", f"sharing_rule:{name}")
    found = find_rule(name)
    before = rule_values(found)
    found.delete()
    granting.settle("sharing_rule", name, by=by, before=before, after=None)


def find_rule(name: str) -> SharingRule:
    """Return a sharing rule by name; raises RESOURCE_NOT_FOUND."""
    found = SharingRule.objects.filter(name=name).first()
    if found is None:
        raise NotFound(f"There is no sharing rule named {name}.", code="RESOURCE_NOT_FOUND")
    return found


def rule_values(rule: SharingRule) -> dict[str, Any]:
    """Return what the ledger keeps of a sharing rule."""
    return {
        "name": rule.name,
        "label": rule.label,
        "description": rule.description,
        "object": rule.object_name,
        "criteria": rule.criteria,
        "owners": rule.owners,
        "with": rule.principal,
        "level": WORDS[Level(rule.level)],
        "active": rule.active,
    }


def _check_rule(name: str, object_name: str, criteria: Any, owners: str) -> None:
    errors = []
    if not GROUP_NAME.fullmatch(name) or len(name) > 64:
        message = "A name has lower-case letters, digits and underscores."
        errors.append(FieldError("name", "invalid_format", message))
    obj = known.find(object_name)
    if obj is None:
        errors.append(FieldError("object", "reference_not_found", f"There is no object named {object_name}."))
    condition = policies.condition(criteria)
    if not condition and not owners:
        message = "Say which records: by a condition, by whose they are, or both."
        errors.append(FieldError("criteria", "required", message))
    elif condition is not None and not isinstance(condition, str | Mapping):
        errors.append(FieldError("criteria", "invalid_shape", "A condition is CEL text or {field: value}."))
    elif obj is not None and condition:
        errors += conditions.problems("criteria", condition, obj.all_fields)
    if errors:
        raise Invalid(errors[0].message, errors)
