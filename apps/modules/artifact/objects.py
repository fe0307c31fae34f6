"""Objects of an artifact. The platform's own judge says what it cannot run: that is parked and named.

What limits who sees or writes what (`GUARDS`) is never parked: without it the package would be less safe than
its author meant, so the artifact is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from apps.core import canonical
from apps.modules.artifact.notices import Judgement, listing, mapping
from apps.modules.artifact.views import read_views
from apps.modules.artifact.words import read_words
from apps.modules.manifest import Manifest
from apps.objects.definitions import ObjectDef
from apps.objects.kinds import public_kinds
from apps.objects.parse import DefinitionError, DefinitionErrors, load_body

OBJECT_DEFAULTS: Mapping[str, Any] = {"isSystem": False, "datasource": "default", "managedBy": "package"}
FIELD_DEFAULTS: Mapping[str, Any] = {
    "required": False,
    "searchable": False,
    "multiple": False,
    "unique": False,
    "hidden": False,
    "readonly": False,
    "sortable": True,
    "externalId": False,
}
ENABLE_DEFAULTS: Mapping[str, Any] = {"files": False, "feeds": False, "activities": False, "clone": True}
PARKABLE = frozenset({"unsupported", "unknown_key", "not_applicable"})
GUARDS = frozenset(
    {"sharingModel", "externalSharingModel", "access", "requiredPermissions", "validations", "maskingRule"}
    | {"requiredWhen", "readonlyWhen", "internal", "encrypted", "permissions", "tenancy"}
)
STEP = re.compile(r"[^.\[\]]+")
MENTIONS = ("highlightFields", "searchableFields")


def read_objects(stack: Mapping[str, Any], manifest: Manifest, judged: Judgement) -> dict[str, ObjectDef]:
    """Return the objects that AI-BOS can run; faults and notices go to `judged`."""
    given = {}
    for index, item in enumerate(listing(stack.get("objects"))):
        name = mapping(item).get("name")
        if not isinstance(name, str) or name in given:
            judged.fault(f"objects.{name or index}", "invalid_name", "An object needs a name of its own.")
        else:
            given[name] = _body(name, canonical.plain(item), judged)
    read_views(listing(stack.get("views")), given, judged)
    read_words(listing(stack.get("translations")), given, judged)
    found = {}
    for name, body in given.items():
        definition = _judge(name, body, manifest, judged)
        if definition is not None:
            found[name] = definition
    return found


def _body(name: str, given: dict[str, Any], judged: Judgement) -> dict[str, Any]:
    """Leave out what says nothing, and the fields of types that AI-BOS does not have."""
    body = {key: value for key, value in given.items() if OBJECT_DEFAULTS.get(key, ...) != value}
    if "enable" in body:
        enable = {k: v for k, v in mapping(body["enable"]).items() if ENABLE_DEFAULTS.get(k, ...) != v}
        body["enable"] = enable
    types, fields, gone = set(public_kinds()), {}, set()
    for key, field in mapping(body.get("fields")).items():
        kind = mapping(field).get("type")
        if isinstance(kind, str) and kind not in types:
            judged.note(f"objects.{name}.fields.{key}", "parked", f"AI-BOS has no fields of type {kind} yet.")
            gone.add(key)
        else:
            fields[key] = {k: v for k, v in mapping(field).items() if FIELD_DEFAULTS.get(k, ...) != v}
            _hold_on(fields[key], f"objects.{name}.fields.{key}", judged)
    body["fields"] = fields
    _forget(body, gone)
    return body


def _hold_on(field: dict[str, Any], place: str, judged: Judgement) -> None:
    """A required lookup cannot be emptied when its target goes; the reference server refuses that later."""
    needed = field.get("type") == "lookup" and field.get("required")
    if needed and field.get("deleteBehavior", "set_null") == "set_null":
        field["deleteBehavior"] = "restrict"
        reason = "A required lookup cannot become empty: what it points to cannot be deleted (restrict)."
        judged.note(f"{place}.deleteBehavior", "adapted", reason)


def _forget(body: dict[str, Any], gone: set[str]) -> None:
    """Take parked fields out of the lists that name them; their own notice speaks for these too."""
    for key in MENTIONS:
        if key in body:
            body[key] = [name for name in listing(body[key]) if name not in gone]
    if "indexes" in body:
        indexes = [
            item for item in listing(body["indexes"]) if not gone & set(mapping(item).get("fields", ()))
        ]
        body["indexes"] = indexes


def _judge(name: str, body: dict[str, Any], manifest: Manifest, judged: Judgement) -> ObjectDef | None:
    """Ask the platform's judge until it has nothing left to park."""
    place = f"objects.{name}"
    while True:
        try:
            return load_body(body, judged.file, module=manifest.id)
        except DefinitionErrors as refused:
            parked = [error for error in refused.errors if _may_wait(error) and _take_out(body, error.path)]
            for error in parked:
                judged.note(f"{place}.{error.path}", "parked", error.message)
            if not parked:
                judged.relay(
                    DefinitionError(e.file, 0, f"{place}.{e.path}", e.code, e.message, e.cure)
                    for e in refused.errors
                )
                return None


def _may_wait(error: DefinitionError) -> bool:
    steps = STEP.findall(error.path)
    return error.code in PARKABLE and bool(steps) and not GUARDS & set(steps)


def _take_out(body: dict[str, Any], path: str) -> bool:
    """Remove what stands at `path`; False when it is gone already."""
    holder: Any = body
    *way, last = STEP.findall(path)
    for step in way:
        holder = holder[int(step)] if isinstance(holder, list) else mapping(holder).get(step)
    if isinstance(holder, dict):
        return holder.pop(last, None) is not None
    if isinstance(holder, list) and last.isdigit() and int(last) < len(holder):
        del holder[int(last)]
        return True
    return False
