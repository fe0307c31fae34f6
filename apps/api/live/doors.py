"""The two doors of live progress: a WebSocket and a stream of server-sent events.

Neither is one of Channels' consumers, because those end with their channel layer: here the layer only makes
news come sooner.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from hashlib import blake2b
from typing import Any

from apps.api import answers
from apps.api.live.follow import crowd, follow, glance
from apps.api.live.look import request_of
from apps.core.errors import Problem

logger = logging.getLogger("aibos.live")

Message = MutableMapping[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
CODES = 4000  # a socket closes with this plus the status that the API would have answered
ENDED, BROKEN, SPOKEN_TO = 1000, 1011, 1008
STREAM_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]


class _Socket:
    """Tells through a WebSocket, one text message each."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def tell(self, frame: bytes) -> None:
        """Send a state."""
        await self._send({"type": "websocket.send", "text": frame.decode()})

    async def beat(self) -> None:
        """Send a sign of life that keeps proxies from hanging up."""
        await self._send({"type": "websocket.send", "text": '{"heartbeat":true}'})


class _Stream:
    """Tells through an event stream; the id of an event is a digest of the state, so that none is told twice."""

    def __init__(self, send: Send, known: str) -> None:
        self._send, self._known = send, known

    async def tell(self, frame: bytes) -> None:
        """Send a state that the caller does not have."""
        name = mark(frame)
        if name != self._known:
            self._known = name
            await self._put(b"id: %s\ndata: %s\n\n" % (name.encode(), frame))

    async def beat(self) -> None:
        """Send a comment."""
        await self._put(b": heartbeat\n\n")

    async def _put(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})


def mark(frame: bytes) -> str:
    """Return the event id of a state."""
    return blake2b(frame, digest_size=9).hexdigest()


async def socket(scope: Scope, receive: Receive, send: Send) -> None:
    """`/ws/jobs/<uuid>`: messages of state; closes with 1000 at the job's end, else with 4000 + a status.

    A cookie from another site is refused before the socket opens.
    """
    await receive()
    request, job_id, opened = request_of(scope), scope["url_route"]["kwargs"]["job_id"], False
    gone = asyncio.create_task(_silent(receive))
    code = ENDED
    try:
        sight = await glance(request, job_id, first=True)
        await send({"type": "websocket.accept"})
        opened = True
        with crowd.place(sight.caller):
            await follow(request, job_id, _Socket(send), sight, gone)
    except Problem as problem:
        code = CODES + problem.status
        if not opened and problem.code != "ORIGIN_REFUSED":
            await send({"type": "websocket.accept"})
    except Exception:
        logger.exception("a socket failed")
        code = BROKEN
    if gone.done():
        code = SPOKEN_TO if gone.result() else 0
    await _stop(gone)
    if code:
        await send({"type": "websocket.close", "code": code})


async def closed_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Close a socket at an address that does not exist."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": CODES + 404})


async def _silent(receive: Receive) -> bool:
    """Wait until the caller leaves (False) or speaks where there is nothing to say (True)."""
    return (await receive())["type"] == "websocket.receive"


async def stream(scope: Scope, receive: Receive, send: Send) -> None:
    """`/events/jobs/<uuid>`: events of state; ends with the job.

    A caller whose `Last-Event-ID` is the job's last state gets 204, which ends an EventSource for good.
    """
    request, job_id, started = request_of(scope), scope["url_route"]["kwargs"]["job_id"], False
    gone = asyncio.create_task(_left(receive))
    try:
        if scope["method"] != "GET":
            raise Problem("METHOD_NOT_ALLOWED", "Only GET.", status=405, headers={"Allow": "GET"})
        sight = await glance(request, job_id, first=True)
        known = request.META.get("HTTP_LAST_EVENT_ID", "")
        status = 204 if sight.job.ended and known == mark(sight.frame) else 200
        with crowd.place(sight.caller):
            await send({"type": "http.response.start", "status": status, "headers": STREAM_HEADERS})
            started = True
            if status == 200:
                await follow(request, job_id, _Stream(send, known), sight, gone)
    except Problem as problem:
        if not started:
            await _answer(send, problem)
            return
        body = b"event: refused\ndata: %s\n\n" % answers.encode(
            {"code": problem.code, "status": problem.status}
        )
        await send({"type": "http.response.body", "body": body, "more_body": True})
    finally:
        left = gone.done()
        await _stop(gone)
    if not left:
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive) -> bool:
    while (await receive())["type"] != "http.disconnect":
        pass
    return False


async def _stop(task: "asyncio.Task[bool]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _answer(send: Send, problem: Problem) -> None:
    response = answers.refusal(problem)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    headers = [(name.lower().encode(), value.encode()) for name, value in response.headers.items()]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})
