"""`/ledger/…`: keys, signed checkpoints, proofs, evidence, and the tenant's own anchor."""

import base64
import datetime as dt
from typing import Any, ClassVar
from uuid import UUID

from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import TEXT, Parameter, Schema, array, describe, shape
from apps.api.door import NONE, Door
from apps.api.integrity import allow_ledger, ledger_scope
from apps.audit import queries
from apps.audit.anchors import customer
from apps.audit.evidence.choose import Selection, selection
from apps.audit.evidence.gather import gather
from apps.audit.evidence.write import as_json, as_zip
from apps.audit.merkle import checkpoints, note, tiles, tree
from apps.audit.merkle.checkpoints import Signed
from apps.audit.models import AnchorState
from apps.core import signing
from apps.core.canonical import instant
from apps.core.errors import Conflict, Invalid, NotFound
from apps.permissions.access import access_for

MOST = 200
SIZE: Schema = {"type": "integer", "minimum": 1}
HASHES = array({"type": "string", "contentEncoding": "base64"})
MOMENT: Schema = {"type": "string", "format": "date-time"}
CHECKPOINT = shape(
    ledger=TEXT,
    origin=TEXT,
    size=SIZE,
    root=TEXT,
    at=MOMENT,
    note=TEXT,
    position={"type": ["integer", "null"]},
)
KEY = shape(verifierKey=TEXT, publicKey=TEXT, fingerprint=TEXT, current={"type": "boolean"})
INCLUSION = shape(seq=SIZE, leafHash=TEXT, proof=HASHES, checkpoint=CHECKPOINT)
CONSISTENCY = shape(proof=HASHES, old={"oneOf": [CHECKPOINT, {"type": "null"}]}, new=CHECKPOINT)
ANCHOR = shape(
    url=TEXT,
    told={"type": "integer"},
    toldAt={"type": ["string", "null"]},
    failures={"type": "integer"},
    error={"type": ["string", "null"]},
)


class LedgerDoor(Door):
    """A tenant's own ledger for who may view it; without a tenant the platform's, for superusers."""

    needs_tenant: ClassVar[bool] = False
    opens: ClassVar[frozenset[str]] = NONE


class KeysDoor(LedgerDoor):
    """The public keys. Pin them on another way than this one; here they are for comparing."""

    @describe(
        "The keys that checkpoints of this ledger are signed by", answer=shape(keys=array(KEY)), tag="ledger"
    )
    def get(self, call: Call) -> HttpResponse:
        with ledger_scope(call):
            allow_ledger(call)
            found = tree.state(tree.here())
            origin = found.origin if found else checkpoints.origin_of(tree.here())
        keys = [
            {
                "verifierKey": note.verifier_key(origin, key),
                "publicKey": key.hex(),
                "fingerprint": signing.fingerprint(key),
                "current": number == 0,
            }
            for number, key in enumerate(note.keys())
        ]
        return answers.send({"keys": keys})


class CheckpointDoor(LedgerDoor):
    """The newest checkpoint, or the one over `size` entries."""

    @describe(
        "A signed checkpoint",
        answer=CHECKPOINT,
        parameters=[
            Parameter("size", "Over exactly so many entries; without it the newest.", SIZE),
            Parameter(
                "format", "`note` answers the signed note itself.", {"type": "string", "enum": ["note"]}
            ),
        ],
        media=("application/json", "text/plain"),
        errors=(404, 409),
        tag="ledger",
    )
    def get(self, call: Call) -> HttpResponse:
        size = _number(call, "size")
        with ledger_scope(call):
            allow_ledger(call)
            found = _checkpoint(size)
        if call.params.get("format") == "note":
            return HttpResponse(found.note, content_type="text/plain; charset=utf-8")
        return answers.send(_wire(found))


class CheckpointsDoor(LedgerDoor):
    """Checkpoints, newest first."""

    @describe(
        "Signed checkpoints, newest first",
        answer=shape(checkpoints=array(CHECKPOINT), nextBefore={"type": ["integer", "null"]}),
        parameters=[
            Parameter("before", "Only those over fewer entries: `nextBefore` of the page before.", SIZE),
            Parameter("limit", "Checkpoints on a page.", {**SIZE, "maximum": MOST}),
        ],
        tag="ledger",
    )
    def get(self, call: Call) -> HttpResponse:
        before, limit = _number(call, "before"), min(_number(call, "limit") or 50, MOST)
        with ledger_scope(call):
            allow_ledger(call)
            found = checkpoints.browse(tree.here(), before, limit)
        after = found[-1].size if len(found) == limit else None
        return answers.send({"checkpoints": [_wire(item) for item in found], "nextBefore": after})


class InclusionDoor(LedgerDoor):
    """The proof that an entry is under a signed root."""

    @describe(
        "Proof that an entry is in the ledger that was signed",
        answer=INCLUSION,
        parameters=[
            Parameter("entry", "The id of the entry."),
            Parameter("seq", "Or its number.", SIZE),
            Parameter("size", "Under the checkpoint over so many entries; without it the newest.", SIZE),
        ],
        errors=(404, 409),
        tag="ledger",
    )
    def get(self, call: Call) -> HttpResponse:
        size = _number(call, "size")
        with ledger_scope(call):
            allow_ledger(call)
            seq, key = _seq(call), tree.here()
            found = _checkpoint(size)
            if seq > found.size:
                raise _not_signed(f"Entry {seq} is not covered by this checkpoint yet.")
            try:
                proof = tree.inclusion(key, seq, found.size)
                leaf = tree.leaf_hashes(key, seq - 1, seq)[0]
            except tiles.TilesDamaged as error:
                raise Conflict(str(error), code="PROOFS_DAMAGED") from None
        told = {"seq": seq, "leafHash": _b64(leaf), "proof": _hashes(proof), "checkpoint": _wire(found)}
        return answers.send(told)


class ConsistencyDoor(LedgerDoor):
    """The proof that nothing was rewritten between two checkpoints; `old` is null when only the caller keeps it."""

    @describe(
        "Proof that a later checkpoint continues an earlier one",
        answer=CONSISTENCY,
        parameters=[
            Parameter("from", "Entries under the earlier checkpoint.", SIZE, required=True),
            Parameter("to", "Entries under the later one; without it the newest.", SIZE),
        ],
        errors=(404, 409),
        tag="ledger",
    )
    def get(self, call: Call) -> HttpResponse:
        old_size, new_size = _number(call, "from"), _number(call, "to")
        if old_size is None:
            raise Invalid("Say from which checkpoint: from=<entries>.", code="INVALID_QUERY")
        with ledger_scope(call):
            allow_ledger(call)
            old, new = checkpoints.of_size(tree.here(), old_size), _checkpoint(new_size)
            if old_size > new.size:
                raise Invalid("The earlier checkpoint is the one over fewer entries.", code="INVALID_QUERY")
            try:
                proof = tree.consistency(tree.here(), old_size, new.size)
            except tiles.TilesDamaged as error:
                raise Conflict(str(error), code="PROOFS_DAMAGED") from None
        told = {"proof": _hashes(proof), "old": _wire(old) if old else None, "new": _wire(new)}
        return answers.send(told)


class EvidenceDoor(LedgerDoor):
    """Entries with all that an outsider needs to check them; taking evidence leaves an entry itself."""

    @describe(
        "Evidence about a record, a person, a period or the whole ledger",
        answer={},
        parameters=[
            Parameter(
                "kind", "What it is about.", {"type": "string", "enum": ["record", "person", "period", "ledger"]},
                required=True,
            ),
            Parameter("target", "Of a record: `crm_lead:<id>`."),
            Parameter("person", "Of a person: the id of the user."),
            Parameter("since", "Of a period: from this time on.", MOMENT),
            Parameter("until", "Of a period: before this time.", MOMENT),
            Parameter("from", "Sizes of checkpoints you keep, separated by commas: proofs from them come along."),
            Parameter("format", "zip by default.", {"type": "string", "enum": ["zip", "json"]}),
        ],
        media=("application/zip", "application/json"),
        errors=(409,),
        tag="ledger",
    )  # fmt: skip
    def get(self, call: Call) -> HttpResponseBase:
        chosen = _selection(call)
        written_as = call.params.get("format", "zip")
        if written_as not in ("zip", "json"):
            raise Invalid("format is zip or json.", code="INVALID_QUERY")
        with ledger_scope(call):
            allow_ledger(call)
        evidence = gather(tenant=call.tenant, chosen=chosen, by=call.actor, since_sizes=_sizes(call))
        stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S")
        name = f"evidence-{chosen.kind}-{stamp}.{written_as}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        if written_as == "json":
            return StreamingHttpResponse(as_json(evidence), content_type="application/json", headers=headers)
        return FileResponse(as_zip(evidence), content_type="application/zip", headers=headers)


class AnchorDoor(Door):
    """The tenant's own anchor: an address that is told every checkpoint."""

    @describe("The address that is told every checkpoint", answer=ANCHOR, errors=(404,), tag="ledger")
    def get(self, call: Call) -> HttpResponse:
        allow_ledger(call)
        found = customer.place()
        if found is None:
            raise NotFound("This ledger has no anchor of its own.", code="RESOURCE_NOT_FOUND")
        return answers.send(_anchor(found))

    @describe(
        "Tell an address every checkpoint from now on",
        answer=ANCHOR,
        body=shape(url=TEXT),
        errors=(422,),
        tag="ledger",
    )
    def put(self, call: Call) -> HttpResponse:
        access_for(call.actor).require_system("manage_settings")
        given = call.mapping()
        if set(given) != {"url"} or not isinstance(given["url"], str):
            raise Invalid('The body is {"url": "https://…"}.', code="INVALID_REQUEST")
        return answers.send(_anchor(customer.set_place(url=given["url"], by=call.actor)))

    @describe(
        "Tell that address nothing any more",
        answer=shape(success={"const": True}),
        errors=(404,),
        tag="ledger",
    )
    def delete(self, call: Call) -> HttpResponse:
        access_for(call.actor).require_system("manage_settings")
        customer.remove_place(by=call.actor)
        return answers.send({"success": True})


def _checkpoint(size: int | None) -> Signed:
    key = tree.here()
    found = checkpoints.latest(key) if size is None else checkpoints.of_size(key, size)
    if found is None and size is None:
        raise _not_signed("Nothing of this ledger is signed yet.")
    if found is None:
        raise NotFound(f"No checkpoint covers exactly {size} entries.", code="RESOURCE_NOT_FOUND")
    return found


def _not_signed(message: str) -> Conflict:
    return Conflict(message, code="NOT_SIGNED", cure="The next checkpoint follows within seconds.")


def _seq(call: Call) -> int:
    given, number = call.params.get("entry"), _number(call, "seq")
    if given is None and number is not None:
        return number
    try:
        found = queries.entry(UUID(given or ""))
    except ValueError:
        raise Invalid("Name the entry: entry=<id> or seq=<number>.", code="INVALID_QUERY") from None
    if found is None:
        raise NotFound("There is no such entry.", code="RESOURCE_NOT_FOUND")
    if found.seq is None:
        raise _not_signed("The entry waits to be chained.")
    return found.seq


def _selection(call: Call) -> Selection:
    return selection(
        call.params.get("kind", ""),
        target=call.params.get("target", ""),
        person=call.params.get("person", ""),
        since=_moment(call, "since"),
        until=_moment(call, "until"),
    )


def _moment(call: Call, name: str) -> dt.datetime | None:
    text = call.params.get(name)
    if not text:
        return None
    try:
        value = dt.datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{name} is a time like 2026-01-31T00:00:00Z.", code="INVALID_QUERY") from None
    return value if value.tzinfo else value.replace(tzinfo=dt.UTC)


def _sizes(call: Call) -> list[int]:
    texts = [text.strip() for text in call.params.get("from", "").split(",") if text.strip()]
    if len(texts) > MOST or not all(text.isascii() and text.isdigit() and len(text) < 19 for text in texts):
        raise Invalid("from holds sizes of checkpoints, separated by commas.", code="INVALID_QUERY")
    return [int(text) for text in texts]


def _number(call: Call, name: str) -> int | None:
    text = call.params.get(name)
    if text is None or text == "":
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18 or int(text) < 1:
        raise Invalid(f"{name} is a number from 1.", code="INVALID_QUERY")
    return int(text)


def _wire(item: Signed) -> dict[str, Any]:
    return {
        "ledger": str(item.ledger),
        "origin": note.unchecked(item.note).origin,
        "size": item.size,
        "root": _b64(item.root),
        "at": instant(item.at),
        "note": item.note,
        "position": item.position,
    }


def _anchor(state: AnchorState) -> dict[str, Any]:
    return {
        "url": state.address,
        "told": state.position,
        "toldAt": instant(state.pushed_at) if state.pushed_at else None,
        "failures": state.failures,
        "error": state.error or None,
    }


def _hashes(values: list[bytes]) -> list[str]:
    return [_b64(value) for value in values]


def _b64(value: bytes) -> str:
    return base64.b64encode(value).decode()
