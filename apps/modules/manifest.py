"""The manifest of a module, `module.yaml`: a closed shape like every other declaration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.modules import reactions
from apps.modules.semver import Version, satisfies
from apps.objects.definitions import prefix_of
from apps.objects.parse.shape import BAD, Key, Reading, choice, items, read_shape, text
from apps.objects.parse.tree import Spot

API_VERSIONS = ("v1",)
PERMISSIONS = ("objects:define", "permission_sets:define", "records:create", "events:define", "hooks:define")
LATER = frozenset({"resourceLimits", "provides", "engines", "namespace", "type", "scope"})
MODULE_ID = re.compile(r"[a-z](?:-?[a-z0-9]){1,38}")
DEPENDENCY = re.compile(r"([a-z](?:-?[a-z0-9]){1,38})@(\S+)")
HERE = "apps.modules."
TESTS = "tests/modules/test_source.py::"


@dataclass(frozen=True)
class Manifest:
    """What a module says of itself. `dependencies` maps module ids to ranges.

    `package` is the id under which other tools know it, when it came as a compiled artifact.
    """

    id: str
    name: str
    version: Version
    api_version: str
    description: str
    author: Mapping[str, str]
    license: str
    dependencies: Mapping[str, str]
    permissions: frozenset[str]
    events: tuple[Mapping[str, Any], ...] = ()
    hooks: tuple[Mapping[str, Any], ...] = ()
    package: str = ""

    @property
    def prefix(self) -> str:
        """What the names of the module's objects and permission sets start with."""
        return prefix_of(self.id)

    def as_dict(self) -> dict[str, Any]:
        """Return the manifest as plain JSON."""
        declared = {"events": list(self.events), "hooks": list(self.hooks), "package": self.package}
        declared["namespace"] = self.prefix[:-1] if self.package else ""
        return {
            "id": self.id,
            "name": self.name,
            "version": str(self.version),
            "apiVersion": self.api_version,
            "description": self.description,
            "author": dict(self.author),
            "license": self.license,
            "dependencies": dict(self.dependencies),
            "permissions": sorted(self.permissions),
        } | {key: value for key, value in declared.items() if value}


def _module_id(reading: Reading, spot: Spot) -> Any:
    if isinstance(spot.value, str) and MODULE_ID.fullmatch(spot.value):
        return spot.value
    return reading.fail(
        spot, "invalid_name", f"{spot.value!r} is no module id.", "Write crm or field-service."
    )


def _version(reading: Reading, spot: Spot) -> Any:
    try:
        return Version.parse(str(spot.value))
    except ValueError as error:
        return reading.fail(spot, "invalid_value", str(error))


def _author(reading: Reading, spot: Spot) -> Any:
    if isinstance(spot.value, str):
        return {"name": spot.value}
    return read_shape(reading, spot, AUTHOR_KEYS)


def _dependencies(reading: Reading, spot: Spot) -> Any:
    """Read `- billing@^1.2.0` items, or a mapping of ids to ranges."""
    found: dict[str, str] = {}
    if isinstance(spot.value, dict):
        pairs = [(child, name, str(child.value)) for name, child in spot.value.items()]
    elif isinstance(spot.value, list):
        matches = [(child, DEPENDENCY.fullmatch(str(child.value))) for child in spot.value]
        pairs = [(child, m[1], m[2]) if m else (child, str(child.value), "") for child, m in matches]
    else:
        return reading.fail(spot, "invalid_type", "dependencies is a list such as [billing@^1.2.0].")
    for child, name, wanted in pairs:
        try:
            satisfies(Version(0, 0, 0), wanted)
        except ValueError as error:
            return reading.fail(child, "invalid_value", f"{name}: {error}", "Write billing@^1.2.0.")
        if not MODULE_ID.fullmatch(name):
            return reading.fail(child, "invalid_name", f"{name!r} is no module id.")
        found[name] = wanted
    return found


AUTHOR_KEYS: Mapping[str, Key] = {
    "name": Key("name", text(120), "Who wrote it.", HERE + "catalogue:register", TESTS + "test_manifest"),
    "email": Key(
        "email", text(254), "Where to reach them.", HERE + "catalogue:register", TESTS + "test_manifest"
    ),
}
MANIFEST_KEYS: Mapping[str, Key] = {
    "id": Key(
        "id",
        _module_id,
        "The module's id; its objects' names start with it.",
        HERE + "source:load",
        TESTS + "test_names_carry_the_modules_prefix",
    ),
    "name": Key(
        "name", text(120), "Its name for people.", HERE + "catalogue:register", TESTS + "test_manifest"
    ),
    "version": Key(
        "version",
        _version,
        "Semantic version; the same version never changes its content.",
        HERE + "catalogue:register",
        "tests/modules/test_catalogue.py::test_a_version_never_changes",
    ),
    "apiVersion": Key(
        "api_version",
        choice(*API_VERSIONS),
        "Version of the platform's contract with modules.",
        HERE + "manifest:read_manifest",
        TESTS + "test_manifest_faults",
    ),
    "description": Key(
        "description", text(4000), "What it is for.", HERE + "catalogue:register", TESTS + "test_manifest"
    ),
    "author": Key("author", _author, "Who wrote it.", HERE + "catalogue:register", TESTS + "test_manifest"),
    "license": Key(
        "license", text(60), "SPDX licence id.", HERE + "catalogue:register", TESTS + "test_manifest"
    ),
    "dependencies": Key(
        "dependencies",
        _dependencies,
        "Modules that must be installed, each with a range of versions.",
        HERE + "install:missing_dependencies",
        "tests/modules/test_install.py::test_dependencies",
    ),
    "events": Key(
        "events",
        reactions.types,
        "Types of events that are the module's own.",
        HERE + "listening:declared_types",
        "tests/modules/test_reactions.py::test_a_declared_type_is_enforced",
    ),
    "hooks": Key(
        "hooks",
        reactions.hooks,
        "What the module does when something happens.",
        HERE + "listening:hooks",
        "tests/modules/test_reactions.py::test_a_hook_emits_and_sets",
    ),
    "permissions": Key(
        "permissions",
        items(choice(*PERMISSIONS)),
        "What the module asks to do; content beyond it is refused.",
        HERE + "source:unasked",
        TESTS + "test_content_needs_its_permission",
    ),
}


def read_manifest(reading: Reading, spot: Spot) -> Manifest | None:
    """Return the manifest, or None when its faults (all noted) forbid it."""
    before = len(reading.errors)
    found = read_shape(reading, spot, MANIFEST_KEYS, later=LATER)
    for key in ("id", "name", "version", "apiVersion"):
        if not isinstance(spot.value, dict) or key not in spot.value:
            reading.fail(spot, "required", f"{key!r} is missing.")
    if len(reading.errors) > before or BAD in found.values():
        return None
    return Manifest(
        id=found["id"],
        name=found["name"],
        version=found["version"],
        api_version=found["api_version"],
        description=found.get("description", ""),
        author=found.get("author", {}),
        license=found.get("license", ""),
        dependencies=found.get("dependencies", {}),
        permissions=frozenset(found.get("permissions", ())),
        events=tuple(found.get("events", ())),
        hooks=tuple(found.get("hooks", ())),
    )
