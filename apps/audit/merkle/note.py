"""Signed notes and checkpoints as C2SP writes them (signed-note, tlog-checkpoint), with Ed25519.

A checkpoint's text is `origin`, size and base64 root on a line each, then two lines of our own: `time` and
`link`, the hash of the last entry in the chain, so that one signature covers the tree and the chain.
"""

import base64
import binascii
import datetime as dt
import hashlib
import re
from dataclasses import dataclass

from apps.core import signing
from apps.core.canonical import instant

PURPOSE = "ledger checkpoints"
ED25519 = b"\x01"
DASH = "\u2014"
NAME = re.compile(r"[^\s+\u0000-\u001f]+")
MOST = 16 * 1024


class NoteInvalid(ValueError):
    """A text that is no signed note, no checkpoint, or is not signed by a key we know."""


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint says; `link` is empty for the platform's tree of checkpoints, which has no chain."""

    origin: str
    size: int
    root: bytes
    at: dt.datetime
    link: bytes = b""

    def text(self) -> str:
        """Return the text that is signed."""
        lines = [self.origin, str(self.size), _b64(self.root), f"time {instant(self.at)}"]
        return "\n".join([*lines, *([f"link {_b64(self.link)}"] if self.link else [])]) + "\n"


def sign(checkpoint: Checkpoint) -> str:
    """Return the note: the text, signed under the name of its origin by every key that counts."""
    text = checkpoint.text()
    lines = [
        f"{DASH} {checkpoint.origin} {_b64(key_id(checkpoint.origin, key) + signature)}\n"
        for key, signature in signing.signatures(PURPOSE, text.encode())
    ]
    return text + "\n" + "".join(lines)


def key_id(name: str, key: bytes) -> bytes:
    """Return the four bytes that tell which key a signature line is by."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + key).digest()[:4]


def verifier_key(name: str, key: bytes) -> str:
    """Return a public key the way verifiers of signed notes take it: `name+id+base64`."""
    return f"{name}+{key_id(name, key).hex()}+{_b64(ED25519 + key)}"


def keys() -> list[bytes]:
    """Return the public keys whose signatures count here, the one in force first."""
    return signing.public_keys(PURPOSE)


def opened(note: str, *, known: list[bytes] | None = None) -> Checkpoint:
    """Return what a note says after checking its signature by one of the `known` keys (default: this house's).

    Raises NoteInvalid for anything malformed and for a note that none of them signed.
    """
    checkpoint, text, lines = _taken_apart(note)
    for key in keys() if known is None else known:
        wanted = key_id(checkpoint.origin, key)
        for name, blob in lines:
            signed = name == checkpoint.origin and blob[:4] == wanted
            if signed and signing.verifies(key, text.encode(), blob[4:]):
                return checkpoint
    raise NoteInvalid("The checkpoint is not signed by a key that counts here.")


def unchecked(note: str) -> Checkpoint:
    """Return what a note says without asking who signed it; raises NoteInvalid for what is no checkpoint."""
    return _taken_apart(note)[0]


def _taken_apart(note: str) -> tuple[Checkpoint, str, list[tuple[str, bytes]]]:
    head, gap, tail = note.rpartition("\n\n")
    if not gap or len(note) > MOST or not tail.endswith("\n"):
        raise NoteInvalid("This is no signed note: the empty line before the signatures is missing.")
    lines = []
    for line in tail[:-1].split("\n"):
        dash, name, blob = (*line.split(" "), "", "", "")[:3]
        if dash != DASH or line.count(" ") != 2 or not NAME.fullmatch(name):
            raise NoteInvalid("A signature line of the note is malformed.")
        lines.append((name, _bytes(blob)))
    return _parsed(head), head + "\n", lines


def _parsed(text: str) -> Checkpoint:
    rows = text.split("\n")
    if len(rows) < 3 or not rows[0] or not re.fullmatch(r"0|[1-9][0-9]{0,18}", rows[1]):
        raise NoteInvalid("This is no checkpoint: origin, size and root are expected.")
    root, more = _bytes(rows[2]), dict(row.split(" ", 1) for row in rows[3:] if " " in row)
    link = _bytes(more["link"]) if "link" in more else b""
    if len(root) != 32 or len(link) not in (0, 32):
        raise NoteInvalid("A hash of the checkpoint has not 32 bytes.")
    try:
        at = dt.datetime.fromisoformat(more["time"])
    except (KeyError, ValueError):
        raise NoteInvalid("The checkpoint does not say its time.") from None
    return Checkpoint(rows[0], int(rows[1]), root, at, link)


def _b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _bytes(text: str) -> bytes:
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteInvalid("The note holds what is not base64.") from None
    if _b64(value) != text:
        raise NoteInvalid("The note holds base64 that is not canonical.")
    return value
