"""How a form should look while it is filled in: what the object's conditions say of values not yet written.

Conditions see only what the actor may read in clear; the rest is absent to them. Nothing is enforced here: the
write is judged by `rules`.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.core.actor import Actor
from apps.core.cel import Expression, Fault, Frame
from apps.objects import conditions
from apps.objects.kinds import FieldProblem, kind_of
from apps.objects.records.call import Call, opened
from apps.objects.records.rules import frame


@dataclass(frozen=True)
class Looks:
    """The fields that are not shown, not to be changed and needed; `closed` are options that may not be chosen."""

    hidden: tuple[str, ...] = ()
    readonly: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    closed: Mapping[str, tuple[str, ...]] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the looks as JSON has them."""
        return {
            "hidden": self.hidden,
            "readonly": self.readonly,
            "required": self.required,
            "closed": dict(self.closed or {}),
        }


def looks(
    name: str,
    values: Mapping[str, Any],
    *,
    by: Actor,
    record: Mapping[str, Any] | None = None,
    zone: dt.tzinfo | None = None,
) -> Looks | None:
    """Return how a form with these raw values looks, over the `record` (wire values) it changes, if any.

    None when the object has no conditions. A value that cannot be read is taken as absent.
    """
    with opened(name, by=by, tenant=None, zone=zone) as call:
        ready = conditions.of(call.obj)
        if ready is None:
            return None
        before = _read(call, record) if record is not None else None
        given = _read(call, values)
        after = {**dict.fromkeys(call.obj.all_fields), **(before or {}), **given}
        now = frame(call, after, before, given)
        then = frame(call, before, before, {}) if before is not None else now
        seen = call.access.clear(call.obj)
        shut: dict[str, list[str]] = {}
        for (field, option), condition in ready.options.items():
            if field in seen and not _true(condition, now, fault=False):
                shut.setdefault(field, []).append(option)
        return Looks(
            tuple(n for n, c in ready.visible.items() if n in seen and not _true(c, now, fault=False)),
            tuple(n for n, c in ready.readonly.items() if n in seen and _true(c, then, fault=True)),
            tuple(n for n, c in ready.required.items() if n in seen and _true(c, now, fault=True)),
            {field: tuple(options) for field, options in shut.items()},
        )


def _true(condition: Expression, at: Frame, *, fault: bool) -> bool:
    try:
        return condition.holds(at)
    except Fault:
        return fault


def _read(call: Call, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return raw values as the record would hold them, of those fields that the actor reads in clear."""
    found: dict[str, Any] = {}
    for name in call.access.clear(call.obj) & values.keys():
        field = call.obj.all_fields[name]
        kind = kind_of(field)
        try:
            empty = kind.generated or kind.is_empty(values[name])
            found[name] = None if empty else kind.parse(field, values[name], call.context)
        except FieldProblem:
            found[name] = None
    return found
