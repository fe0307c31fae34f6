"""`/data/:object/:id/shares`: who else a record is shared with."""

from typing import Any

from django.http import HttpResponse

from apps.api import answers
from apps.api.access.reading import (
    LEVEL,
    NULLABLE,
    RECIPIENT,
    WINDOW,
    WINDOW_KINDS,
    identity,
    level,
    moment,
    moments,
    named,
    read,
    recipient,
    window,
    word,
)
from apps.api.call import Call
from apps.api.contract import TEXT, array, describe, shape
from apps.api.door import Door
from apps.core.scope import current_tenant
from apps.objects.records import sharing
from apps.permissions.models import Share

SHARE = shape(
    id=TEXT,
    organization_id=TEXT,
    object_name=TEXT,
    record_id=TEXT,
    recipient_type=TEXT,
    recipient_id=NULLABLE,
    access_level=LEVEL,
    source=TEXT,
    source_id=NULLABLE,
    granted_by=NULLABLE,
    reason=NULLABLE,
    valid_from=NULLABLE,
    valid_until=NULLABLE,
    created_at=TEXT,
    updated_at=TEXT,
)
KINDS = {"recipientType": str, "recipientId": str, "accessLevel": str, "reason": str, **WINDOW_KINDS}


class SharesDoor(Door):
    """`GET` for whoever may read the record, `POST` for whoever may change it."""

    @describe("Who a record is shared with", answer=shape(data=array(SHARE)), errors=(404,), tag="security")
    def get(self, call: Call, name: str, record_id: str) -> HttpResponse:
        found = sharing.shares(name, record_id, by=call.actor)
        return answers.send({"data": [wire(row) for row in found]})

    @describe(
        "Share a record, or change how it is shared",
        answer=SHARE,
        status=201,
        body=shape(
            recipientType=RECIPIENT,
            recipientId=TEXT,
            accessLevel=LEVEL,
            reason=TEXT,
            **WINDOW,
            required=["recipientType"],
        ),
        errors=(404,),
        tag="security",
    )
    def post(self, call: Call, name: str, record_id: str) -> HttpResponse:
        given = read(call, KINDS, "recipientType")
        made = sharing.share(
            name,
            record_id,
            principal=recipient(given),
            level=level(given),
            reason=given.get("reason", ""),
            by=call.actor,
            **window(given),
        )
        return answers.send(wire(made), status=201)


class ShareDoor(Door):
    """`DELETE` for whoever may change the record."""

    @describe("Take a share back", answer=None, status=204, errors=(404,), tag="security")
    def delete(self, call: Call, name: str, record_id: str, share_id: str) -> HttpResponse:
        sharing.unshare(name, record_id, identity(share_id, "share"), by=call.actor)
        return HttpResponse(status=204)


def wire(row: Share) -> dict[str, Any]:
    """Return a share as the protocol shows it."""
    return {
        "id": str(row.id),
        "organization_id": str(current_tenant().id),
        "object_name": row.object_name,
        "record_id": str(row.record_id),
        **named(row.principal),
        "access_level": word(row.level),
        "source": "manual",
        "source_id": None,
        "granted_by": row.granted_by or None,
        "reason": row.reason or None,
        **moments(row),
        "created_at": moment(row.created_at),
        "updated_at": moment(row.updated_at),
    }
