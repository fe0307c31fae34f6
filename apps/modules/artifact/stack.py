"""The whole artifact: manifest, objects, permission sets, views, words, seed; and what must wait.

The format is `defineStack` of @objectstack/spec 17 as `os build` writes it: one JSON object.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from apps.core import canonical, strict_json
from apps.core.errors import Problem
from apps.modules.artifact.notices import Judgement, listing, mapping
from apps.modules.artifact.objects import read_objects
from apps.modules.artifact.seed import read_seed
from apps.modules.artifact.sets import read_sets
from apps.modules.manifest import PERMISSIONS, Manifest
from apps.modules.semver import Version, satisfies
from apps.modules.source import Source
from apps.objects.parse import DefinitionError, DefinitionErrors

SIZE_LIMIT = 4 * 1024 * 1024
PACKAGE_ID = re.compile(r"[a-z][a-z0-9]*(?:[.-][a-z0-9]+)*", re.ASCII)
NAMESPACE = re.compile(r"[a-z](?:_?[a-z0-9]){1,19}", re.ASCII)
PARTIAL = re.compile(r"(?:\^|~|>=)?\d+(?:\.\d+)?", re.ASCII)
PROTOCOL = Version(17, 4, 0)
TAKEN = frozenset({"manifest", "objects", "permissions", "translations", "i18n", "views", "data", "requires"})
APPLICATIONS = frozenset({"app", "module", "plugin"})
WAITING: Mapping[str, str] = {
    "flows": "AI-BOS does not run flows yet.",
    "jobs": "The handler is JavaScript, which AI-BOS does not run.",
    "hooks": "The body is JavaScript, which AI-BOS does not run.",
    "functions": "The function is JavaScript, which AI-BOS does not run.",
    "runtimeModule": "The runtime module is JavaScript, which AI-BOS does not run.",
}
MANIFEST_TAKEN = frozenset(
    {"id", "namespace", "version", "name", "description", "type", "scope", "engines", "dependencies"}
)
NEUTRAL = {"defaultDatasource": "default"}
SERVED = frozenset({"audit", "i18n", "analytics", "sharing", "job", "messaging"})


def read_artifact(text: bytes, file: str = "objectstack.json") -> Source:
    """Return the module that an artifact describes; raises `DefinitionErrors` with every fault."""
    return read_stack(_parsed(text, file), file)


def read_stack(stack: Any, file: str = "objectstack.json") -> Source:
    """Return the module of an artifact that is parsed already (numbers are exact)."""
    judged = Judgement(file)
    if not isinstance(stack, dict):
        judged.fault("", "invalid_type", "An artifact is one JSON object.", "Build it with `os build`.")
    manifest = _manifest(mapping(mapping(stack).get("manifest")), judged)
    judged.settle()
    assert manifest is not None
    objects = read_objects(stack, manifest, judged)
    judged.settle()
    sets = read_sets(listing(stack.get("permissions")), manifest, objects, judged)
    seed = read_seed(listing(stack.get("data")), objects, judged)
    parked = _wait(stack, judged)
    _requirements(listing(stack.get("requires")), judged)
    judged.settle()
    return Source(
        manifest,
        {name: dict(definition.body) for name, definition in objects.items()},
        sets,
        {},
        "",
        seed=seed,
        notices=tuple(notice.as_dict() for notice in judged.notices),
        parked=parked,
    )


def _parsed(text: bytes, file: str) -> Any:
    if len(text) > SIZE_LIMIT:
        message = f"The file is larger than {SIZE_LIMIT // 1024} kB."
        raise DefinitionErrors([DefinitionError(file, 0, "", "too_large", message)])
    try:
        return strict_json.parse(text)
    except Problem as problem:
        line = mapping(problem.details.get("position")).get("line", 0)
        raise DefinitionErrors([DefinitionError(file, line, "", "syntax", problem.message)]) from problem


def code_of(package: str, namespace: str) -> str:
    """Return the module's id: the package's own, with the namespace behind it when it ends otherwise."""
    tail = re.split(r"[.]", package)[-1].replace("-", "_")
    return package if tail == namespace else f"{package}:{namespace}"


def _manifest(given: dict[str, Any], judged: Judgement) -> Manifest | None:
    """Judge the manifest; what AI-BOS has no use for is noted."""
    package, namespace = given.get("id"), given.get("namespace")
    for key, value in given.items():
        if key not in MANIFEST_TAKEN and NEUTRAL.get(key) != value:
            judged.note(f"manifest.{key}", "parked", "AI-BOS has no use for this part of a manifest.")
    if not isinstance(package, str) or len(package) > 80 or not PACKAGE_ID.fullmatch(package):
        judged.fault(
            "manifest.id", "invalid_name", f"{package!r} is no package id.", "Write com.example.crm."
        )
    if not isinstance(namespace, str) or not NAMESPACE.fullmatch(namespace):
        judged.fault("manifest.namespace", "invalid_name", "A package needs a namespace of 2 to 20 letters.")
    if not isinstance(given.get("name"), str) or not 0 < len(given["name"]) <= 120:
        judged.fault("manifest.name", "required", "A package needs a name of at most 120 characters.")
    version = _version(given.get("version"), judged)
    _fits(given, judged)
    dependencies = _dependencies(mapping(given.get("dependencies")), judged)
    if judged.faults:
        return None
    assert version is not None
    return Manifest(
        id=code_of(str(package), str(namespace)),
        name=given["name"],
        version=version,
        api_version="v1",
        description=str(given.get("description") or "")[:4000],
        author={},
        license="",
        dependencies=dependencies,
        permissions=frozenset(PERMISSIONS),
        package=str(package),
    )


def _version(text: Any, judged: Judgement) -> Version | None:
    try:
        return Version.parse(str(text))
    except ValueError as error:
        judged.fault("manifest.version", "invalid_value", str(error), "Write 1.0.0.")
        return None


def _fits(given: Mapping[str, Any], judged: Judgement) -> None:
    """Refuse packages for another protocol, and those that are no application."""
    wanted = mapping(given.get("engines")).get("protocol", f"^{PROTOCOL.major}")
    try:
        fits = satisfies(PROTOCOL, whole(str(wanted)))
    except ValueError:
        fits = False
    if not fits:
        message = f"The package is made for protocol {wanted}; AI-BOS speaks {PROTOCOL}."
        judged.fault("manifest.engines.protocol", "conflict", message, "Build it with tools of version 17.")
    if given.get("type", "app") not in APPLICATIONS or given.get("scope", "project") != "project":
        message = "Only applications of a project are installed, no drivers, servers or system packages."
        judged.fault("manifest.type", "not_applicable", message)


def whole(wanted: str) -> str:
    """Return a range with all three numbers: ^17 → ^17.0.0."""
    return wanted + ".0" * (2 - wanted.count(".")) if PARTIAL.fullmatch(wanted) else wanted


def _dependencies(given: Mapping[str, Any], judged: Judgement) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, wanted in given.items():
        try:
            satisfies(Version(0, 0, 0), whole(str(wanted)))
        except ValueError as error:
            judged.fault(f"manifest.dependencies.{name}", "invalid_value", str(error), "Write ^1.2.0.")
        else:
            found[name] = whole(str(wanted))
    return found


def _wait(stack: Mapping[str, Any], judged: Judgement) -> dict[str, Any]:
    """Keep the parts that AI-BOS cannot run, and name every item of them."""
    parked: dict[str, Any] = {}
    for key, value in stack.items():
        if key in TAKEN or value in ([], {}, None):
            continue
        reason = WAITING.get(key, "AI-BOS has nothing that runs this part of an artifact.")
        for name in _names(value):
            judged.note(f"{key}.{name}" if name else key, "parked", reason)
        parked[key] = canonical.plain(value)
    return parked


def _names(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [str(name) for name in value]
    if isinstance(value, list):
        return [str(mapping(item).get("name") or index) for index, item in enumerate(value)]
    return [""]


def _requirements(names: list[Any], judged: Judgement) -> None:
    for name in names:
        if name not in SERVED:
            judged.note(f"requires.{name}", "parked", "AI-BOS does not offer this service to packages yet.")
