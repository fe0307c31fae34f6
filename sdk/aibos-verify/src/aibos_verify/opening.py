"""Reading evidence, a zip archive or one JSON document, without trusting it: sizes are bounded, keys occur once."""

import base64
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FORMAT = "aibos-evidence/1"
MOST_HEADER = 64 * 1024 * 1024
MOST_LINE = 64 * 1024 * 1024
MOST_LEAVES = 4 * 1024 * 1024 * 1024


class Unreadable(ValueError):
    """The file is no evidence of a format this program knows."""


@dataclass
class Bundle:
    """Evidence as it was read: `entries` may be walked once, `leaves` are joined or empty."""

    header: dict[str, Any]
    leaves: bytes = b""
    _path: Path = field(default_factory=Path)
    _given: list[dict[str, Any]] | None = None

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield the entries in the order of the file; raises Unreadable."""
        if self._given is not None:
            yield from self._given
            return
        with zipfile.ZipFile(self._path) as archive, archive.open("entries.jsonl") as lines:
            while line := lines.readline(MOST_LINE):
                yield _object(line)


def read(path: Path) -> Bundle:
    """Return the evidence in a file; raises Unreadable."""
    try:
        if zipfile.is_zipfile(path):
            return _zip(path)
        values = _object(path.read_bytes())
        entries, leaves = values.pop("entries"), base64.b64decode(values.pop("leaves", ""), validate=True)
    except (OSError, KeyError, ValueError, RecursionError, zipfile.BadZipFile) as error:
        raise Unreadable(f"{path.name} is no evidence: {error}") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Unreadable(f"{path.name} holds no list of entries.")
    return Bundle(_known(values), leaves, path, entries)


def _zip(path: Path) -> Bundle:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if len(names) != len(set(names)):
            raise Unreadable("A name occurs twice in the archive.")
        header = _object(_bounded(archive, "evidence.json", MOST_HEADER))
        leaves = _bounded(archive, "leaves", MOST_LEAVES) if "leaves" in names else b""
        archive.getinfo("entries.jsonl")
    return Bundle(_known(header), leaves, path)


def _bounded(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    if archive.getinfo(name).file_size > most:
        raise Unreadable(f"{name} is larger than any evidence.")
    with archive.open(name) as handle:
        return handle.read(most + 1)


def _known(header: dict[str, Any]) -> dict[str, Any]:
    if header.get("format") != FORMAT:
        raise Unreadable(f"The format is {str(header.get('format'))[:40]!r}, this program knows {FORMAT!r}.")
    return header


def _object(text: bytes) -> dict[str, Any]:
    values = json.loads(text, object_pairs_hook=once, parse_constant=_refused)
    if not isinstance(values, dict):
        raise Unreadable("An object was expected.")
    return values


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of pairs; a key that occurs twice is refused, since readers differ in which they take."""
    values = dict(pairs)
    if len(values) != len(pairs):
        raise Unreadable("A key occurs twice in an object.")
    return values


def _refused(text: str) -> None:
    raise Unreadable(f"{text} is not JSON.")
