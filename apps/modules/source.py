"""Reading a module from its folder: data only, nothing in it is imported or run.

module.yaml
objects/*.yml           one object each
permission_sets/*.yml   one permission set each
views/*.yml             list views beside those of the objects: {object, name, columns, …}
translations/<locale>.yml   objects: {<object>: words}
data/<object>.csv       demo records; `@` names a record, `@name` in a lookup refers to one
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.core import canonical
from apps.modules.manifest import Manifest, read_manifest
from apps.objects.definitions import NAME_PATTERN, ObjectDef
from apps.objects.parse import DefinitionError, DefinitionErrors, load_body, load_tree
from apps.objects.parse.shape import Reading
from apps.objects.parse.tree import SIZE_LIMIT, Spot, read_tree
from apps.permissions import bodies

MOST_FILES = 500
MOST_ROWS = 5_000
ALLOWED = re.compile(
    r"module\.yaml|README\.md|LICENSE|CHANGELOG\.md|objects/[a-z0-9_.]+\.yml|permission_sets/[a-z0-9_]+\.yml"
    r"|views/[a-z0-9_.]+\.yml|translations/[A-Za-z-]+\.yml|data/[a-z0-9_]+\.csv|tests/[A-Za-z0-9_./-]+"
)
SET_LABELS = frozenset({"name", "label", "description"})


@dataclass(frozen=True)
class Source:
    """A module as read: its manifest, its parts as plain JSON, and the checksum of all of it.

    `seed` holds records that come with every installation; `notices` say what of a compiled artifact does not
    come over as it stands, and `parked` keeps what does nothing here yet.
    """

    manifest: Manifest
    objects: Mapping[str, Mapping[str, Any]]
    permission_sets: Mapping[str, Mapping[str, Any]]
    data: Mapping[str, list[dict[str, str]]]
    readme: str
    seed: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    notices: tuple[Mapping[str, str], ...] = ()
    parked: Mapping[str, Any] = field(default_factory=dict)

    def content(self) -> dict[str, Any]:
        """Return everything that an installation needs, as plain JSON."""
        further = {"seed": dict(self.seed), "notices": list(self.notices), "parked": dict(self.parked)}
        return {
            "objects": dict(self.objects),
            "permission_sets": dict(self.permission_sets),
            "data": dict(self.data),
            "readme": self.readme,
        } | {key: value for key, value in further.items() if value}

    @property
    def checksum(self) -> str:
        body = canonical.dumps({"manifest": self.manifest.as_dict(), "content": self.content()})
        return "sha256:" + hashlib.sha256(body).hexdigest()


def definitions(content: Mapping[str, Any], module: str) -> list[ObjectDef]:
    """Return the objects of a module's content."""
    return [
        load_body(body, f"objects/{name}.yml", module=module) for name, body in content["objects"].items()
    ]


def load(folder: Path) -> Source:
    """Read and judge a whole module; raises `DefinitionErrors` with every fault of every file."""
    reader = _Folder(folder)
    manifest = reader.manifest()
    module = manifest.id if manifest else None
    objects = reader.objects()
    reader.views(objects)
    reader.translate(objects)
    read = reader.judge_objects(objects, module)
    sets = reader.permission_sets(manifest, read)
    data = reader.data(read)
    if manifest:
        reader.faults += unasked(manifest, objects, sets, data)
        if folder.name != manifest.id:
            reader.fail("module.yaml", "invalid_name", f"The folder must be named {manifest.id!r}.")
    if reader.faults or manifest is None:
        raise DefinitionErrors(reader.faults)
    bodies_ = {name: dict(definition.body) for name, definition in read.items()}
    return Source(manifest, bodies_, sets, data, reader.texts.get("README.md", ""))


def unasked(manifest: Manifest, objects: Any, sets: Any, data: Any) -> list[DefinitionError]:
    """Return a fault for each kind of content that the manifest does not ask permission for."""
    needs = (
        ("objects:define", objects),
        ("permission_sets:define", sets),
        ("records:create", data),
        ("events:define", manifest.events),
        ("hooks:define", manifest.hooks),
    )
    return [
        DefinitionError(
            "module.yaml",
            0,
            "permissions",
            "permission",
            f"The content needs {word}.",
            f"Add {word} to permissions.",
        )
        for word, content in needs
        if content and word not in manifest.permissions
    ]


class _Folder:
    """The files of one module, and the faults found so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults: list[DefinitionError] = []
        self.texts = dict(self._files())

    def fail(self, file: str, code: str, message: str, cure: str = "", line: int = 0, path: str = "") -> None:
        self.faults.append(DefinitionError(file, line, path, code, message, cure))

    def _files(self) -> Iterator[tuple[str, str]]:
        paths = sorted(p for p in self.folder.rglob("*") if p.is_file() or p.is_symlink())
        if len(paths) > MOST_FILES:
            self.fail("", "too_large", f"A module has at most {MOST_FILES} files.")
            return
        for path in paths:
            name = path.relative_to(self.folder).as_posix()
            if path.is_symlink() or not ALLOWED.fullmatch(name):
                self.fail(name, "unknown_file", "A module has no such file.", "See docs/modules.md.")
            elif name.startswith("tests/"):
                continue
            elif path.stat().st_size > SIZE_LIMIT:
                self.fail(name, "too_large", f"The file is larger than {SIZE_LIMIT // 1024} kB.")
            else:
                try:
                    yield name, path.read_text("utf-8")
                except UnicodeDecodeError:
                    self.fail(name, "syntax", "The file is not UTF-8.")

    def _below(self, prefix: str) -> list[tuple[str, str]]:
        return [(name, text) for name, text in self.texts.items() if name.startswith(prefix)]

    def _yaml(self, file: str, text: str) -> Any:
        try:
            spot, faults = read_tree(text, file)
        except DefinitionErrors as error:
            self.faults += error.errors
            return None
        self.faults += faults
        return spot

    def manifest(self) -> Manifest | None:
        text = self.texts.get("module.yaml")
        if text is None:
            self.fail("module.yaml", "required", "The module has no module.yaml.")
            return None
        spot = self._yaml("module.yaml", text)
        if spot is None:
            return None
        reading = Reading("module.yaml")
        found = read_manifest(reading, spot)
        self.faults += reading.errors
        return found

    def objects(self) -> dict[str, tuple[str, Any]]:
        """Return object name → (file, tree)."""
        found: dict[str, tuple[str, Any]] = {}
        for file, text in self._below("objects/"):
            spot = self._yaml(file, text)
            if spot is None:
                continue
            name = (spot.child("name") or spot).value
            if isinstance(name, str) and name in found:
                self.fail(file, "duplicate", f"{found[name][0]} declares {name!r} as well.")
                continue
            found[name if isinstance(name, str) else file] = (file, spot)
        return found

    def views(self, objects: dict[str, tuple[str, Any]]) -> None:
        """Put the list views of views/ into the trees of their objects, where they are judged with the others."""
        for file, text in self._below("views/"):
            spot = self._yaml(file, text)
            if spot is None:
                continue
            words = (
                {key: child.value for key, child in spot.value.items()}
                if isinstance(spot.value, dict)
                else {}
            )
            name, holder = words.get("name"), objects.get(str(words.get("object")))
            if holder is None or not isinstance(name, str):
                self.fail(
                    file,
                    "unknown_object",
                    "A view names an object of this module, and itself.",
                    path="object",
                )
                continue
            tree = holder[1]
            lists = tree.value.setdefault("listViews", Spot({}, spot.line, "listViews"))
            if not isinstance(lists.value, dict) or name in lists.value:
                self.fail(file, "duplicate", f"{words['object']!r} has a view {name!r} already.", path="name")
                continue
            rest = {key: child for key, child in spot.value.items() if key not in ("object", "name")}
            lists.value[name] = Spot(rest, spot.line, f"listViews.{name}")

    def translate(self, objects: dict[str, tuple[str, Any]]) -> None:
        """Put the words of translations/ into the trees of the objects they are for."""
        for file, text in self._below("translations/"):
            spot = self._yaml(file, text)
            holder = spot.child("objects") if spot else None
            if holder is None or set(spot.value) != {"objects"} or not isinstance(holder.value, dict):
                self.fail(file, "invalid_shape", "Expected the one key `objects`, with words by object.")
                continue
            locale = file.removeprefix("translations/").removesuffix(".yml").lower()
            for name, words in holder.value.items():
                if name not in objects:
                    self.fail(
                        file, "unknown_object", f"There is no object {name!r} to translate.", line=words.line
                    )
                    continue
                _add_words(objects[name][1], locale, words)

    def judge_objects(self, objects: dict[str, tuple[str, Any]], module: str | None) -> dict[str, ObjectDef]:
        found: dict[str, ObjectDef] = {}
        for name, (file, spot) in objects.items():
            try:
                found[name] = load_tree(spot, file, module=module)
            except DefinitionErrors as error:
                self.faults += error.errors
        return found

    def permission_sets(self, manifest: Manifest | None, objects: Mapping[str, ObjectDef]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for file, text in self._below("permission_sets/"):
            spot = self._yaml(file, text)
            if spot is None or not isinstance(spot.value, dict):
                continue
            declared = spot.plain()
            name = declared.get("name")
            rights = {key: value for key, value in declared.items() if key not in SET_LABELS}
            for problem in bodies.problems(rights):
                line = (
                    spot.value[problem.field.split(".")[0]].line
                    if problem.field.split(".")[0] in spot.value
                    else 0
                )
                self.fail(file, problem.code, problem.message, line=line, path=problem.field)
            if not isinstance(name, str) or not NAME_PATTERN.fullmatch(name):
                self.fail(file, "required", "A permission set needs a name.", path="name")
            elif manifest and not name.startswith(manifest.prefix):
                self.fail(file, "invalid_name", f"The name must start with {manifest.prefix!r}.", path="name")
            else:
                found[name] = declared
            self._judge_rights(file, rights, objects)
        return found

    def _judge_rights(self, file: str, rights: Mapping[str, Any], objects: Mapping[str, ObjectDef]) -> None:
        """A module's set may speak of the module's own objects and of nothing else."""
        if rights.get("systemPermissions"):
            self.fail(
                file,
                "not_applicable",
                "A module's set grants no system permissions.",
                path="systemPermissions",
            )
        for name in rights.get("objects") or {}:
            if name not in objects:
                self.fail(file, "unknown_object", f"{name!r} is no object of this module.", path="objects")
        for key in rights.get("fields") or {}:
            name, _dot, field = str(key).partition(".")
            if name in objects and field not in objects[name].all_fields:
                self.fail(file, "unknown_field", f"There is no field {key!r}.", path="fields")

    def data(self, objects: Mapping[str, ObjectDef]) -> dict[str, list[dict[str, str]]]:
        found: dict[str, list[dict[str, str]]] = {}
        for file, text in self._below("data/"):
            name = file.removeprefix("data/").removesuffix(".csv")
            rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
            if name not in objects:
                self.fail(file, "unknown_object", f"{name!r} is no object of this module.")
                continue
            known = {*objects[name].fields, "@", "owner"}
            for column in rows[0] if rows else ():
                if column not in known:
                    self.fail(file, "unknown_field", f"There is no field {column!r}.", line=1)
            if len(rows) > MOST_ROWS or any(None in row or None in row.values() for row in rows):
                self.fail(file, "syntax", f"Every row needs each column once; at most {MOST_ROWS} rows.")
            found[name] = [{k: v for k, v in row.items() if k and v} for row in rows]
        return found


def _add_words(spot: Any, locale: str, words: Any) -> None:
    holder = spot.value.get("translations")
    if holder is None:
        holder = type(spot)({}, spot.line, "translations")
        spot.value["translations"] = holder
    holder.value.setdefault(locale, words)
