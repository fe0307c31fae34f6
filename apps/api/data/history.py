"""`GET /data/:object/:id/history`: who changed which field from what to what, as far as the caller may read."""

from typing import Any

from django.http import HttpResponse

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import TEXT, Parameter, array, describe, shape
from apps.api.data.access import served_object
from apps.api.data.versions import CHANGE, change_wire
from apps.api.door import Door
from apps.audit import queries as ledger
from apps.audit.types import LedgerEntry
from apps.core.canonical import instant
from apps.core.errors import Invalid
from apps.objects import query
from apps.permissions.access import access_for

EVENT = shape(
    id=TEXT,
    at={"type": "string", "format": "date-time"},
    action=TEXT,
    actor=shape(kind=TEXT, id=TEXT, label=TEXT),
    requestId={"type": ["string", "null"]},
    changes=array(CHANGE),
)


class HistoryDoor(Door):
    """Newest first. Fields that the caller may not read are left out of every entry."""

    @describe(
        "The history of a record",
        answer=shape(object=TEXT, id=TEXT, events=array(EVENT), nextCursor={"type": ["string", "null"]}),
        parameters=[
            Parameter(
                "limit", "Entries on a page.", {"type": "integer", "minimum": 1, "maximum": ledger.MOST}
            ),
            Parameter("cursor", "`nextCursor` of the page before."),
        ],
        tag="data",
    )
    def get(self, call: Call, name: str, record_id: str) -> HttpResponse:
        obj = served_object(call, name, "get")
        found = query.get(name, record_id, by=call.actor, select_fields=["id"])
        limit = call.params.get("limit", "50")
        if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit[:9]) <= ledger.MOST:
            raise Invalid(f"limit is a number from 1 to {ledger.MOST}.", code="INVALID_QUERY")
        page = ledger.browse(
            ledger.Filters(target=f"{obj.name}:{found.id}"),
            cursor=call.params.get("cursor"),
            limit=int(limit),
        )
        readable = access_for(call.actor).clear(obj)
        events = [_wire(entry, readable) for entry in page.entries]
        return answers.send({"object": obj.name, "id": found.id, "events": events, "nextCursor": page.next})


def _wire(entry: LedgerEntry, readable: frozenset[str]) -> dict[str, Any]:
    return {
        "id": str(entry.id),
        "at": instant(entry.at),
        "action": entry.action,
        "actor": {"kind": entry.actor.kind, "id": entry.actor.id, "label": entry.actor.label},
        "requestId": entry.request_id,
        "changes": [change_wire(change) for change in entry.changes if change.field in readable],
    }
