"""What a tenant's archive carries of its ledger besides the entries: keys, erasures, holds, and what retention removed.

Keys travel unwrapped, as the archive holds the tenant's data in clear anyway, and are wrapped anew where they arrive.
Of entries that are gone the hashes travel, so that the rest can be signed and verified there as here.
"""

import base64
import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from apps.audit.merkle import checkpoints, tiles
from apps.audit.models import Erasure, Hold, Retention, SubjectKey, Tree
from apps.audit.sealing import keys

HOLD = ("subject", "reason", "placed_by", "placed_at", "released_by", "released_at")
ERASURE = ("subject", "reason", "keys", "erased_by", "erased_at")


def export(tenant_id: UUID) -> list[dict[str, Any]]:
    """Return rows of plain values; in the platform's scope."""
    rows: list[dict[str, Any]] = []
    for found in SubjectKey.objects.filter(tenant_id=tenant_id).order_by("id"):
        raw = keys.unwrap(found.pk, tenant_id, found.subject, bytes(found.wrapped))
        if raw is not None:
            rows.append(
                {
                    "kind": "key",
                    "id": str(found.pk),
                    "subject": found.subject,
                    "key": base64.b64encode(raw).decode(),
                }
            )
    for kind, model, names in (("erasure", Erasure, ERASURE), ("hold", Hold, HOLD)):
        found_rows = model.objects.filter(tenant_id=tenant_id).order_by("id").values(*names)
        rows += [{"kind": kind} | {name: _plain(value) for name, value in row.items()} for row in found_rows]
    policy = Retention.objects.filter(tenant_id=tenant_id).first()
    if policy is not None:
        leaves = tiles.leaf_hashes(tenant_id, 0, policy.pruned_seq)
        rows.append(
            {
                "kind": "retention",
                "days": policy.days,
                "pruned": policy.pruned_seq,
                "hash": bytes(policy.pruned_hash).hex(),
                "leaves": base64.b64encode(b"".join(leaves)).decode(),
            }
        )
    return rows


def restore(tenant_id: UUID, rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Write the rows of an archive; in the platform's scope, before the entries are verified. Changes no ids."""
    for row in rows:
        values = dict(row)
        kind = values.pop("kind")
        if kind == "key":
            key_id, raw = UUID(values["id"]), base64.b64decode(values["key"])
            SubjectKey.objects.create(
                id=key_id,
                tenant_id=tenant_id,
                subject=values["subject"],
                wrapped=keys.wrap(key_id, tenant_id, values["subject"], raw),
            )
        elif kind == "erasure":
            Erasure.objects.create(tenant_id=tenant_id, **_read(values))
        elif kind == "hold":
            Hold.objects.create(tenant_id=tenant_id, **_read(values))
        elif kind == "retention":
            _retention(tenant_id, values)
    return {}


def _retention(tenant_id: UUID, values: Mapping[str, Any]) -> None:
    pruned, digest = int(values["pruned"]), bytes.fromhex(values["hash"])
    Retention.objects.create(tenant_id=tenant_id, days=values["days"], pruned_seq=pruned, pruned_hash=digest)
    if not pruned:
        return
    blob = base64.b64decode(values["leaves"])
    Tree.objects.filter(tenant_id=tenant_id).delete()
    tiles.append(tenant_id, 0, [blob[at : at + 32] for at in range(0, len(blob), 32)])
    Tree.objects.create(
        tenant_id=tenant_id,
        origin=checkpoints.origin_of(tenant_id),
        size=pruned,
        root=tiles.roots(tenant_id, [(0, pruned)])[0],
        link=digest,
    )


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.datetime) else value


def _read(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: dt.datetime.fromisoformat(value) if name.endswith("_at") and value else value
        for name, value in values.items()
    }
