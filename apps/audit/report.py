"""The integrity report of a ledger: where it ends, what is signed, and what verifying it found, as one signed document.

Other apps add sections: what they know about the same ledger.
"""

import base64
import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.audit import directory, queries, verdicts
from apps.audit.chain import GENESIS
from apps.audit.merkle import checkpoints
from apps.audit.models import Head, Verification
from apps.core import canonical, signing
from apps.core.canonical import plain
from apps.core.registry import Registry
from apps.core.scope import TenantRef, current_scope

FORMAT = "aibos-integrity-report/1"
PURPOSE = "integrity-report"


@dataclass(frozen=True)
class Section:
    """What an app adds: `read(tenant)` returns JSON values (no floats), in the scope of the ledger."""

    read: Callable[[TenantRef | None], Any]


sections: Registry[Section] = Registry("sections of the integrity report", Section)


def integrity() -> dict[str, Any]:
    """Return the signed report of the ledger of the scope in force, made of what was found last.

    `status` is `holds`, `tampered` or `unverified`. It does not verify: see `verdicts.judge`.
    """
    tenant = current_scope().tenant
    found = verdicts.recent(tenant.id if tenant else None)
    head = Head.objects.filter(pk=directory.key_of(tenant)).first()
    lag = queries.lag()
    body: dict[str, Any] = {
        "format": FORMAT,
        "ledger": tenant.slug if tenant else "platform",
        "tenant": tenant.id if tenant else None,
        "madeAt": dt.datetime.now(dt.UTC),
        "status": status(found),
        "head": {
            "entries": head.seq if head else 0,
            "hash": bytes(head.hash if head else GENESIS).hex(),
            "movedAt": head.moved_at if head else None,
            "standsStillBecause": head.error if head else "",
        },
        "waiting": {"entries": lag.waiting, "milliseconds": round(lag.seconds * 1000)},
        "signed": _signed(tenant),
        "verifications": [_verification(item) for item in found],
    }
    for name in sections:
        body[name] = sections[name].read(tenant)
    return sign(plain(body))


def status(found: list[Verification]) -> str:
    """Return what the newest verification means."""
    if not found:
        return "unverified"
    return "holds" if found[0].ok else "tampered"


def sign(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body with its signature: Ed25519 over its RFC 8785 bytes, `signature` left out."""
    key = signing.public_key(PURPOSE)
    value = signing.sign(PURPOSE, canonical.dumps(body))
    signature = {
        "algorithm": "Ed25519 over RFC 8785",
        "key": base64.b64encode(key).decode(),
        "fingerprint": signing.fingerprint(key),
        "value": base64.b64encode(value).decode(),
    }
    return {**body, "signature": signature}


def signature_holds(report: Mapping[str, Any]) -> bool:
    """Return whether the signature of a report fits its content and its own key; compare the key yourself."""
    said = report["signature"]
    body = {name: value for name, value in report.items() if name != "signature"}
    key, value = base64.b64decode(said["key"]), base64.b64decode(said["value"])
    return signing.verifies(key, canonical.dumps(body), value)


def _signed(tenant: TenantRef | None) -> dict[str, Any]:
    key = directory.key_of(tenant)
    newest, gathered = checkpoints.latest(key), checkpoints.gathered(key)
    return {
        "entries": newest.size if newest else 0,
        "root": newest.root.hex() if newest else "",
        "at": newest.at if newest else None,
        "checkpoint": newest.note if newest else "",
        "gatheredEntries": gathered.size if gathered else 0,
    }


def _verification(item: Verification) -> dict[str, Any]:
    return {
        "at": item.at,
        "by": item.actor,
        "ok": item.ok,
        "entries": item.entries,
        "waiting": item.pending,
        "head": item.head,
        "milliseconds": round(item.seconds * 1000),
        "firstBadEntry": item.bad_seq,
        "flaw": item.flaw,
        "message": item.message,
        "signedEntries": item.details.get("signed", 0),
        "checkpoints": item.details.get("checkpoints", 0),
        "prunedEntries": item.details.get("pruned", 0),
        "anchors": item.details.get("anchors", []),
    }
