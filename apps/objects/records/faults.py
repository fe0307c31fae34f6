"""What PostgreSQL refuses, said in the protocol's words; never a value of a row that the caller may not see."""

from collections.abc import Sequence

import psycopg
from django.utils.translation import gettext as _
from psycopg import errors

from apps.core.errors import Conflict, FieldError, Invalid, Problem
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds import reference_not_found
from apps.objects.schema.state import violated_field, violated_index

BUSY = (errors.DeadlockDetected, errors.SerializationFailure, errors.LockNotAvailable)


def problem_of(obj: ObjectDef, error: psycopg.Error) -> Problem | None:
    """Return the refusal that an error of the database means, or None for a fault of ours."""
    if isinstance(error, errors.UniqueViolation):
        return _unique(obj, error)
    if isinstance(error, errors.IntegrityError):
        return _broken(obj, error)
    if isinstance(error, errors.DataError):
        fault = FieldError("_record", "invalid_value", _("A value is out of the database's range."))
        return Invalid(fault.message, [fault], details={"object": obj.name})
    if isinstance(error, BUSY):
        return Conflict(
            _("Somebody else is changing the same records."),
            code="CONCURRENT_UPDATE",
            cure=_("Try again."),
            details={"object": obj.name},
        )
    return None


def _unique(obj: ObjectDef, error: psycopg.Error) -> Problem:
    found = violated_field(obj, error.diag.constraint_name or "")
    index = violated_index(obj, error.diag.constraint_name or "")
    if index is not None:
        return _taken(obj, [obj.all_fields[name] for name in index.fields])
    message = _("A record with this value already exists.")
    name, label = (found[0].name, found[0].label) if found else ("_record", None)
    details = {"object": obj.name} | ({"field": name} if found else {})
    return Conflict(
        message,
        code="UNIQUE_VIOLATION",
        fields=[FieldError(name, "invalid_value", message, label)],
        details=details,
    )


def _taken(obj: ObjectDef, fields: Sequence[FieldDef]) -> Problem:
    """Return the refusal of a combination of values that another record has."""
    message = _("A record with this combination of values already exists.")
    return Conflict(
        message,
        code="UNIQUE_VIOLATION",
        fields=[FieldError(found.name, "invalid_value", message, found.label) for found in fields],
        details={"object": obj.name, "fields": [found.name for found in fields]},
    )


def _broken(obj: ObjectDef, error: psycopg.Error) -> Problem:
    found = violated_field(obj, error.diag.constraint_name or "")
    if isinstance(error, errors.NotNullViolation):
        field = obj.all_fields.get(error.diag.column_name or "")
        name = field.name if field else "_record"
        fault = FieldError(name, "required", _("This field is required."), field.label if field else None)
    elif found is None:
        fault = FieldError("_record", "rule_violation", _("The record breaks a rule of its table."))
    elif isinstance(error, errors.ForeignKeyViolation):
        fault = reference_not_found(found[0]).as_error(found[0])
    elif found[1] == "circle":
        message = _("A record cannot be below itself.")
        fault = FieldError(found[0].name, "invalid_value", message, found[0].label)
    else:
        fault = FieldError(
            found[0].name, found[1], _("The value breaks a rule of the field."), found[0].label
        )
    return Invalid(fault.message, [fault], details={"object": obj.name})
