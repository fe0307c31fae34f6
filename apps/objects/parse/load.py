"""Definitions in, `ObjectDef` out: from YAML text or from a stored body."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from apps.core import canonical
from apps.objects.definitions import ObjectDef
from apps.objects.parse.errors import DefinitionError, DefinitionErrors
from apps.objects.parse.objects import read_object
from apps.objects.parse.shape import Reading
from apps.objects.parse.tree import Spot, from_plain, read_tree


def load_yaml(text: str, file: str = "object.yml", *, module: str | None = None) -> ObjectDef:
    """Return the object that one YAML document declares.

    Raises `DefinitionErrors` with every fault at once. With `module` the name must carry its prefix.
    """
    spot, faults = read_tree(text, file)
    return load_tree(spot, file, module=module, faults=faults)


def load_body(body: Mapping[str, Any], file: str = "", *, module: str | None = None) -> ObjectDef:
    """Return the object of plain JSON values in the same keys as YAML."""
    return load_tree(from_plain(dict(body)), file, module=module)


def load_tree(
    spot: Spot, file: str, *, module: str | None = None, faults: Iterable[DefinitionError] = ()
) -> ObjectDef:
    """Return the object of a tree already read, so that faults keep their lines."""
    reading = Reading(file)
    reading.errors.extend(faults)
    definition = read_object(reading, spot, module=module)
    if reading.errors or definition is None:
        raise DefinitionErrors(reading.errors)
    body = canonical.plain(spot.plain())
    return replace(definition, body=MappingProxyType(body), checksum=checksum(body))


def checksum(body: Mapping[str, Any]) -> str:
    """Return `sha256:…` of a body's canonical form."""
    return "sha256:" + hashlib.sha256(canonical.dumps(dict(body))).hexdigest()
