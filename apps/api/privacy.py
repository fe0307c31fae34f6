"""`/privacy/…` and `/ledger/export`: erasures, legal holds, retention, and the ledger as other systems read it."""

from typing import Any, ClassVar

from django.http import HttpResponse

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import TEXT, Parameter, Schema, array, describe, shape
from apps.api.door import NONE, Door
from apps.audit import ledger
from apps.audit.models import Erasure, Hold, Retention
from apps.audit.siem import formats, forward
from apps.core.canonical import instant
from apps.core.errors import FieldError, Invalid
from apps.core.scope import tenant_scope
from apps.objects import privacy
from apps.permissions.access import access_for

MOST = 1_000
MOMENT: Schema = {"type": "string", "format": "date-time"}
DAYS: Schema = {"type": ["integer", "null"], "minimum": 30, "maximum": 36_500}
ERASURE = shape(id=TEXT, subject=TEXT, reason=TEXT, keys={"type": "integer"}, by=TEXT, at=MOMENT)
HOLD = shape(
    id=TEXT,
    subject=TEXT,
    reason=TEXT,
    placedBy=TEXT,
    placedAt=MOMENT,
    releasedBy={"type": ["string", "null"]},
    releasedAt={"type": ["string", "null"]},
)
RETENTION = shape(days=DAYS, removedUntil={"type": "integer"}, removedAt={"type": ["string", "null"]})


class PrivacyDoor(Door):
    """Reading wants `view_audit` or `manage_privacy`; the services ask for `manage_privacy` themselves."""

    def allow_reading(self, call: Call) -> None:
        """Refuse whoever may neither read the ledger nor manage privacy."""
        access = access_for(call.actor)
        if not access.has_system(privacy.PERMISSION):
            access.require_system("view_audit")


class ErasuresDoor(PrivacyDoor):
    """`GET` and `POST /privacy/erasures`."""

    @describe("What was erased", answer=shape(erasures=array(ERASURE)), tag="privacy")
    def get(self, call: Call) -> HttpResponse:
        self.allow_reading(call)
        return answers.send({"erasures": [_erasure(row) for row in privacy.erasures()]})

    @describe(
        "Erase a person who left, or a record, for good",
        answer=ERASURE,
        status=201,
        body=shape(subject=TEXT, reason=TEXT),
        errors=(404, 409),
        tag="privacy",
    )
    def post(self, call: Call) -> HttpResponse:
        body = _texts(call, "subject", "reason")
        row = privacy.erase(body["subject"], by=call.actor, reason=body["reason"])
        row.refresh_from_db(fields=["erased_at"])
        return answers.send(_erasure(row), status=201)


class HoldsDoor(PrivacyDoor):
    """`GET` and `POST /privacy/holds`."""

    @describe("Legal holds, those that stand first", answer=shape(holds=array(HOLD)), tag="privacy")
    def get(self, call: Call) -> HttpResponse:
        self.allow_reading(call)
        return answers.send({"holds": [_hold(row) for row in privacy.every_hold()]})

    @describe(
        "Place a legal hold; an empty subject holds the whole ledger",
        answer=HOLD,
        status=201,
        body=shape(subject=TEXT, reason=TEXT, required=["reason"]),
        tag="privacy",
    )
    def post(self, call: Call) -> HttpResponse:
        body = _texts(call, "reason", optional=("subject",))
        row = privacy.place_hold(subject=body.get("subject", ""), reason=body["reason"], by=call.actor)
        row.refresh_from_db(fields=["placed_at"])
        return answers.send(_hold(row), status=201)


class ReleaseHoldDoor(PrivacyDoor):
    """`POST /privacy/holds/:id/release`."""

    @describe("Release a legal hold", answer=HOLD, body=shape(reason=TEXT), errors=(404,), tag="privacy")
    def post(self, call: Call, hold_id: Any) -> HttpResponse:
        body = _texts(call, "reason")
        return answers.send(_hold(privacy.release_hold(hold_id, reason=body["reason"], by=call.actor)))


class RetentionDoor(PrivacyDoor):
    """`GET` and `PUT /privacy/retention`."""

    @describe("How long the ledger keeps its entries", answer=RETENTION, tag="privacy")
    def get(self, call: Call) -> HttpResponse:
        self.allow_reading(call)
        return answers.send(_retention(privacy.policy()))

    @describe(
        "Keep entries for so many days; null for ever", answer=RETENTION, body=shape(days=DAYS), tag="privacy"
    )
    def put(self, call: Call) -> HttpResponse:
        body = call.mapping()
        days = body.get("days")
        wrong = not (days is None or (isinstance(days, int) and not isinstance(days, bool)))
        if set(body) != {"days"} or wrong:
            raise Invalid("The body is `{days: number or null}`.")
        return answers.send(_retention(privacy.set_retention(days, by=call.actor)))


class LedgerExportDoor(Door):
    """`GET /ledger/export`: chained entries after a number, a line each, oldest first."""

    opens: ClassVar[frozenset[str]] = NONE

    @describe(
        "The ledger as other systems read it",
        answer=None,
        parameters=[
            Parameter(
                "format", "`json`, `cef` or `rfc5424`.", {"type": "string", "enum": sorted(formats.FORMATS)}
            ),
            Parameter(
                "after", "The number of the last entry that is known.", {"type": "integer", "minimum": 0}
            ),
            Parameter("limit", "Lines at most.", {"type": "integer", "minimum": 1, "maximum": MOST}),
            Parameter("personal", "`true`: with names and addresses.", {"type": "boolean"}),
        ],
        media=("application/x-ndjson", "text/plain"),
        tag="ledger",
    )
    def get(self, call: Call) -> HttpResponse:
        form = call.params.get("format", "json")
        if form not in formats.FORMATS:
            raise Invalid(f"format is one of {', '.join(formats.FORMATS)}.", code="INVALID_QUERY")
        after, limit = _number(call, "after", 0), _number(call, "limit", MOST)
        if not 1 <= limit <= MOST:
            raise Invalid(f"limit is a number from 1 to {MOST}.", code="INVALID_QUERY")
        personal = call.params.get("personal") == "true"
        assert call.tenant is not None
        with tenant_scope(call.tenant):
            access_for(call.actor).require_system("view_audit")
            items = forward.read(call.tenant, after, limit, personal=personal)
            if items:
                details = {"format": form, "from": items[0].seq, "until": items[-1].seq, "personal": personal}
                ledger.record("ledger.exported", by=call.actor, details=details)
        write = formats.FORMATS[form]
        lines = [write(item) if form != "rfc5424" else _syslog(call, item) for item in items]
        kind = "application/x-ndjson" if form == "json" else "text/plain; charset=utf-8"
        response = HttpResponse("".join(f"{line}\n" for line in lines), content_type=kind)
        response.headers["X-Next-After"] = str(items[-1].seq if items else after)
        return response


def _syslog(call: Call, item: formats.Copied) -> str:
    return formats.framed(item, "rfc5424", call.request.get_host()).decode().replace("\n", " ")


def _number(call: Call, key: str, default: int) -> int:
    text = call.params.get(key)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Invalid(f"{key} is a number.", code="INVALID_QUERY")
    return int(text)


def _texts(call: Call, *needed: str, optional: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the body's texts; anything missing, unknown or not a text is named."""
    body = call.mapping()
    faults = [FieldError(name, "required", "This is needed.") for name in needed if name not in body]
    for name, value in body.items():
        if name not in (*needed, *optional):
            faults.append(FieldError(name, "unknown_field", "There is no such key."))
        elif not isinstance(value, str) or "\x00" in value or len(value) > MOST:
            faults.append(FieldError(name, "invalid_type", "This is a text of at most 1000 characters."))
    if faults:
        raise Invalid("; ".join(f"{item.field}: {item.message}" for item in faults), faults)
    return body


def _erasure(row: Erasure) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "subject": row.subject,
        "reason": row.reason,
        "keys": row.keys,
        "by": row.erased_by,
        "at": instant(row.erased_at),
    }


def _hold(row: Hold) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "subject": row.subject,
        "reason": row.reason,
        "placedBy": row.placed_by,
        "placedAt": instant(row.placed_at),
        "releasedBy": row.released_by or None,
        "releasedAt": instant(row.released_at) if row.released_at else None,
    }


def _retention(row: Retention) -> dict[str, Any]:
    at = row.pruned_at
    return {"days": row.days, "removedUntil": row.pruned_seq, "removedAt": instant(at) if at else None}
