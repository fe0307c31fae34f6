"""How long people may wait for a step: which lock it takes, and for how long with so many records.

The rates are those of a small machine, rounded down; the plan says what to expect, not what will be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from django.db import models
from django.db.migrations import operations as ops

from apps.objects.definitions import ObjectDef
from apps.objects.kinds import kind_of
from apps.objects.schema.ahead import BIG

# none: nobody waits. brief: readers and writers, for a moment. scan, rewrite: as long as a look at, or a new copy of,
# every record takes. write: writers only, as long as an index is built.
LockMode = Literal["none", "brief", "scan", "rewrite", "write"]
BRIEF_MS = 5
PER_SECOND: Mapping[str, int] = {"scan": 1_000_000, "write": 200_000, "rewrite": 50_000}
Objects = Mapping[str, ObjectDef]


def weigh(op: Any, old: Objects, new: Objects, count: Any) -> tuple[LockMode, int]:
    """Return the lock of a step and the milliseconds that it is held for."""
    name = getattr(op, "model_name", None)
    if name is None or name not in old:
        return "none", 0  # a table that nobody can have seen, or that goes
    mode = _mode(op, old, new)
    rows = count(name)
    if mode == "write" and rows >= BIG:
        return "none", 0  # built before, beside everybody's work
    return mode, _milliseconds(mode, rows)


def _milliseconds(mode: LockMode, rows: int) -> int:
    return 0 if mode == "none" else BRIEF_MS + rows * 1000 // PER_SECOND.get(mode, 10**9)


def _mode(op: Any, old: Objects, new: Objects) -> LockMode:
    if isinstance(op, ops.AddIndex):
        return "write"
    if isinstance(op, ops.AddConstraint):
        return "write" if isinstance(op.constraint, models.UniqueConstraint) else "scan"
    if isinstance(op, ops.AddField):
        field = new[op.model_name].all_fields[op.name]
        return "rewrite" if (field.encrypted and field.required) or op.field.has_db_default() else "brief"
    if isinstance(op, ops.AlterField):
        before = old[op.model_name].all_fields[op.name]
        after = new[op.model_name].all_fields[op.name]
        if (before.encrypted, kind_of(before).sql_type) != (after.encrypted, kind_of(after).sql_type):
            return "rewrite"
        return "scan" if after.required and not before.required else "brief"
    return "brief"
