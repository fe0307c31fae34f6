"""An entry as other systems read it: JSON, CEF (ArcSight, revision 25) and syslog (RFC 5424).

A formatter makes the payload of one entry; `framed` puts the header of RFC 5424 before it where syslog is spoken.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from apps.core.canonical import instant

FACILITY = 13  # log audit
NOTICE, WARNING, CRITICAL = 5, 4, 2
PRODUCT = "AI-BOS"
# 32473 is the number of RFC 5612 for those who have none of their own.
ELEMENT = "aibos@32473"
PRINTABLE = re.compile(r"[^\x21-\x7e]")
MOST_MESSAGE = 8_000


@dataclass(frozen=True)
class Copied:
    """An entry on its way out: its values as read, where it stands, and its ledger's name."""

    ledger: str
    seq: int
    hash: str
    values: Mapping[str, Any]

    @property
    def denied(self) -> bool:
        """Whether the entry is about something that was refused."""
        return bool(self.values.get("details", {}).get("outcome") == "denied")

    @property
    def severity(self) -> int:
        """The severity of RFC 5424: critical, warning or notice."""
        if self.values["action"] == "ledger.tampered":
            return CRITICAL
        return WARNING if self.denied else NOTICE


Format = Callable[[Copied], str]


def as_json(item: Copied) -> str:
    """Return the entry as one line of JSON."""
    values = {key: value for key, value in item.values.items() if key != "sealed"}
    return orjson.dumps({"ledger": item.ledger, "seq": item.seq, "hash": item.hash, **values}).decode()


def as_cef(item: Copied) -> str:
    """Return the entry as CEF; labels say what the custom fields hold."""
    values, actor = item.values, item.values["actor"]
    level = {CRITICAL: 10, WARNING: 6, NOTICE: 3}[item.severity]
    head = ["CEF:0", PRODUCT, PRODUCT, "1", values["action"], values["action"].replace(".", " "), str(level)]
    fields = {
        "rt": int(_at(values).timestamp() * 1000),
        "externalId": values["id"],
        "act": values["action"],
        "outcome": "failure" if item.denied else "success",
        "suid": f"{actor['kind']}:{actor['id']}",
        "suser": actor.get("label"),
        "src": values.get("ip"),
        "reason": values.get("details", {}).get("reason"),
        "cs1Label": "ledger",
        "cs1": item.ledger,
        "cs2Label": "target",
        "cs2": values.get("target"),
        "cs3Label": "request",
        "cs3": values.get("request"),
        "cs4Label": "hash",
        "cs4": item.hash,
        "cn1Label": "number",
        "cn1": item.seq,
        "msg": _changes(values),
    }
    told = {k: v for k, v in fields.items() if v is not None and v != ""}
    told = {k: v for k, v in told.items() if not k.endswith("Label") or k.removesuffix("Label") in told}
    extension = " ".join(f"{key}={_extension(value)}" for key, value in told.items())
    return "|".join([head[0], *map(_header, head[1:]), extension])


def as_structured(item: Copied) -> str:
    """Return the structured data of RFC 5424 and a sentence after it."""
    values, actor = item.values, item.values["actor"]
    params = {
        "id": values["id"],
        "ledger": item.ledger,
        "number": item.seq,
        "hash": item.hash,
        "action": values["action"],
        "actor": f"{actor['kind']}:{actor['id']}",
        "actorName": actor.get("label"),
        "target": values.get("target"),
        "request": values.get("request"),
        "ip": values.get("ip"),
        "outcome": "failure" if item.denied else "success",
        "changes": _changes(values),
    }
    told = "".join(f' {key}="{_param(value)}"' for key, value in params.items() if value not in (None, ""))
    sentence = f"{actor.get('label') or actor['id']} {values['action']} {values.get('target') or ''}".strip()
    return f"[{ELEMENT}{told}] \ufeff{sentence}"


FORMATS: Mapping[str, Format] = {"json": as_json, "cef": as_cef, "rfc5424": as_structured}


def framed(item: Copied, form: str, host: str) -> bytes:
    """Return the whole syslog message (RFC 5424) of an entry."""
    payload = FORMATS[form](item)
    body = payload if form == "rfc5424" else f"- \ufeff{payload}"
    name, message_id = PRINTABLE.sub("_", host)[:255] or "-", PRINTABLE.sub("_", item.values["action"])[:32]
    stamp = instant(_at(item.values))
    head = f"<{FACILITY * 8 + item.severity}>1 {stamp} {name} {PRODUCT} - {message_id} "
    return (head + body).encode()


def shortened(item: Copied) -> Copied:
    """Return the entry without what changed, for a datagram that cannot hold it; the number and hash find the rest."""
    values = {key: value for key, value in item.values.items() if key not in {"before", "after", "sealed"}}
    values["details"] = {"shortened": True} | (
        {"outcome": "denied", "reason": str(item.values["details"].get("reason", ""))[:500]}
        if item.denied
        else {}
    )
    return Copied(item.ledger, item.seq, item.hash, values)


def _changes(values: Mapping[str, Any]) -> str:
    sides = {key: values[key] for key in ("before", "after") if values.get(key)}
    if not sides:
        return ""
    text = orjson.dumps(sides).decode()
    return text if len(text) <= MOST_MESSAGE else text[:MOST_MESSAGE] + "…"


def _at(values: Mapping[str, Any]) -> dt.datetime:
    return dt.datetime.fromisoformat(values["at"])


def _header(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("\r", " ")


def _extension(value: Any) -> str:
    text = str(value).replace("\\", "\\\\").replace("=", "\\=")
    return text.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\n")


def _param(value: Any) -> str:
    return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")
