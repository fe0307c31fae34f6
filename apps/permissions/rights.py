"""The words of the compiler: bits of an object right, operations, and answers that carry their reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag
from typing import Any, Literal, Protocol

Operation = Literal["read", "create", "edit", "delete", "export", "transfer", "purge"]
OPERATIONS: tuple[Operation, ...] = ("read", "create", "edit", "delete", "export", "transfer", "purge")


class Bits(IntFlag):
    """What a permission set may allow on an object."""

    NONE = 0
    READ = 1
    CREATE = 2
    EDIT = 4
    DELETE = 8
    EXPORT = 16
    TRANSFER = 32
    PURGE = 64
    VIEW_ALL = 128
    MODIFY_ALL = 256


KEYS: Mapping[str, Bits] = {
    "allowRead": Bits.READ,
    "allowCreate": Bits.CREATE,
    "allowEdit": Bits.EDIT,
    "allowDelete": Bits.DELETE,
    "allowExport": Bits.EXPORT,
    "allowTransfer": Bits.TRANSFER,
    "allowPurge": Bits.PURGE,
    "viewAllRecords": Bits.VIEW_ALL,
    "modifyAllRecords": Bits.MODIFY_ALL,
}
NEEDED: Mapping[Operation, Bits] = {
    "read": Bits.READ,
    "create": Bits.CREATE,
    "edit": Bits.EDIT,
    "delete": Bits.DELETE,
    "export": Bits.EXPORT,
    "transfer": Bits.TRANSFER,
    "purge": Bits.PURGE,
}
ALL = Bits(sum(Bits))


def implied(bits: Bits) -> Bits:
    """Return `bits` with what they bring along: modify all means view all, edit and delete; view all means read."""
    if bits & Bits.MODIFY_ALL:
        bits |= Bits.VIEW_ALL | Bits.EDIT | Bits.DELETE
    if bits & Bits.VIEW_ALL:
        bits |= Bits.READ
    return bits


@dataclass(frozen=True, slots=True)
class Allowed:
    """A yes, and who gave it."""

    reason: str = ""

    def __bool__(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Denied:
    """A no, and why; `layer` names the layer of the compiler that said it."""

    reason: str
    layer: str = "object"

    def __bool__(self) -> bool:
        return False


Answer = Allowed | Denied


class FieldRights(Protocol):
    """What the compiler looks at in a field: the sets that may see or edit it, None for no limit."""

    @property
    def visible_to(self) -> frozenset[str] | None: ...
    @property
    def editable_by(self) -> frozenset[str] | None: ...
    @property
    def masking(self) -> str | None: ...


class ObjectRights(Protocol):
    """What the compiler looks at in an object; a definition has it."""

    @property
    def name(self) -> str: ...
    @property
    def all_fields(self) -> Mapping[str, Any]: ...
    @property
    def sharing_model(self) -> str: ...
    @property
    def owner_field(self) -> str | None: ...
    @property
    def master(self) -> Any:
        """The field that leads to the record this one is a part of; asked of `controlled_by_parent` only."""
