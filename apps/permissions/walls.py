"""The only code that changes restrictions: what no grant can widen."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from apps.core.actor import Actor
from apps.core.errors import FieldError, Invalid, NotFound
from apps.permissions import conditions, granting, known, policies
from apps.permissions.models import Restriction
from apps.permissions.principals import EVERYONE, GROUP_NAME
from apps.permissions.rights import OPERATIONS

ANY_OBJECT = "*"


@transaction.atomic
def put_restriction(
    *,
    name: str,
    object_name: str,
    operations: Sequence[str],
    by: Actor,
    label: str = "",
    description: str = "",
    fields: Sequence[str] = (),
    criteria: Any = None,
    principal: str = EVERYONE,
    active: bool = True,
    valid_from: dt.datetime | None = None,
    valid_until: dt.datetime | None = None,
) -> Restriction:
    """Create a restriction, or change the one of that name; needs `manage_permissions`.

    With `criteria` the operations reach only records that meet them, without they are denied; with `fields` these
    fields are taken away instead, from reading too when `operations` holds `read`.
    """
    granting.allowed(by, "restriction.changed", f"restriction:{name}")
    _check(name, object_name, operations, fields, criteria)
    granting.require_principal(principal)
    granting.window(valid_from, valid_until)
    found = Restriction.objects.select_for_update().filter(name=name).first()
    before = values(found) if found is not None else None
    made = found or Restriction(name=name)
    made.label, made.description, made.object_name = label or name, description, object_name
    made.operations, made.fields = list(dict.fromkeys(operations)), list(dict.fromkeys(fields))
    made.criteria, made.principal, made.active = policies.condition(criteria) or None, principal, active
    made.valid_from, made.valid_until = valid_from, valid_until
    after = values(made)
    if before == after:
        return made
    made.save()
    granting.settle("restriction", name, by=by, before=before, after=after)
    return made


@transaction.atomic
def delete_restriction(*, name: str, by: Actor) -> None:
    """Delete a restriction; raises RESOURCE_NOT_FOUND."""
    granting.allowed(by, "restriction.deleted", f"restriction:{name}")
    found = find(name)
    before = values(found)
    found.delete()
    granting.settle("restriction", name, by=by, before=before, after=None)


def find(name: str) -> Restriction:
    """Return a restriction by name; raises RESOURCE_NOT_FOUND."""
    found = Restriction.objects.filter(name=name).first()
    if found is None:
        raise NotFound(f"There is no restriction named {name}.", code="RESOURCE_NOT_FOUND")
    return found


def values(found: Restriction) -> dict[str, Any]:
    """Return what the ledger keeps of a restriction."""
    said = {
        "name": found.name,
        "label": found.label,
        "description": found.description,
        "object": found.object_name,
        "operations": list(found.operations),
        "fields": list(found.fields),
        "criteria": found.criteria,
        "for": found.principal,
        "active": found.active,
    }
    for key, moment in (("valid_from", found.valid_from), ("valid_until", found.valid_until)):
        if moment is not None:
            said[key] = moment.isoformat()
    return said


def _check(
    name: str, object_name: str, operations: Sequence[str], fields: Sequence[str], criteria: Any
) -> None:
    errors = []
    if not GROUP_NAME.fullmatch(name) or len(name) > 64:
        message = "A name has lower-case letters, digits and underscores."
        errors.append(FieldError("name", "invalid_format", message))
    if not operations or set(operations) - set(OPERATIONS):
        message = f"Name at least one of {', '.join(OPERATIONS)}."
        errors.append(FieldError("operations", "invalid_option", message, options=list(OPERATIONS)))
    obj = known.find(object_name)
    if obj is None and object_name != ANY_OBJECT:
        errors.append(FieldError("object", "reference_not_found", f"There is no object named {object_name}."))
    unknown = sorted(set(fields) - (set(obj.all_fields) if obj is not None else set()))
    if unknown:
        errors.append(
            FieldError("fields", "unknown_field", f"No fields of {object_name}: {', '.join(unknown)}.")
        )
    condition = policies.condition(criteria)
    if condition and fields:
        message = "A restriction takes fields away from all records, or bounds records; not both."
        errors.append(FieldError("criteria", "rule_violation", message))
    elif condition and not isinstance(condition, str | Mapping):
        errors.append(FieldError("criteria", "invalid_shape", "A condition is CEL text or {field: value}."))
    elif condition and obj is None:
        message = "A condition looks at fields: name the one object it is about."
        errors.append(FieldError("criteria", "rule_violation", message))
    elif condition and obj is not None:
        errors += conditions.problems("criteria", condition, obj.all_fields)
    if errors:
        raise Invalid(errors[0].message, errors)
