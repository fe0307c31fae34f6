"""Why may, or may not, this actor do this: the compiler's layers as values, from the same values that decide."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from django.utils.translation import gettext as _

from apps.permissions import rules
from apps.permissions.access import Access
from apps.permissions.reach import Clause, Reach
from apps.permissions.rights import Denied, ObjectRights, Operation

Verdict = Literal["grants", "denies", "narrows", "widens", "neutral", "not_applicable"]
Record = Mapping[Any, Any]
# The layers of records in their order, each with the clauses it is made of.
OPENINGS: Mapping[str, tuple[str, ...]] = {
    "owd_baseline": ("object", "owd_baseline"),
    "depth": ("depth",),
    "sharing": ("sharing_rule", "share"),
    "vama_bypass": ("vama_bypass",),
}


@dataclass(frozen=True)
class Part:
    """One named rule of a layer; `holds` says whether it is true of the record, None without a record."""

    kind: str
    name: str
    holds: bool | None = None
    set: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the wire form."""
        effect = {None: "not_evaluated", True: "admits", False: "excludes"}[self.holds]
        made = {"kind": self.kind, "name": self.name, "effect": effect}
        return made | ({"via": self.set} if self.set else {})


@dataclass(frozen=True)
class Layer:
    """One layer's word: its verdict, a sentence, the sets or roles it comes from, and its rules."""

    name: str
    verdict: Verdict
    detail: str
    contributors: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the wire form."""
        sets = [{"kind": "permission_set", "name": name} for name in self.contributors]
        made: dict[str, Any] = {
            "layer": self.name,
            "verdict": self.verdict,
            "detail": self.detail,
            "contributors": sets,
        }
        if self.parts:
            known = [part.holds for part in self.parts if part.holds is not None]
            matches = {"matchesRecord": any(known)} if known else {}
            made["record"] = matches | {"rules": [part.as_dict() for part in self.parts]}
        return made


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


def explain(access: Access, op: Operation, obj: ObjectRights, record: Record | None = None) -> Explanation:
    """Return why `access` may or may not do `op` on `obj`, and on `record` (column or fact → value) when given.

    Only records that the asker may see belong here: a caller looks the record up with the asker's own rights.
    """
    layers = [_principal(access), *_scopes(access), _object(access, op, obj)]
    if layers[-1].verdict != "denies":
        reach = access.grants.on(obj).reaches[op]
        layers += [_fields(access, op, obj), *_openings(access, reach, record)]
        layers += [_policies(access, reach, record), *_walls(access, reach, record)]
        layers += _reading(access, op, obj, record)
        layers.append(_whole(access, op, obj, record))
    allowed = bool(access.can(op, obj)) and (record is None or access.holds(op, obj, record))
    return Explanation(allowed, op, obj.name, tuple(layers))


def _principal(access: Access) -> Layer:
    names = tuple(item.name for item in access.grants.sets)
    if not names:
        return Layer("principal", "denies", access.reason or _("The actor holds no permission set here."))
    roles = [name for name in access.facts.get("positions", ()) if name != "everyone"]
    said = _("Holds the permission sets %(sets)s; their rights add up.") % {"sets": ", ".join(names)}
    if roles:
        said += " " + _("Roles: %(roles)s.") % {"roles": ", ".join(roles)}
    return Layer("principal", "neutral", said, names)


def _scopes(access: Access) -> list[Layer]:
    scopes = access.grants.scopes
    if scopes is None:
        return []
    said = ", ".join(sorted(scopes)) or _("nothing")
    return [Layer("scopes", "narrows", _("The key is limited to %(scopes)s.") % {"scopes": said})]


def _object(access: Access, op: Operation, obj: ObjectRights) -> Layer:
    answer = access.can(op, obj)
    if isinstance(answer, Denied):
        told = {
            "object": _("No permission set they hold grants this on %(object)s."),
            "scopes": _("The scopes of the key do not include this on %(object)s."),
            "restriction": _("A restriction denies this on all records of %(object)s."),
        }
        said = told[answer.layer] % {"object": obj.name} if answer.layer in told else answer.reason
        return Layer(answer.layer, "denies", said)
    granting = tuple(access.granting(op, obj))
    said = _("Granted on %(object)s by %(sets)s.") % {"object": obj.name, "sets": ", ".join(granting)}
    return Layer("object", "grants", said, granting)


def _fields(access: Access, op: Operation, obj: ObjectRights) -> Layer:
    names = access.editable(obj) if op in ("create", "edit") else access.readable(obj)
    hidden = sorted(obj.all_fields.keys() - names)
    if not hidden:
        return Layer("fields", "neutral", _("No field is withheld."))
    return Layer("fields", "narrows", _("Withheld fields: %(fields)s.") % {"fields": ", ".join(hidden)})


def _openings(access: Access, reach: Reach, record: Record | None) -> list[Layer]:
    """Return a layer for each way in which records are opened; without any nothing is said of it."""
    texts = {
        "owd_baseline": _("Where everybody starts: the sharing model of the object."),
        "depth": _("Records of the people in one's circle."),
        "sharing": _("Sharing rules and shares open further records."),
        "vama_bypass": _("A set opens every record, whoever owns it."),
    }
    made = []
    for layer, kinds in OPENINGS.items():
        found = [(s.name, c) for s in reach.sets for c in s.openings if c.layer in kinds]
        if found:
            parts = tuple(_parts(access, found, record))
            made.append(_opening(layer, texts[layer], parts, found))
    return made


def _opening(layer: str, text: str, parts: tuple[Part, ...], found: list[tuple[str, Clause]]) -> Layer:
    verdict: Verdict = "widens"
    if layer == "owd_baseline":
        everything = any(isinstance(clause.rule, rules.Always) for _set, clause in found)
        verdict = "neutral" if everything else "narrows"
    elif parts[0].holds is not None and not any(part.holds for part in parts):
        verdict = "neutral"
    sets = tuple(dict.fromkeys(name for name, _clause in found))
    return Layer(layer, verdict, text, sets, parts)


def _policies(access: Access, reach: Reach, record: Record | None) -> Layer:
    """Return the layer of policies; it denies when every set that opens the record is held back by its own."""
    found = [(s.name, c) for s in reach.sets for c in s.policies or ()]
    if not found:
        return Layer("rls", "not_applicable", _("No policy applies."))
    parts = tuple(_parts(access, found, record))
    sets = tuple(dict.fromkeys(name for name, _clause in found))
    if record is not None:
        opened = [s for s in reach.sets if any(_true(access, c, record) for c in s.openings)]
        if opened and not any(rules.holds(s.bounds, record, access.subject) for s in opened):
            said = _("The policies of the sets that open this record do not let it through.")
            return Layer("rls", "denies", said, sets, parts)
    return Layer("rls", "narrows", _("Policies bound what their set reaches."), sets, parts)


def _walls(access: Access, reach: Reach, record: Record | None) -> list[Layer]:
    if not reach.walls:
        return []
    parts = tuple(_parts(access, [("", clause) for clause in reach.walls], record))
    standing = [part.name for part in parts if part.holds is False]
    if standing:
        said = _("Restrictions that nothing can widen exclude this record: %(names)s.")
        return [Layer("restriction", "denies", said % {"names": ", ".join(standing)}, (), parts)]
    return [Layer("restriction", "narrows", _("Restrictions hold for everybody they name."), (), parts)]


def _reading(access: Access, op: Operation, obj: ObjectRights, record: Record | None) -> list[Layer]:
    """Return the layer that says that nobody touches what they cannot read, where that decides."""
    if op in ("read", "create") or record is None or access.holds("read", obj, record):
        return []
    return [Layer("read", "denies", _("Nothing can be done to a record that may not be read."))]


def _whole(access: Access, op: Operation, obj: ObjectRights, record: Record | None) -> Layer:
    """Return the last layer: what all of them together mean."""
    rule = access.predicate(op, obj)
    if record is not None:
        if access.holds(op, obj, record):
            return Layer("record", "grants", _("This record is reached."))
        return Layer(
            "record", "denies", _("Nothing opens this record: it is not theirs, and not shared with them.")
        )
    match rule:
        case rules.Always():
            return Layer("records", "neutral", _("All records of %(object)s.") % {"object": obj.name})
        case rules.Never():
            return Layer("records", "denies", _("No record of %(object)s.") % {"object": obj.name})
        case _:
            return Layer("records", "narrows", _("Some records of %(object)s.") % {"object": obj.name})


def _parts(access: Access, found: Iterable[tuple[str, Clause]], record: Record | None) -> Iterable[Part]:
    """Return the clauses as parts; what several sets say alike is said once, with all their names."""
    named: dict[tuple[str, str, rules.Rule], list[str]] = {}
    for name, clause in found:
        named.setdefault((clause.layer, clause.source, clause.rule), []).append(name)
    for (layer, source, rule), sets in named.items():
        holds = None if record is None else rules.holds(rule, record, access.subject)
        yield Part(layer, source or layer, holds, ", ".join(dict.fromkeys(filter(None, sets))))


def _true(access: Access, clause: Clause, record: Record) -> bool:
    return rules.holds(clause.rule, record, access.subject)


def as_filter(rule: rules.Rule, subject: rules.Subject) -> dict[str, Any]:  # noqa: C901, PLR0911
    """Return a rule as the filter it means for this person, for people to read; `$shared` asks for a share."""
    match rule:
        case rules.Always():
            return {}
        case rules.OwnerIs(value, field) | rules.FieldEquals(field, value):
            return {field: _plain(subject.bound(value))}
        case rules.FieldIn(field, values):
            return {field: {"$in": [_plain(item) for item in subject.bound(values) or ()]}}
        case rules.FieldHas(field, value):
            return {field: {"$contains": _plain(subject.bound(value))}}
        case rules.FieldCompare(field, operator, value):
            word = {"<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}[operator]
            return {field: {word: _plain(value)}}
        case rules.FieldText(field, test, text):
            return {
                field: {{"starts": "$startsWith", "ends": "$endsWith", "contains": "$contains"}[test]: text}
            }
        case rules.SharedWith(_name, level):
            return {"$shared": level}
        case rules.MasterAllows(_object, field, op):
            return {field: {"$may": op}}
        case rules.And(parts):
            return {"$and": [as_filter(part, subject) for part in parts]}
        case rules.Or(parts):
            return {"$or": [as_filter(part, subject) for part in parts]}
        case rules.Not(part):
            return {"$not": as_filter(part, subject)}
        case rules.Holds() if rules.holds(rule, {}, subject):
            return {}
    return {"$or": []}


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | str) else str(value)
