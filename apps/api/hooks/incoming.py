"""`/api/v1/hooks`: sources, and the address to which others send their messages."""

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse

from apps.api import answers
from apps.api.auth.given import Body
from apps.api.call import Call
from apps.api.contract import ANYTHING, TEXT, array, describe, shape
from apps.api.door import NONE, Door
from apps.api.hooks import wire
from apps.api.hooks.outgoing import DONE, ROTATE
from apps.core.scope import TenantRef
from apps.events.webhooks import queries, receiving, rights, sources

OPTIONS = {
    "header": "header",
    "prefix": "prefix",
    "encoding": "encoding",
    "digest": "digest",
    "timestampHeader": "timestamp_header",
    "idHeader": "id_header",
}
CREATE = Body(
    required={"name": str, "scheme": str},
    optional={"description": str, "secret": str, **dict.fromkeys(OPTIONS, str)},
)
REPLACE = Body(optional={"secret": str, **ROTATE.optional})


class SourcesDoor(Door):
    """`GET` and `POST /hooks/sources`."""

    secret_answers: ClassVar[bool] = True
    body_limit: ClassVar[int] = 32 * 1024

    @describe("Who may send messages in", answer=shape(sources=array(wire.SOURCE)), tag="webhooks")
    def get(self, call: Call) -> HttpResponse:
        rights.require(call.actor, "webhook_source.listed")
        return answers.send({"sources": [wire.source(row) for row in queries.sources()]})

    @describe(
        "Open an address for one sender; without `secret` one is made and shown this once",
        body=CREATE.schema,
        status=201,
        answer=wire.with_secret(wire.SOURCE),
        errors=[409],
        tag="webhooks",
    )
    def post(self, call: Call) -> HttpResponse:
        given: dict[str, Any] = CREATE.read(call)
        options = {OPTIONS[key]: given.pop(key) for key in OPTIONS if key in given}
        row, secret = sources.create(**given, options=options, by=call.actor)
        return answers.send(wire.source(row) | {"secret": secret}, status=201)


class SourceDoor(Door):
    """`GET` and `DELETE /hooks/sources/:id`."""

    @describe(
        "One sender with the last messages",
        answer=shape(source=wire.SOURCE, messages=array(wire.RECEIPT)),
        errors=[404],
        tag="webhooks",
    )
    def get(self, call: Call, source_id: UUID) -> HttpResponse:
        rights.require(call.actor, "webhook_source.listed")
        row = queries.source(source_id)
        messages = [wire.receipt(each) for each in queries.receipts(row.id)]
        return answers.send({"source": wire.source(row), "messages": messages})

    @describe("Close the address for good", answer=DONE, errors=[404], tag="webhooks")
    def delete(self, call: Call, source_id: UUID) -> HttpResponse:
        sources.delete(source_id=source_id, by=call.actor)
        return answers.send({"success": True, "id": str(source_id)})


class SourcePauseDoor(Door):
    """`POST /hooks/sources/:id/pause`."""

    @describe("Refuse all messages", answer=DONE, errors=[404, 409], tag="webhooks")
    def post(self, call: Call, source_id: UUID) -> HttpResponse:
        sources.switch(source_id=source_id, on=False, by=call.actor)
        return answers.send({"success": True, "id": str(source_id)})


class SourceResumeDoor(Door):
    """`POST /hooks/sources/:id/resume`."""

    @describe("Take messages again", answer=DONE, errors=[404, 409], tag="webhooks")
    def post(self, call: Call, source_id: UUID) -> HttpResponse:
        sources.switch(source_id=source_id, on=True, by=call.actor)
        return answers.send({"success": True, "id": str(source_id)})


class SourceRotateDoor(Door):
    """`POST /hooks/sources/:id/rotate`."""

    secret_answers: ClassVar[bool] = True

    @describe(
        "Put another secret in place (made here when none is given); the old one counts for `graceHours` (24)",
        body=REPLACE.schema,
        body_required=False,
        answer=shape(id=TEXT, secret=wire.SECRET),
        errors=[404],
        tag="webhooks",
    )
    def post(self, call: Call, source_id: UUID) -> HttpResponse:
        given = REPLACE.read(call)
        hours, secret = given.get("graceHours", 24), given.get("secret", "")
        made = sources.rotate(source_id=source_id, by=call.actor, secret=secret, grace_hours=hours)
        return answers.send({"id": str(source_id), "secret": made})


class IncomingDoor(Door):
    """`POST /hooks/in/:name`: for senders, who prove themselves by the signature and nothing else."""

    public: ClassVar[bool] = True
    opens: ClassVar[frozenset[str]] = NONE
    replays: ClassVar[bool] = False
    body_limit: ClassVar[int] = receiving.MOST_BYTES

    @describe(
        "Take a signed message; a repeated one is answered alike and has no second effect",
        body=ANYTHING,
        status=202,
        answers={200: shape(challenge=TEXT)},
        answer=shape(success={"const": True}, event=TEXT, repeated={"type": "boolean"}),
        errors=[404, 413],
        tag="webhooks",
        media=("application/json", "text/plain", "application/x-www-form-urlencoded"),
    )
    def post(self, call: Call, name: str) -> HttpResponse:
        tenant = call.tenant
        assert isinstance(tenant, TenantRef)
        got = receiving.receive(tenant, name, headers=call.request.headers, body=call.raw)
        if got.challenge is not None:
            return answers.send({"challenge": got.challenge})
        told = {"success": True, "event": str(got.event_id), "repeated": got.repeated}
        return answers.send(told, status=202)
