"""Why may, or may not, this actor do this: the compiler's layers as values, from the same code that decides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from apps.permissions import rules
from apps.permissions.access import Access
from apps.permissions.rights import Denied, ObjectRights, Operation

Verdict = Literal["grants", "denies", "narrows", "neutral"]


@dataclass(frozen=True)
class Layer:
    """One layer's word: its verdict, a sentence, and the names of the sets it comes from."""

    name: str
    verdict: Verdict
    detail: str
    contributors: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the wire form."""
        sets = [{"kind": "permission_set", "name": name} for name in self.contributors]
        return {"layer": self.name, "verdict": self.verdict, "detail": self.detail, "contributors": sets}


@dataclass(frozen=True)
class Explanation:
    """The answer and its layers, outermost first."""

    allowed: bool
    operation: str
    object: str
    layers: tuple[Layer, ...] = field(default_factory=tuple)

    @property
    def reason(self) -> str:
        """The sentence of the layer that decided."""
        denying = [layer for layer in self.layers if layer.verdict == "denies"]
        return (denying[0] if denying else self.layers[-1]).detail


def explain(
    access: Access, op: Operation, obj: ObjectRights, record: Mapping[str, Any] | None = None
) -> Explanation:
    """Return why `access` may or may not do `op` on `obj`, and on `record` (column → value) when given.

    Only records that the asker may see belong here: a caller looks the record up with the asker's own rights.
    """
    layers = [_principal(access), *_scopes(access), _object(access, op, obj)]
    if layers[-1].verdict != "denies":
        layers += [_fields(access, op, obj), _records(access, op, obj)]
        if record is not None:
            layers.append(_record(access, op, obj, record))
    allowed = bool(access.can(op, obj)) and (record is None or access.holds(op, obj, record))
    return Explanation(allowed, op, obj.name, tuple(layers))


def _principal(access: Access) -> Layer:
    names = tuple(item.name for item in access.grants.sets)
    if not names:
        return Layer("principal", "denies", access.reason or "The actor holds no permission set here.")
    return Layer("principal", "neutral", f"The actor holds {', '.join(names)}; the rights add up.", names)


def _scopes(access: Access) -> list[Layer]:
    scopes = access.grants.scopes
    if scopes is None:
        return []
    said = ", ".join(sorted(scopes)) or "nothing"
    return [Layer("scopes", "narrows", f"The key is limited to {said}.")]


def _object(access: Access, op: Operation, obj: ObjectRights) -> Layer:
    answer = access.can(op, obj)
    if isinstance(answer, Denied):
        return Layer(answer.layer, "denies", answer.reason)
    return Layer("object", "grants", answer.reason, tuple(access.granting(op, obj)))


def _fields(access: Access, op: Operation, obj: ObjectRights) -> Layer:
    names = access.editable(obj) if op in ("create", "edit") else access.readable(obj)
    hidden = sorted(obj.all_fields.keys() - names)
    if not hidden:
        return Layer("fields", "neutral", "No field is withheld.")
    return Layer("fields", "narrows", f"Withheld: {', '.join(hidden)}.")


def _records(access: Access, op: Operation, obj: ObjectRights) -> Layer:
    match access.predicate(op, obj):
        case rules.Always():
            return Layer("records", "neutral", f"All records of {obj.name}.")
        case rules.Never():
            return Layer("records", "denies", f"No record of {obj.name}.")
        case _:
            return Layer("records", "narrows", f"Only own records: {obj.name} is {obj.sharing_model}.")


def _record(access: Access, op: Operation, obj: ObjectRights, record: Mapping[str, Any]) -> Layer:
    if access.holds(op, obj, record):
        return Layer("record", "grants", "The rule is true of this record.")
    return Layer("record", "denies", "The rule is not true of this record: ")
