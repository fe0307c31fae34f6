"""Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint) with Ed25519 keys that the reader pinned."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

DASH = "\u2014"
ALGORITHM = b"\x01"
MOST = 16 * 1024


class NotANote(ValueError):
    """The text is no signed checkpoint."""


class BadSignature(ValueError):
    """The note carries the mark of a pinned key, but the signature is not this key's over this text."""


class UnknownKey(ValueError):
    """No pinned key signed the note."""


@dataclass(frozen=True)
class Checkpoint:
    """What was signed: `size` entries of the log `origin` have this root; `link` is the chain's last hash, or empty."""

    origin: str
    size: int
    root: bytes
    link: bytes
    time: str
    text: bytes


def opened(note: str, keys: list[bytes]) -> Checkpoint:
    """Return what a note says after checking it with one of the pinned keys.

    Raises NotANote, BadSignature or UnknownKey.
    """
    checkpoint, lines = _apart(note)
    failed = False
    for name, blob in lines:
        for key in keys:
            if name != checkpoint.origin or blob[:4] != key_id(name, key):
                continue
            try:
                Ed25519PublicKey.from_public_bytes(key).verify(blob[4:], checkpoint.text)
            except InvalidSignature:
                failed = True
            else:
                return checkpoint
    if failed:
        raise BadSignature(f"The signature of {checkpoint.origin} over {checkpoint.size} entries is wrong.")
    raise UnknownKey(f"None of the pinned keys signed {checkpoint.origin} over {checkpoint.size} entries.")


def unchecked(note: str) -> Checkpoint:
    """Return what a note says; raises NotANote."""
    return _apart(note)[0]


def key_id(name: str, key: bytes) -> bytes:
    """Return the four bytes that mark a key's signature lines."""
    return hashlib.sha256(name.encode() + b"\n" + ALGORITHM + key).digest()[:4]


def read_key(text: str) -> bytes:
    """Return a public key given as `name+id+base64`, as 64 hex digits or as base64; raises ValueError."""
    text = text.strip()
    if text.count("+") >= 2:
        name, mark, rest = text.split("+", 2)
        blob = base64.b64decode(rest, validate=True)
        if blob[:1] != ALGORITHM or len(blob) != 33 or key_id(name, blob[1:]).hex() != mark:
            raise ValueError("This verifier key is not one of Ed25519, or its parts do not fit.")
        return blob[1:]
    blob = (
        bytes.fromhex(text)
        if re.fullmatch(r"[0-9a-fA-F]{64}", text)
        else base64.b64decode(text, validate=True)
    )
    if len(blob) != 32:
        raise ValueError("An Ed25519 public key has 32 bytes.")
    return blob


def _apart(note: str) -> tuple[Checkpoint, list[tuple[str, bytes]]]:
    head, gap, tail = note.rpartition("\n\n")
    if not gap or not tail.endswith("\n") or len(note) > MOST:
        raise NotANote("This is no signed note.")
    lines = []
    for line in tail[:-1].split("\n"):
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != DASH or not parts[1] or "+" in parts[1]:
            raise NotANote("A signature line is malformed.")
        lines.append((parts[1], _bytes(parts[2])))
    rows = head.split("\n")
    if len(rows) < 3 or not rows[0] or not re.fullmatch(r"0|[1-9][0-9]{0,18}", rows[1]):
        raise NotANote("This is no checkpoint.")
    more = dict(row.split(" ", 1) for row in rows[3:] if " " in row)
    root, link = _bytes(rows[2]), _bytes(more["link"]) if "link" in more else b""
    if len(root) != 32 or len(link) not in (0, 32):
        raise NotANote("A hash of the checkpoint has not 32 bytes.")
    return Checkpoint(rows[0], int(rows[1]), root, link, more.get("time", ""), (head + "\n").encode()), lines


def _bytes(text: str) -> bytes:
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NotANote("The note holds what is not base64.") from None
    if base64.b64encode(value).decode() != text:
        raise NotANote("The note holds base64 that is not canonical.")
    return value
