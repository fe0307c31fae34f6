"""Names of constraints, indexes and sequences: derived from object and field, within 63 bytes."""

import hashlib

LIMIT = 63


def named(object_name: str, part: str, suffix: str) -> str:
    """Return `<object>__<part>__<suffix>`, shortened by a hash when PostgreSQL would cut it."""
    full = f"{object_name}__{part}__{suffix}"
    if len(full) <= LIMIT:
        return full
    digest = hashlib.sha256(full.encode()).hexdigest()[:10]
    return f"{full[: LIMIT - 12 - len(suffix)]}_{digest}_{suffix}"


def sequence_name(object_name: str, field_name: str) -> str:
    """Return the name of the sequence behind an autonumber field."""
    return named(object_name, field_name, "seq")
