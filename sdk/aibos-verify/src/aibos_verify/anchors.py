"""What was kept outside: a folder written by the product's file anchor, or single checkpoints in files."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aibos_verify import notes
from aibos_verify.findings import Report
from aibos_verify.hashes import SIZE, Growing
from aibos_verify.notes import Checkpoint


@dataclass(frozen=True)
class Anchor:
    """Checkpoints of one log, oldest first, and its leaf hashes where they were kept."""

    name: str
    checkpoints: list[Checkpoint]
    leaves: bytes


def single(path: Path, keys: list[bytes], report: Report) -> Checkpoint | None:
    """Return the checkpoint in a file; what is wrong with it is a finding."""
    return _judged(path.read_text(encoding="utf-8"), keys, report, path.name)


def folder(path: Path, origin: str, keys: list[bytes], report: Report) -> Anchor | None:
    """Return what a folder holds of a log, checked against itself; None when it never heard of the log."""
    place = path / origin.replace("/", "_")
    file = place / "checkpoints"
    if not file.exists():
        return None
    leaves = (place / "leaves").read_bytes() if (place / "leaves").exists() else b""
    found = []
    for text in _texts(file, report):
        said = _judged(text, keys, report, path.name)
        if said and said.origin != origin:
            report.add("wrong-log", f"{path.name} holds a checkpoint of {said.origin}.")
        elif said:
            found.append(said)
    anchor = Anchor(path.name, found, leaves[: len(leaves) // SIZE * SIZE])
    _check(anchor, report)
    return anchor


def _check(anchor: Anchor, report: Report) -> None:
    """The leaves must give the root of every checkpoint, and sizes must not fall."""
    tree = Growing()
    for said in anchor.checkpoints:
        if said.size < tree.size:
            report.add(
                "anchor-set-back", f"The checkpoints of {anchor.name} are out of order.", said.size + 1
            )
            return
        if not anchor.leaves:
            continue
        if len(anchor.leaves) < said.size * SIZE:
            seq = len(anchor.leaves) // SIZE + 1
            report.add("anchor-set-back", f"{anchor.name} has lost leaves from entry {seq} on.", seq)
            return
        before = tree.size
        for at in range(tree.size * SIZE, said.size * SIZE, SIZE):
            tree.add(anchor.leaves[at : at + SIZE])
        if tree.root() != said.root:
            message = (
                f"The leaves {before + 1} to {said.size} of {anchor.name} are not those that were signed."
            )
            report.add("anchor-set-back", message, before + 1)
            return


def _texts(file: Path, report: Report) -> Iterator[str]:
    torn = b""
    for line in file.read_bytes().split(b"\n"):
        if not line.strip() and not torn:
            continue
        if torn and not line.startswith(torn):
            report.add("anchor-set-back", f"{file.parent.parent.name} holds a line that is no checkpoint.")
            return
        try:
            text = json.loads(line)["note"]
        except (ValueError, KeyError, TypeError):
            torn = line
            continue
        torn = b""
        yield str(text)


def _judged(text: str, keys: list[bytes], report: Report, place: str) -> Checkpoint | None:
    try:
        return notes.opened(text, keys)
    except notes.UnknownKey as error:
        report.add("unknown-key", f"{place}: {error}")
    except notes.BadSignature as error:
        report.add("bad-signature", f"{place}: {error}")
    except notes.NotANote as error:
        report.add("malformed", f"{place}: {error}")
    return None
