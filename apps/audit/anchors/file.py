"""The default anchor: a folder of append-only files, one folder per tree, with a consistency check of their own.

`checkpoints` holds one JSON object per line, `leaves` 32 bytes per entry. Nothing is ever rewritten or cut, so
the folder may lie on a write-once medium or carry the file system's append-only mark.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apps.audit.anchors.contract import AnchorBroken, Batch, Held, Pushed
from apps.audit.merkle import note
from apps.audit.merkle.hashing import SIZE, Frontier

CHUNK = 4096 * SIZE
NOTES, LEAVES, LOCK = "checkpoints", "leaves", "lock"


class FileAnchor:
    """A folder. What does not follow from what it holds is refused, whoever signed it."""

    readable = True
    every = 0.0

    def __init__(self, folder: Path, name: str = "file") -> None:
        self.name = name
        self._folder = folder
        self._seen: dict[str, tuple[int, Frontier]] = {}

    def push(self, batch: Batch) -> None:
        """Append leaves, then checkpoints, each forced to the disk; raises AnchorBroken."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._alone():
            for item in (*batch.signed, batch.top):
                self._append(item)

    def held(self, origin: str) -> Held | None:
        """Return the notes and leaves of a tree."""
        place = self.folder_of(origin)
        return Held(_notes(place), _Reader(place / LEAVES)) if (place / NOTES).exists() else None

    def folder_of(self, origin: str) -> Path:
        """Return where a tree's files are."""
        return self._folder / origin.replace("/", "_")

    def _append(self, item: Pushed) -> None:
        place = self.folder_of(item.origin)
        place.mkdir(exist_ok=True)
        size, frontier = self._state(item.origin)
        if item.size <= size:
            self._already(place, item)
            return
        fresh = item.leaves(size, item.size)
        for at in range(0, len(fresh), SIZE):
            frontier.append(fresh[at : at + SIZE])
        if frontier.size != item.size or frontier.root() != note.unchecked(item.note).root:
            self._seen.pop(item.origin)
            raise AnchorBroken(f"The checkpoint of {item.origin} over {item.size} entries does not follow.")
        _grow(place / LEAVES, size * SIZE, fresh)
        _write(place / NOTES, json.dumps({"size": item.size, "note": item.note}).encode() + b"\n")
        self._seen[item.origin] = (item.size, frontier)

    def _already(self, place: Path, item: Pushed) -> None:
        """A checkpoint not above the last one must be one of those that are here."""
        root = note.unchecked(item.note).root
        kept = [note.unchecked(text) for text in _notes(place)]
        if not any((mine.size, mine.root) == (item.size, root) for mine in kept):
            raise AnchorBroken(
                f"{item.origin} is said to hold {item.size} entries, which was never anchored."
            )

    def _state(self, origin: str) -> tuple[int, Frontier]:
        """Return the last size and the frontier of a tree; read from the files once, then remembered."""
        place = self.folder_of(origin)
        last = _last(place / NOTES)
        size = last.size if last else 0
        if origin in self._seen and self._seen[origin][0] == size:
            return self._seen[origin]
        frontier, read = Frontier(), _Reader(place / LEAVES)
        for first in range(0, size, CHUNK // SIZE):
            blob = read(first, min(first + CHUNK // SIZE, size))
            for at in range(0, len(blob), SIZE):
                frontier.append(blob[at : at + SIZE])
        if last and (frontier.size != size or frontier.root() != last.root):
            raise AnchorBroken(
                f"The leaves kept of {origin} are not those its last checkpoint was signed over."
            )
        self._seen[origin] = (size, frontier)
        return size, frontier

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self._folder / LOCK).open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(handle, fcntl.LOCK_UN)


def _grow(path: Path, start: int, fresh: bytes) -> None:
    """Append `fresh` at `start`; bytes that a crash left there already must be the same, and stay."""
    there = path.stat().st_size if path.exists() else 0
    if there < start:
        raise AnchorBroken(f"{path} is shorter than its last checkpoint says.")
    if there > start:
        with path.open("rb") as handle:
            handle.seek(start)
            rest = handle.read(there - start)
        if not fresh.startswith(rest):
            raise AnchorBroken(f"{path} holds other leaves behind its last checkpoint.")
        fresh = fresh[len(rest) :]
    _write(path, fresh)


def _write(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    finally:
        os.close(fd)


def _notes(place: Path) -> Iterator[str]:
    """Yield the notes of a tree. A line that a crash cut short is left out when the next one repeats and ends it."""
    path, torn = place / NOTES, b""
    if not path.exists():
        return
    with path.open("rb") as handle:
        for line in handle:
            try:
                found = json.loads(line)["note"] if line.endswith(b"\n") else None
            except (ValueError, KeyError, TypeError):
                found = None
            if not line.startswith(torn):
                break
            torn = b"" if found is not None else line.rstrip(b"\n")
            if found is not None:
                yield found
        else:
            if not torn or not line.endswith(b"\n"):
                return
    raise AnchorBroken(f"{path} holds a line that is no checkpoint.")


def _last(path: Path) -> note.Checkpoint | None:
    """Return the last whole checkpoint of a file, read from its end."""
    if not path.exists():
        return None
    with path.open("rb") as handle:
        end = handle.seek(0, os.SEEK_END)
        handle.seek(max(0, end - 2 * note.MOST))
        tail = handle.read()
        if tail and not tail.endswith(b"\n"):
            _write(path, b"\n")  # ends the line that a crash cut, so that the next one stands alone
    for line in reversed(tail.splitlines()):
        try:
            return note.unchecked(json.loads(line)["note"])
        except (ValueError, KeyError, TypeError):
            continue
    return None


class _Reader:
    """Reads leaf hashes of a file; what is not there is not returned."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, first: int, end: int) -> bytes:
        if not self._path.exists():
            return b""
        with self._path.open("rb") as handle:
            handle.seek(first * SIZE)
            blob = handle.read((end - first) * SIZE)
        return blob[: len(blob) // SIZE * SIZE]
