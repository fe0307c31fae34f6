"""Sharing records by hand: who may change a record may share it, and never further than they may go themselves."""

import datetime as dt
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from apps.core.actor import Actor
from apps.core.scope import TenantRef
from apps.objects.records.call import Call, opened
from apps.objects.records.change import found
from apps.permissions import sharing
from apps.permissions.models import Level, Share


def share(
    name: str,
    record_id: UUID | str,
    *,
    principal: str,
    level: Level,
    by: Actor,
    reason: str = "",
    valid_from: dt.datetime | None = None,
    valid_until: dt.datetime | None = None,
    tenant: TenantRef | None = None,
) -> Share:
    """Share a record with a principal; raises RECORD_NOT_FOUND (404) and PERMISSION_DENIED (403)."""
    with opened(name, by=by, tenant=tenant) as call:
        identity = _held(call, record_id, level)
        return sharing.share(
            object_name=call.obj.name,
            record_id=identity,
            principal=principal,
            level=level,
            by=by,
            reason=reason,
            valid_from=valid_from,
            valid_until=valid_until,
        )


def unshare(
    name: str, record_id: UUID | str, share_id: UUID, *, by: Actor, tenant: TenantRef | None = None
) -> None:
    """Take a share back: whoever could have made one may."""
    with opened(name, by=by, tenant=tenant) as call:
        identity = _held(call, record_id, Level.READ)
        sharing.unshare(object_name=call.obj.name, record_id=identity, share_id=share_id, by=by)


def shares(
    name: str, record_id: UUID | str, *, by: Actor, tenant: TenantRef | None = None
) -> Sequence[Share]:
    """Return the shares of a record to whoever may read it."""
    with opened(name, by=by, tenant=tenant) as call:
        call.require("read", record_id)
        identity = call.id_of(record_id)
        found(call, identity, "read")
        return sharing.shares_of(call.obj.name, identity)


def _held(call: Call, record_id: Any, level: Level) -> UUID:
    """Return the record's id when the actor may go as far as the share would."""
    call.require("edit", record_id)
    identity = call.id_of(record_id)
    row = found(call, identity, "edit")
    if level >= Level.FULL and not (
        call.access.can("delete", call.obj) and call.access.holds("delete", call.obj, row)
    ):
        call.deny(
            "share", f"The actor may not delete this record of {call.obj.name}, nor let others.", identity
        )
    return identity
