"""Rules about records as they are written: policies of a set, sharing rules and restrictions, as plain values.

A condition is CEL text, or `{field: value}` with the operators of `apps.permissions.lowering`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.core.errors import FieldError
from apps.permissions.principals import GROUP_NAME
from apps.permissions.rights import Operation

Condition = str | Mapping[str, Any]
POLICY_KEYS = frozenset(
    {"name", "label", "description", "object", "operation", "using", "check", "positions", "enabled"}
)
POLICY_OPERATIONS: Mapping[str, frozenset[Operation]] = {
    "select": frozenset({"read", "export"}),
    "insert": frozenset({"create"}),
    "update": frozenset({"edit", "transfer"}),
    "delete": frozenset({"delete", "purge"}),
    "all": frozenset({"read", "export", "create", "edit", "transfer", "delete", "purge"}),
}


@dataclass(frozen=True)
class Policy:
    """One entry of `rowLevelSecurity`: which records the set that holds it reaches, for holders of `positions`.

    `applies` is False for whoever holds none of the positions: for them the policy is true of no record.
    """

    name: str
    object: str
    operations: frozenset[Operation]
    using: Condition | None
    check: Condition | None
    positions: frozenset[str] | None = None
    applies: bool = True

    @property
    def written(self) -> Condition | None:
        """The condition of records as they will be: `check`, else `using`."""
        return self.using if self.check is None else self.check


@dataclass(frozen=True)
class Sharing:
    """A sharing rule as it concerns one person: it opens records up to `level`; `owners` None for any owner."""

    name: str
    object: str
    level: int
    criteria: Condition | None
    owners: tuple[UUID, ...] | None = None


@dataclass(frozen=True)
class Wall:
    """A restriction as it concerns one person; without criteria it denies `operations`, or takes `fields` away."""

    name: str
    object: str
    operations: frozenset[str]
    fields: frozenset[str] = frozenset()
    criteria: Condition | None = None


def policy(written: Mapping[str, Any]) -> Policy:
    """Return the value of one entry that `problems` found right."""
    positions = written.get("positions")
    return Policy(
        name=str(written["name"]),
        object=str(written["object"]),
        operations=POLICY_OPERATIONS[written.get("operation", "all")],
        using=condition(written.get("using")),
        check=condition(written.get("check")),
        positions=frozenset(positions) if positions else None,
    )


def condition(written: Any) -> Condition | None:
    """Return a condition without the envelope that CEL may come in."""
    if isinstance(written, Mapping) and written.get("dialect") == "cel":
        return str(written.get("source", ""))
    return written  # type: ignore[no-any-return]


def problems(written: Any) -> list[FieldError]:
    """Return all that is wrong with the list `rowLevelSecurity`."""
    if not isinstance(written, list | tuple):
        return [FieldError("rowLevelSecurity", "invalid_shape", "`rowLevelSecurity` is a list of policies.")]
    errors: list[FieldError] = []
    for index, entry in enumerate(written):
        errors += _entry(f"rowLevelSecurity.{index}", entry)
    return errors


def _entry(path: str, entry: Any) -> list[FieldError]:
    if not isinstance(entry, Mapping):
        return [FieldError(path, "invalid_shape", "A policy is {name, object, operation, using}.")]
    errors = [
        FieldError(
            f"{path}.{key}", "unknown_field", f"Unknown key; known are {', '.join(sorted(POLICY_KEYS))}."
        )
        for key in entry
        if key not in POLICY_KEYS
    ]
    errors += [
        FieldError(f"{path}.{key}", "invalid_value", f"A policy names its {key}.")
        for key in ("name", "object")
        if not isinstance(entry.get(key), str) or not GROUP_NAME.fullmatch(entry[key])
    ]
    if entry.get("operation", "all") not in POLICY_OPERATIONS:
        known = sorted(POLICY_OPERATIONS)
        message = f"{entry['operation']!r} is not one of {', '.join(known)}."
        errors.append(FieldError(f"{path}.operation", "invalid_option", message, options=known))
    if entry.get("using") is None and entry.get("check") is None:
        errors.append(FieldError(f"{path}.using", "required", "A policy needs `using`, `check` or both."))
    errors += [
        FieldError(f"{path}.{key}", "invalid_shape", "A condition is CEL text or {field: value}.")
        for key in ("using", "check")
        if entry.get(key) is not None and not isinstance(condition(entry[key]), str | Mapping)
    ]
    positions = entry.get("positions", [])
    if not isinstance(positions, list | tuple) or not all(isinstance(item, str) for item in positions):
        errors.append(
            FieldError(f"{path}.positions", "invalid_shape", "`positions` is a list of role names.")
        )
    if not isinstance(entry.get("enabled", True), bool):
        errors.append(FieldError(f"{path}.enabled", "invalid_boolean", "enabled is true or false."))
    return errors
