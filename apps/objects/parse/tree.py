"""YAML as a tree of values that know their line and path.

Scalars follow YAML 1.2's core schema: only `true` and `false` are booleans (`no` is a word), numbers with
a point are Decimal, dates stay text. Duplicate keys, tags, merge keys and documents that unfold beyond
`NODE_LIMIT` (alias bombs) are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import yaml

from apps.objects.parse.errors import DefinitionError, DefinitionErrors

SIZE_LIMIT = 512 * 1024
NODE_LIMIT = 20_000
DEPTH_LIMIT = 24
INTEGER = re.compile(r"[-+]?[0-9]{1,30}", re.ASCII)
DECIMAL = re.compile(r"[-+]?(?:[0-9]{1,30}\.[0-9]{0,30}|\.[0-9]{1,30})", re.ASCII)
WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}
PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{t}"
    for t in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq", "value")
)
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Spot:
    """A value and where it stands; mappings hold Spots by key, lists hold Spots."""

    value: Any
    line: int
    path: str

    def plain(self) -> Any:
        """Return the value without places."""
        if isinstance(self.value, dict):
            return {key: spot.plain() for key, spot in self.value.items()}
        if isinstance(self.value, list):
            return [spot.plain() for spot in self.value]
        return self.value

    def child(self, key: str) -> Spot | None:
        return self.value.get(key) if isinstance(self.value, dict) else None


def below(path: str, key: str | int) -> str:
    """Return the path of a child."""
    return f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}" if path else key


class _Tree:
    """Turns composed YAML nodes into Spots, collecting faults."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.errors: list[DefinitionError] = []
        self.left = NODE_LIMIT

    def fail(self, line: int, path: str, code: str, message: str, cure: str = "") -> None:
        self.errors.append(DefinitionError(self.file, line, path, code, message, cure))

    def spot(self, node: yaml.Node, path: str, depth: int = 0) -> Spot:
        line = node.start_mark.line + 1
        self.left -= 1
        if self.left < 0 or depth > DEPTH_LIMIT:
            self.fail(line, "", "too_large", "The document unfolds to too many values.", "Use fewer aliases.")
            raise DefinitionErrors(self.errors)
        if node.tag not in PLAIN_TAGS:
            self.fail(line, path, "tag", f"The tag {node.tag} is not accepted.", "Write a plain value.")
            return Spot(None, line, path)
        if isinstance(node, yaml.MappingNode):
            return Spot(self.mapping(node, path, depth), line, path)
        if isinstance(node, yaml.SequenceNode):
            items = [self.spot(item, below(path, i), depth + 1) for i, item in enumerate(node.value)]
            return Spot(items, line, path)
        assert isinstance(node, yaml.ScalarNode)
        return Spot(scalar(node), line, path)

    def mapping(self, node: yaml.MappingNode, path: str, depth: int) -> dict[str, Spot]:
        found: dict[str, Spot] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == "tag:yaml.org,2002:merge":
                self.fail(line, path, "invalid_key", "A key must be a plain word.", "Write the keys out.")
                continue
            key = key_node.value
            if key in found:
                message = f"The key {key!r} stands here twice (first in line {found[key].line})."
                self.fail(line, below(path, key), "duplicate_key", message, "Keep one of them.")
                continue
            child = self.spot(value_node, below(path, key), depth + 1)
            found[key] = Spot(child.value, line, child.path)
        return found


def scalar(node: yaml.ScalarNode) -> Any:
    """Return the Python value of a scalar node by the YAML 1.2 core schema."""
    text = str(node.value)
    if node.style in ("'", '"', "|", ">") or node.tag == "tag:yaml.org,2002:str":
        return text
    if text.lower() in WORDS and (text == text.lower() or text in ("Null", "True", "False")):
        return WORDS[text.lower()]
    if INTEGER.fullmatch(text):
        return int(text)
    return Decimal(text) if DECIMAL.fullmatch(text) else text


def read_tree(text: str, file: str) -> tuple[Spot, list[DefinitionError]]:
    """Return the tree of one YAML document and what is wrong with it; raise when it is no tree at all."""
    if len(text.encode(errors="replace")) > SIZE_LIMIT:
        message = f"The file is larger than {SIZE_LIMIT // 1024} kB."
        raise DefinitionErrors([DefinitionError(file, 0, "", "too_large", message, "Split it.")])
    try:
        node = yaml.compose(text, Loader=Loader)
    except RecursionError as error:
        fault = DefinitionError(file, 0, "", "too_large", "The document is nested too deeply.")
        raise DefinitionErrors([fault]) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 0
        message = f"This is not valid YAML: {getattr(error, 'problem', None) or error}."
        fault = DefinitionError(file, line, "", "syntax", message, "Check the indentation and quotes.")
        raise DefinitionErrors([fault]) from error
    tree = _Tree(file)
    if node is None:
        raise DefinitionErrors([DefinitionError(file, 0, "", "empty", "The file is empty.")])
    return tree.spot(node, ""), tree.errors


def from_plain(value: Any, path: str = "") -> Spot:
    """Return the tree of plain JSON values, such as a stored body; lines are 0."""
    if isinstance(value, dict):
        return Spot({str(k): from_plain(v, below(path, str(k))) for k, v in value.items()}, 0, path)
    if isinstance(value, list | tuple):
        return Spot([from_plain(v, below(path, i)) for i, v in enumerate(value)], 0, path)
    if isinstance(value, float):
        return Spot(Decimal(repr(value)), 0, path)
    return Spot(value, 0, path)


def walk(spot: Spot) -> Iterator[Spot]:
    """Yield `spot` and everything below it."""
    yield spot
    children = spot.value.values() if isinstance(spot.value, dict) else spot.value
    if isinstance(spot.value, dict | list):
        for child in children:
            yield from walk(child)
