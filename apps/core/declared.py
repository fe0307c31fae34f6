"""Declared = enforced: the one register of every setting, YAML key and quota, with its enforcing code and its test."""

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["setting", "yaml", "quota"]


@dataclass(frozen=True)
class Declaration:
    """One key: what it means, the code that enforces it (`module:name`) and the test that proves it."""

    kind: Kind
    key: str
    doc: str
    enforced_by: str
    tested_by: str
    type: str = "text"
    default: Any = None
    secret: bool = False


_register: dict[tuple[Kind, str], Declaration] = {}


def declare(
    *,
    kind: Kind,
    key: str,
    doc: str,
    enforced_by: str,
    tested_by: str,
    type: str = "text",  # noqa: A002 - the column's name in the reference
    default: Any = None,
    secret: bool = False,
) -> Declaration:
    """Add a key to the register; a second, different declaration of the same key is refused."""
    made = Declaration(kind, key, doc, enforced_by, tested_by, type, default, secret)
    known = _register.setdefault((kind, key), made)
    if known != made:
        msg = f"The {kind} {key!r} is declared twice, differently."
        raise ValueError(msg)
    return made


def declarations(kind: Kind) -> list[Declaration]:
    """Return the declarations of one kind, by key."""
    return sorted((item for item in _register.values() if item.kind == kind), key=lambda item: item.key)


def declared_keys(kind: Kind, prefix: str = "") -> frozenset[str]:
    """Return the keys of one kind below `prefix`, the prefix taken off."""
    return frozenset(
        item.key.removeprefix(prefix) for item in declarations(kind) if item.key.startswith(prefix)
    )
