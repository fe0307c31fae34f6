"""Field types: owns one class per type; offers `kind_of` and `KINDS`; must never touch a connection."""

from apps.objects.kinds import (
    autonumber,
    choices,
    document,
    moments,
    numeric,
    references,
    several,
    summary,
    text,
)
from apps.objects.kinds.kind import KINDS, Kind, kind_of, public_kinds
from apps.objects.kinds.problem import AcceptContext, FieldProblem
from apps.objects.kinds.references import reference_not_found

TYPES = (
    text,
    autonumber,
    choices,
    document,
    moments,
    numeric,
    references,
    several,
    summary,
)  # each registers its classes

__all__ = [
    "KINDS",
    "TYPES",
    "AcceptContext",
    "FieldProblem",
    "Kind",
    "kind_of",
    "public_kinds",
    "reference_not_found",
]
