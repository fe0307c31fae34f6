"""The access matrix: people or sets × objects × operations, as values that do not change while rights do not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from apps.permissions import rules
from apps.permissions.access import Access, of_rights
from apps.permissions.directory import directory, load_holding
from apps.permissions.grants import bundle
from apps.permissions.holdings import rights_of
from apps.permissions.rights import OPERATIONS, ObjectRights, Operation

Level = Literal["none", "own", "some", "all"]


@dataclass(frozen=True)
class Cell:
    """What one subject may do on one object."""

    object: str
    levels: tuple[tuple[Operation, Level], ...]
    hidden: tuple[str, ...]
    readonly: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the wire form."""
        return {"records": dict(self.levels), "hidden": list(self.hidden), "readonly": list(self.readonly)}


@dataclass(frozen=True)
class Row:
    """One subject: a member by id, or a set by name."""

    kind: Literal["member", "permission_set"]
    name: str
    sets: tuple[str, ...]
    system: tuple[str, ...]
    cells: tuple[Cell, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the wire form."""
        return {
            "kind": self.kind,
            "name": self.name,
            "permissionSets": list(self.sets),
            "systemPermissions": list(self.system),
            "objects": {cell.object: cell.as_dict() for cell in self.cells},
        }


def of_members(people: Iterable[UUID], objects: Sequence[ObjectRights]) -> list[Row]:
    """Return the rows of members, in the order given."""
    return [
        row("member", str(user_id), of_rights(rights_of(load_holding(user_id), directory.get())), objects)
        for user_id in people
    ]


def of_sets(objects: Sequence[ObjectRights]) -> list[Row]:
    """Return the rows of all sets by name: what each would give alone, without restrictions and shares."""
    known = directory.get().sets
    return [
        row("permission_set", name, Access(None, bundle((known[name],))), objects) for name in sorted(known)
    ]


def row(
    kind: Literal["member", "permission_set"], name: str, access: Access, objects: Sequence[ObjectRights]
) -> Row:
    """Return one subject's row."""
    cells = tuple(cell(access, obj) for obj in objects)
    names = tuple(item.name for item in access.grants.sets)
    return Row(kind, name, names, tuple(sorted(access.grants.system)), cells)


def cell(access: Access, obj: ObjectRights) -> Cell:
    """Return what rights mean on one object."""
    levels = tuple((op, level(access, op, obj)) for op in OPERATIONS)
    readable = access.readable(obj)
    seen = bool(access.can("read", obj))
    hidden = tuple(sorted(obj.all_fields.keys() - readable)) if seen else ()
    readonly = tuple(sorted(readable - access.editable(obj))) if access.can("edit", obj) else ()
    return Cell(obj.name, levels, hidden, readonly)


def level(access: Access, op: Operation, obj: ObjectRights) -> Level:
    """Return which records an operation reaches: none, one's own, some, or all."""
    if not access.can(op, obj):
        return "none"
    match access.predicate(op, obj):
        case rules.Never():
            return "none"
        case rules.Always():
            return "all"
        case rules.OwnerIs():
            return "own"
    return "some"
