"""`/api/v1/webhooks`: endpoints, what is sent to them, and sending it again."""

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse

from apps.api import answers
from apps.api.auth.given import Body
from apps.api.call import Call
from apps.api.contract import TEXT, Parameter, array, describe, shape
from apps.api.door import Door
from apps.api.hooks import wire
from apps.core.errors import Invalid
from apps.events.models import DeliveryState
from apps.events.webhooks import deliveries, endpoints, queries, rights

FIELDS = {"description": str, "types": list, "shape": str, "withRecord": bool}
CREATE = Body(required={"url": str, "types": list}, optional={**FIELDS})
CHANGE = Body(optional={"url": str, **FIELDS})
ROTATE = Body(optional={"graceHours": int})
MISSED = Body(optional={"days": int})
NAMES = {"withRecord": "with_record"}
DONE = shape(success={"const": True}, id=TEXT)
PAGE = [
    Parameter("status", "Only in this state.", {"type": "string", "enum": list(DeliveryState.values)}),
    Parameter("cursor", "`nextCursor` of the page before."),
    Parameter("limit", "Deliveries on a page.", {"type": "integer", "minimum": 1, "maximum": queries.MOST}),
]


def named(given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a body as the services name them."""
    return {NAMES.get(key, key): value for key, value in given.items()}


def whole(call: Call, name: str, usual: int, most: int) -> int:
    """Return a number of the query string; raises 400."""
    text = call.params.get(name, str(usual))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= most):
        raise Invalid(f"{name} must be a number from 1 to {most}.", code="INVALID_QUERY")
    return int(text)


class EndpointsDoor(Door):
    """`GET` and `POST /webhooks`."""

    secret_answers: ClassVar[bool] = True
    body_limit: ClassVar[int] = 32 * 1024

    @describe("The webhooks of the tenant", answer=shape(webhooks=array(wire.ENDPOINT)), tag="webhooks")
    def get(self, call: Call) -> HttpResponse:
        rights.require(call.actor, "webhook.listed")
        return answers.send({"webhooks": [wire.endpoint(row) for row in queries.endpoints()]})

    @describe(
        "Set up a webhook; its secret is shown this once",
        body=CREATE.schema,
        status=201,
        answer=wire.with_secret(wire.ENDPOINT),
        errors=[409],
        tag="webhooks",
    )
    def post(self, call: Call) -> HttpResponse:
        row, secret = endpoints.create(**named(CREATE.read(call)), by=call.actor)
        return answers.send(wire.endpoint(row) | {"secret": secret}, status=201)


class EndpointDoor(Door):
    """`GET`, `PATCH` and `DELETE /webhooks/:id`."""

    body_limit: ClassVar[int] = 32 * 1024

    @describe("One webhook", answer=wire.ENDPOINT, errors=[404], tag="webhooks")
    def get(self, call: Call, endpoint_id: UUID) -> HttpResponse:
        rights.require(call.actor, "webhook.listed")
        return answers.send(wire.endpoint(queries.endpoint(endpoint_id)))

    @describe(
        "Change a webhook; it sends with your rights from now on",
        body=CHANGE.schema,
        answer=wire.ENDPOINT,
        errors=[404],
        tag="webhooks",
    )
    def patch(self, call: Call, endpoint_id: UUID) -> HttpResponse:
        changes = named(CHANGE.read(call))
        return answers.send(
            wire.endpoint(endpoints.update(endpoint_id=endpoint_id, changes=changes, by=call.actor))
        )

    @describe("Remove a webhook with its log", answer=DONE, errors=[404], tag="webhooks")
    def delete(self, call: Call, endpoint_id: UUID) -> HttpResponse:
        endpoints.delete(endpoint_id=endpoint_id, by=call.actor)
        return answers.send({"success": True, "id": str(endpoint_id)})


class PauseDoor(Door):
    """`POST /webhooks/:id/pause`."""

    @describe("Stop sending", answer=DONE, errors=[404, 409], tag="webhooks")
    def post(self, call: Call, endpoint_id: UUID) -> HttpResponse:
        endpoints.pause(endpoint_id=endpoint_id, by=call.actor)
        return answers.send({"success": True, "id": str(endpoint_id)})


class ResumeDoor(Door):
    """`POST /webhooks/:id/resume`."""

    @describe("Send again, from the next event on", answer=DONE, errors=[404, 409], tag="webhooks")
    def post(self, call: Call, endpoint_id: UUID) -> HttpResponse:
        endpoints.resume(endpoint_id=endpoint_id, by=call.actor)
        return answers.send({"success": True, "id": str(endpoint_id)})


class RotateDoor(Door):
    """`POST /webhooks/:id/rotate`."""

    secret_answers: ClassVar[bool] = True

    @describe(
        "Make a new secret, shown this once; the old one signs beside it for `graceHours` (24)",
        body=ROTATE.schema,
        body_required=False,
        answer=shape(id=TEXT, secret=wire.SECRET),
        errors=[404],
        tag="webhooks",
    )
    def post(self, call: Call, endpoint_id: UUID) -> HttpResponse:
        hours = ROTATE.read(call).get("graceHours", 24)
        secret = endpoints.rotate(endpoint_id=endpoint_id, by=call.actor, grace_hours=hours)
        return answers.send({"id": str(endpoint_id), "secret": secret})


class TryDoor(Door):
    """`POST /webhooks/:id/test`."""

    @describe("Send a test event to one webhook", status=202, answer=DONE, errors=[404], tag="webhooks")
    def post(self, call: Call, endpoint_id: UUID) -> HttpResponse:
        delivery_id = deliveries.test(endpoint_id=endpoint_id, by=call.actor)
        return answers.send({"success": True, "id": str(delivery_id)}, status=202)


class SendMissedDoor(Door):
    """`POST /webhooks/:id/send-missed`."""

    @describe(
        "Send again what failed or was not sent within the last `days` (7), at a measured pace",
        body=MISSED.schema,
        body_required=False,
        status=202,
        answer=shape(success={"const": True}, job=TEXT),
        errors=[404, 409],
        tag="webhooks",
    )
    def post(self, call: Call, endpoint_id: UUID) -> HttpResponse:
        days = MISSED.read(call).get("days", 7)
        job = deliveries.send_missed(endpoint_id=endpoint_id, by=call.actor, days=days)
        return answers.send({"success": True, "job": str(job)}, status=202)


class DeliveriesDoor(Door):
    """`GET /webhooks/:id/deliveries`."""

    @describe(
        "What was sent or is on its way, newest first",
        answer=shape(deliveries=array(wire.DELIVERY), nextCursor={"type": ["string", "null"]}),
        parameters=PAGE,
        errors=[404],
        tag="webhooks",
    )
    def get(self, call: Call, endpoint_id: UUID) -> HttpResponse:
        rights.require(call.actor, "webhook.listed")
        page = queries.deliveries(
            queries.endpoint(endpoint_id).id,
            state=call.params.get("status"),
            cursor=call.params.get("cursor"),
            limit=whole(call, "limit", 50, queries.MOST),
        )
        rows = [wire.delivery(row) for row in page.deliveries]
        return answers.send({"deliveries": rows, "nextCursor": page.next})


class DeliveryDoor(Door):
    """`GET /webhooks/deliveries/:id`."""

    @describe(
        "One delivery with every call: what was sent, an excerpt of what came back",
        answer=shape(delivery=wire.DELIVERY, calls=array(wire.ATTEMPT)),
        errors=[404],
        tag="webhooks",
    )
    def get(self, call: Call, delivery_id: UUID) -> HttpResponse:
        rights.require(call.actor, "webhook.listed")
        row = queries.delivery(delivery_id)
        calls = [wire.attempt(each) for each in queries.attempts(row.id)]
        return answers.send({"delivery": wire.delivery(row), "calls": calls})


class RedeliverDoor(Door):
    """`POST /webhooks/deliveries/:id/redeliver`."""

    @describe(
        "Send a delivery again, with the same webhook-id",
        status=202,
        answer=DONE,
        errors=[404, 409],
        tag="webhooks",
    )
    def post(self, call: Call, delivery_id: UUID) -> HttpResponse:
        deliveries.redeliver(delivery_id=delivery_id, by=call.actor)
        return answers.send({"success": True, "id": str(delivery_id)}, status=202)
