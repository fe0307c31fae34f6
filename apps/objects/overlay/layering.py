"""Two layers of one object as plain JSON: what a tenant adds to a module's definition, and how they become one.

An overlay is `{object, fields, changes, fieldGroups, listViews, validations, indexes, translations}`, all optional:
`fields` are the tenant's own, whole; `changes` are keys of the module's fields. null takes a key away.

    merge(base, derive(base, wanted)).body == wanted      for every `wanted` that `derive` accepts
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from apps.core import canonical
from apps.objects.parse import DefinitionError, DefinitionErrors

Body = Mapping[str, Any]
OBJECT_KEYS = frozenset(
    {"label", "pluralLabel", "description", "icon", "nameField", "highlightFields", "searchableFields"}
)
FIELD_KEYS = frozenset(
    {
        "label",
        "description",
        "hidden",
        "group",
        "searchable",
        "sortable",
        "defaultValue",
        "options",
        "maskingRule",
    }
    | {"visibleWhen", "requiredWhen", "readonlyWhen"}
)
STRICTER = frozenset({"required", "readonly", "personal", "trackHistory"})  # may be switched on, never off
NAMED_LISTS = {"fieldGroups": "key", "validations": "name"}
MAPS = ("listViews", "translations")
TRUE_UNSAID = frozenset({"sortable", "trackHistory"})
EMPTY: tuple[Any, ...] = (None, "", [], {})


@dataclass(frozen=True)
class Clash:
    """One place where the layers no longer fit. A blocking one stops an upgrade; the others are settled and told."""

    code: str
    path: str
    message: str
    cure: str = ""
    blocking: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return it for a page or an answer."""
        return {
            "code": self.code,
            "path": self.path,
            "message": self.message,
            "cure": self.cure,
            "blocking": self.blocking,
        }


@dataclass(frozen=True)
class Merged:
    """The definition of both layers, the overlay without what has no place any more, and what was told."""

    body: dict[str, Any]
    overlay: dict[str, Any]
    clashes: Sequence[Clash] = field(default_factory=tuple)

    @property
    def blocking(self) -> list[Clash]:
        """The clashes that somebody must settle first."""
        return [clash for clash in self.clashes if clash.blocking]


def merge(base: Body, overlay: Body) -> Merged:
    """Lay the tenant's layer over a module's definition."""
    body, kept, clashes = deepcopy(dict(base)), deepcopy(dict(overlay)), []
    _lay_keys(body, kept.get("object", {}))
    for key, name in NAMED_LISTS.items():
        _lay_list(body, key, name, kept.get(key, []))
    clashes += _lay_changes(body, kept)
    clashes += _lay_fields(body, kept)
    for key in MAPS:
        if key in kept:
            body[key] = _deep(body.get(key, {}), kept[key])
    if kept.get("indexes"):
        body["indexes"] = [
            *body.get("indexes", []),
            *(i for i in kept["indexes"] if i not in body.get("indexes", [])),
        ]
    return Merged(body, {key: value for key, value in kept.items() if value not in EMPTY}, tuple(clashes))


def derive(base: Body, wanted: Body, shown: Body | None = None) -> dict[str, Any]:
    """Return the overlay that makes `wanted` out of `base`.

    `shown` is the base as an answer shows it, every default written out: what equals that is no change. Raises
    `DefinitionErrors` naming everything that only the module may change.
    """
    told, faults = shown or base, list[DefinitionError]()
    overlay: dict[str, Any] = {"object": {}, "fields": {}, "changes": {}}
    special = {"fields", "indexes", *NAMED_LISTS, *MAPS}
    for key in {*base, *wanted} - special:
        if _unchanged(key, base, wanted, told):
            continue
        if key in OBJECT_KEYS:
            overlay["object"][key] = wanted.get(key)
        else:
            faults.append(_owned(base, key, f"{key!r} belongs to the module."))
    overlay["fields"], overlay["changes"] = _fields(base, wanted, told, faults)
    for key, name in NAMED_LISTS.items():
        overlay[key] = _own_items(base, wanted, told, key, name, faults)
    for key in MAPS:
        overlay[key] = _own_entries(base, wanted, told, key, faults)
    overlay["indexes"] = [item for item in wanted.get("indexes", []) if item not in base.get("indexes", [])]
    _keep(base.get("indexes", []), wanted.get("indexes", []), base, "indexes", faults)
    if faults:
        raise DefinitionErrors(faults)
    made: dict[str, Any] = canonical.plain(
        {key: value for key, value in overlay.items() if value not in EMPTY}
    )
    return made


# -- merging -------------------------------------------------------------------------------------------


def _lay_keys(target: dict[str, Any], keys: Body) -> None:
    for key, value in keys.items():
        if value is None:
            target.pop(key, None)
        else:
            target[key] = value


def _lay_list(body: dict[str, Any], key: str, name: str, items: Iterable[Body]) -> None:
    found = {item.get(name): dict(item) for item in body.get(key, [])}
    for item in items:
        found[item.get(name)] = found.get(item.get(name), {}) | dict(item)
    if found:
        body[key] = list(found.values())


def _lay_changes(body: dict[str, Any], kept: dict[str, Any]) -> list[Clash]:
    """Apply the changes of the module's fields; carry those of renamed ones, drop those of fields that are gone."""
    clashes: list[Clash] = []
    fields = body["fields"] = dict(body.get("fields", {}))
    moved = {
        spec["renamedFrom"]: name
        for name, spec in fields.items()
        if isinstance(spec, dict) and "renamedFrom" in spec
    }
    carried: dict[str, Any] = {}
    for name, keys in kept.get("changes", {}).items():
        now = name if name in fields else moved.get(name)
        if now is None:
            message = f"The module has no field {name!r} any more; what was changed about it is dropped."
            clashes.append(Clash("field_gone", f"changes.{name}", message))
            continue
        carried[now] = keys
        spec = fields[now] = dict(fields[now])
        changed = dict(keys)
        options = changed.pop("options", None)
        _lay_keys(spec, changed)
        if options is not None:
            _lay_list(spec, "options", "value", options)
    if "changes" in kept:
        kept["changes"] = carried
    return clashes


def _lay_fields(body: dict[str, Any], kept: dict[str, Any]) -> list[Clash]:
    """Append the tenant's own fields; one whose name the module took stops here."""
    clashes: list[Clash] = []
    fields = body["fields"]
    groups = {group.get("key") for group in body.get("fieldGroups", [])}
    for name, given in kept.get("fields", {}).items():
        if name in fields:
            message = f"The module now has a field {name!r} itself."
            cure = f"Rename your own field {name!r} first, or remove it, and then upgrade."
            clashes.append(Clash("field_taken", f"fields.{name}", message, cure, blocking=True))
            continue
        spec = dict(given)
        if "group" in spec and spec["group"] not in groups:
            message = f"The section {spec.pop('group')!r} of your field {name!r} is gone; it stands first in the form."
            clashes.append(Clash("group_gone", f"fields.{name}.group", message))
            kept["fields"][name] = spec
        fields[name] = spec
    return clashes


def _deep(base: Any, over: Any) -> Any:
    if not (isinstance(base, Mapping) and isinstance(over, Mapping)):
        return deepcopy(over)
    return {**base, **{key: _deep(base.get(key), value) for key, value in over.items()}}


# -- deriving ------------------------------------------------------------------------------------------


def _said(key: str, value: Any) -> Any:
    """Return the value, None for one that says what silence says."""
    if (
        value in EMPTY
        or (value is False and key not in TRUE_UNSAID)
        or (value is True and key in TRUE_UNSAID)
    ):
        return None
    return canonical.plain(value)


def _unchanged(key: str, base: Body, wanted: Body, told: Body) -> bool:
    value = _said(key, wanted.get(key))
    return value in (_said(key, base.get(key)), _said(key, told.get(key)))


def _fields(
    base: Body, wanted: Body, told: Body, faults: list[DefinitionError]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (own fields, changes of the module's)."""
    mine, theirs = dict(wanted.get("fields") or {}), base.get("fields", {})
    own = {name: spec for name, spec in mine.items() if name not in theirs}
    changes: dict[str, Any] = {}
    for name, spec in theirs.items():
        sent = mine.get(name)
        if not isinstance(sent, Mapping):
            message = f"The field {name!r} belongs to the module and cannot be removed."
            faults.append(_owned(base, f"fields.{name}", message, "Hide it: hidden: true."))
            continue
        found = _field_changes(base, name, spec, sent, told.get("fields", {}).get(name, spec), faults)
        if found:
            changes[name] = found
    return own, changes


def _field_changes(
    base: Body, name: str, spec: Body, sent: Body, told: Body, faults: list[DefinitionError]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in {*spec, *sent}:
        if _unchanged(key, spec, sent, told):
            continue
        if key == "options":
            options = _own_items(
                spec, sent, told, key, "value", faults, path=f"fields.{name}.options", base=base
            )
            found |= {"options": options} if options else {}
        elif key in FIELD_KEYS or (key in STRICTER and sent.get(key) is True):
            found[key] = sent.get(key)
        else:
            faults.append(
                _owned(base, f"fields.{name}.{key}", f"{key!r} of the field {name!r} belongs to the module.")
            )
    return found


def _own_items(
    theirs: Body,
    wanted: Body,
    told: Body,
    key: str,
    name: str,
    faults: list[DefinitionError],
    *,
    path: str = "",
    base: Body | None = None,
) -> list[Any]:
    """Return the items of a list of named things that are new or differ; none of the module's may be missing."""
    known = {item.get(name): item for item in theirs.get(key, [])}
    shown = {item.get(name): item for item in told.get(key, [])}
    sent = [item for item in wanted.get(key) or [] if isinstance(item, Mapping)]
    _keep(known, [item.get(name) for item in sent], base or theirs, path or key, faults)
    return [
        dict(item)
        for item in sent
        if not _alike(item, known.get(item.get(name))) and not _alike(item, shown.get(item.get(name)))
    ]


def _own_entries(
    base: Body, wanted: Body, told: Body, key: str, faults: list[DefinitionError]
) -> dict[str, Any]:
    """Return the entries of a mapping that are new or differ."""
    theirs, sent, shown = base.get(key, {}), wanted.get(key), told.get(key, {})
    if sent is None:
        return {}
    _keep(theirs, sent, base, key, faults)
    return {
        name: entry
        for name, entry in sent.items()
        if not _alike(entry, theirs.get(name)) and not _alike(entry, shown.get(name))
    }


def _alike(one: Any, other: Any) -> bool:
    if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
        return bool(canonical.plain(one) == canonical.plain(other))
    return all(_said(key, one.get(key)) == _said(key, other.get(key)) for key in {*one, *other})


def _keep(
    theirs: Iterable[Any], sent: Iterable[Any], base: Body, path: str, faults: list[DefinitionError]
) -> None:
    """Note what of the module's is missing among what was sent."""
    given = list(sent)
    missing = [item for item in theirs if item not in given]
    faults += [
        _owned(base, f"{path}.{item}", f"{item!r} belongs to the module and cannot be removed.")
        for item in missing
    ]


def _owned(base: Body, path: str, message: str, cure: str = "") -> DefinitionError:
    words = cure or "Leave it as it is: the module brings it, and its next version may change it."
    return DefinitionError(str(base.get("name", "")), 0, path, "module_owned", message, words)
