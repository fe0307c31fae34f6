"""Permission sets of an artifact: what guards records is taken over whole or refuses the artifact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.core import canonical
from apps.modules.artifact.notices import Judgement, mapping
from apps.modules.manifest import Manifest
from apps.objects.definitions import NAME_PATTERN, ObjectDef
from apps.permissions import bodies

WORDS = ("name", "label", "description")
EMPTY: tuple[Any, ...] = ([], {}, None, False, "")
WITHOUT_EFFECT = {
    "isDefault": "Nobody gets a set by itself here: an administrator assigns it.",
    "tabPermissions": "There are no tabs here; the menu shows what may be read.",
    "systemPermissions": "A module grants no system permissions; an administrator adds them.",
    "adminScope": "A module gives nobody the administration of members.",
}
PROVENANCE = ("packageId", "managedBy")


def read_sets(
    given: list[Any], manifest: Manifest, objects: Mapping[str, ObjectDef], judged: Judgement
) -> dict[str, Any]:
    """Return name → permission set in the form of `permission_sets/*.yml`."""
    found: dict[str, Any] = {}
    for index, item in enumerate(given):
        declared = mapping(item)
        name = declared.get("name")
        path = f"permissions.{name or index}"
        if not isinstance(name, str) or not NAME_PATTERN.fullmatch(name) or name in found:
            judged.fault(path, "invalid_name", "A permission set needs a name of its own.")
        elif not name.startswith(manifest.prefix):
            judged.fault(path, "invalid_name", f"The name must start with {manifest.prefix!r}.")
        else:
            found[name] = _one(declared, path, objects, judged)
    return found


def _one(
    declared: Mapping[str, Any], path: str, objects: Mapping[str, ObjectDef], judged: Judgement
) -> dict[str, Any]:
    kept: dict[str, Any] = {"label": declared["name"]}
    for key, value in declared.items():
        if key in WITHOUT_EFFECT:
            if value not in EMPTY:
                judged.note(f"{path}.{key}", "refused", WITHOUT_EFFECT[key])
        elif key not in PROVENANCE and (key in WORDS or value not in EMPTY):
            kept[key] = canonical.plain(value)
    _own_objects(kept, path, objects, judged)
    _own_fields(kept, path, objects, judged)
    rights = {key: value for key, value in kept.items() if key not in WORDS}
    for problem in bodies.problems(rights):
        judged.fault(f"{path}.{problem.field}", problem.code, problem.message)
    return kept


def _own_objects(
    kept: dict[str, Any], path: str, objects: Mapping[str, ObjectDef], judged: Judgement
) -> None:
    """A set of a module speaks of the module's objects alone."""
    for name in [name for name in mapping(kept.get("objects")) if name not in objects]:
        del kept["objects"][name]
        judged.note(f"{path}.objects.{name}", "refused", "It is no object of this package.")


def _own_fields(kept: dict[str, Any], path: str, objects: Mapping[str, ObjectDef], judged: Judgement) -> None:
    for key in list(mapping(kept.get("fields"))):
        name, _dot, field = str(key).partition(".")
        if name not in objects or field not in objects[name].all_fields:
            del kept["fields"][key]
            judged.note(f"{path}.fields.{key}", "refused", "There is no such field in this installation.")
