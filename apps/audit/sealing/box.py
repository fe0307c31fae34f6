"""Boxes: the personal part of an entry, encrypted for its subject inside the entry's own bytes.

    "sealed": [{"subject": "user:0192…", "key": "<id>", "names": ["actor.label", "ip"], "box": "<base64>"}]

A box is AES-256-GCM over the JSON of the values, bound to ledger, entry and subject: it opens nowhere else. The
names stay readable: a reader without the key still sees which fields an act touched.
"""

import base64
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag

from apps.audit.sealing import keys
from apps.audit.sealing.keys import NONCE, Key
from apps.core.canonical import plain
from apps.core.ids import NIL

logger = logging.getLogger("aibos.ledger")

SECTIONS = ("before", "after", "details")
PAD = 32
Parts = dict[str, dict[str, Any]]


def parted(body: dict[str, Any], actor: str | None, personal: Mapping[str, Iterable[str]] | None) -> Parts:
    """Take the personal values out of `body` and return them by subject; the given mappings stay as they are.

    `actor` is the subject of who acts (label and address are theirs); `personal` maps a subject to the names of
    its fields, wherever they occur in before, after and details.
    """
    parts: Parts = {}
    if actor is not None:
        mine: dict[str, Any] = {"actor": {"label": body["actor"].pop("label")}}
        if body.get("ip") is not None:
            mine["ip"] = body.pop("ip")
        parts[actor] = mine
    for subject, names in (personal or {}).items():
        wanted = frozenset(names)
        for section in SECTIONS:
            values = body.get(section)
            if not values or wanted.isdisjoint(values):
                continue
            taken = {name: value for name, value in values.items() if name in wanted}
            body[section] = {name: value for name, value in values.items() if name not in wanted}
            parts.setdefault(subject, {})[section] = taken
    return parts


def sealed(
    parts: Parts, ledger: UUID | None, entry_id: UUID, clock: int | None = None
) -> tuple[list[dict[str, Any]], list[Key]]:
    """Return the boxes of the parts, and the keys that must be written with the entry."""
    boxes, new = [], []
    for subject, part in parts.items():
        key = keys.take(ledger, subject, clock)
        if key.wrapped is not None:
            new.append(key)
        text = orjson.dumps(plain(part))
        text += b" " * (-len(text) % PAD)  # the length of a name says little about it
        nonce = os.urandom(NONCE)
        box = nonce + key.cipher.encrypt(nonce, text, _bound(ledger, entry_id, subject))
        boxes.append(
            {
                "subject": subject,
                "key": str(key.id),
                "names": _names(part),
                "box": base64.b64encode(box).decode(),
            }
        )
    return boxes, new


def opened(bodies: Sequence[bytes]) -> list[dict[str, Any]]:
    """Return the values of stored bodies with every box opened whose key still exists.

    What stays closed is named in `erased`, such as `actor.label` or `after.email`. Raises ValueError when bytes
    are no JSON. Works in the scope of the ledger.
    """
    values = [orjson.loads(body) for body in bodies]
    wanted = {_id(box.get("key")) for value in values for box in _boxes(value)}
    known = keys.read(wanted - {NIL})
    for value in values:
        for box in _boxes(value):
            _open(value, box, known.get(_id(box.get("key"))))
    return values


def _boxes(values: Any) -> list[dict[str, Any]]:
    found = values.get("sealed") if isinstance(values, dict) else None
    return [box for box in found if isinstance(box, dict)] if isinstance(found, list) else []


def _open(values: dict[str, Any], box: Mapping[str, Any], key: Key | None) -> None:
    part = None
    if key is not None and key.subject == box.get("subject"):
        tenant = values.get("tenant")
        raw = base64.b64decode(box["box"])
        bound = _bound(UUID(tenant) if tenant else None, UUID(values["id"]), key.subject)
        try:
            part = orjson.loads(key.cipher.decrypt(raw[:NONCE], raw[NONCE:], bound))
        except InvalidTag:
            logger.error("A sealed part of the entry %s does not belong to it.", values.get("id"))  # noqa: TRY400 - no use
    if part is None:
        values.setdefault("erased", []).extend(box.get("names", ()))
        return
    for name, value in part.items():
        values[name] = {**values.get(name, {}), **value} if isinstance(value, dict) else value


def _names(part: Mapping[str, Any]) -> list[str]:
    names: list[str] = []
    for name, value in part.items():
        names += [f"{name}.{key}" for key in value] if isinstance(value, dict) else [name]
    return sorted(names)


def _bound(ledger: UUID | None, entry_id: UUID, subject: str) -> bytes:
    return (ledger or NIL).bytes + entry_id.bytes + subject.encode()


def _id(text: Any) -> UUID:
    try:
        return UUID(text)
    except (ValueError, AttributeError, TypeError):
        return NIL
