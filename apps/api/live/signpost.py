"""What the requests' servers answer at the addresses of streams: the front door sends them to the sockets' process."""

from typing import ClassVar

from django.http import HttpResponse

from apps.api.call import Call
from apps.api.contract import Parameter, describe
from apps.api.door import NONE, Door
from apps.api.graphql.door import BODY, PARAMETERS
from apps.core.errors import Problem


class EventStreamDoor(Door):
    """`GET /events/stream`: described here for the document, served by `apps.api.live.doors`."""

    opens: ClassVar[frozenset[str]] = NONE

    @describe(
        "Live events as they happen",
        answer={"type": "string"},
        parameters=[
            Parameter("types", "Types with commas; `*` stands for anything: `crm.lead.*,*.deleted`."),
            Parameter("subject", "One record (`crm_lead:<id>`) or all of an object (`crm_lead:*`)."),
            Parameter("after", "The cursor to go on from; without it, from now on."),
            Parameter("Last-Event-ID", "The same, as EventSource sends it.", place="header"),
        ],
        errors=(421,),
        media=("text/event-stream",),
        tag="events",
    )
    def get(self, call: Call) -> HttpResponse:
        raise _misdirected()


class GraphQLStreamDoor(Door):
    """`GET` and `POST /graphql/stream`: described here for the document, served by `apps.api.live.query_doors`."""

    opens: ClassVar[frozenset[str]] = NONE
    replays: ClassVar[bool] = False
    reading_posts: ClassVar[bool] = True

    @describe(
        "A GraphQL subscription as server-sent events",
        answer={"type": "string"},
        parameters=PARAMETERS,
        errors=(405, 421),
        media=("text/event-stream",),
        tag="graphql",
    )
    def get(self, call: Call) -> HttpResponse:
        raise _misdirected()

    @describe(
        "A GraphQL subscription as server-sent events",
        answer={"type": "string"},
        body=BODY,
        errors=(421,),
        media=("text/event-stream",),
        tag="graphql",
    )
    def post(self, call: Call) -> HttpResponse:
        raise _misdirected()


def _misdirected() -> Problem:
    return Problem(
        "MISDIRECTED_REQUEST",
        "Streams are served by the sockets' process.",
        status=421,
        cure="Ask through the front door; a proxy of your own sends this address to the sockets' process.",
    )
