"""Field types: owns one class per type; offers `kind_of` and `KINDS`; must never touch a connection."""

from apps.objects.kinds import (
    autonumber,
    choices,
    code,
    color,
    document,
    formula,
    gauges,
    markup,
    moments,
    nested,
    numeric,
    place,
    qrcode,
    references,
    sealed,
    secret,
    several,
    signature,
    summary,
    tags,
    text,
    vector,
)
from apps.objects.kinds.kind import KINDS, Kind, kind_of, public_kinds
from apps.objects.kinds.problem import AcceptContext, FieldProblem
from apps.objects.kinds.references import reference_not_found

TYPES = (  # each registers its classes; the order is that of the reference
    text,
    markup,
    code,
    color,
    qrcode,
    signature,
    secret,
    numeric,
    gauges,
    moments,
    choices,
    tags,
    references,
    several,
    summary,
    autonumber,
    place,
    document,
    formula,
    nested,
    vector,
)
sealed.register()  # knows the types registered so far: stays last

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
