"""The doors of the sockets' process: jobs and events, each as a WebSocket and as a stream of server-sent events.

None is one of Channels' consumers, because those end with their channel layer: here the layer only makes
news come sooner.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from django.http import HttpRequest

from apps.api import answers
from apps.api.live import wishes
from apps.api.live.events import EventFeed
from apps.api.live.follow import JobFeed, crowd
from apps.api.live.look import request_of
from apps.api.live.telling import Receive, Scope, Send, Socket, Stream, Teller
from apps.core.errors import Problem

logger = logging.getLogger("aibos.live")

CODES = 4000  # a socket closes with this plus the status that the API would have answered
ENDED, BROKEN, SPOKEN_TO = 1000, 1011, 1008
STREAM_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]


class Feed(Protocol):
    """What a caller follows."""

    async def begin(self) -> str: ...
    def is_over(self) -> bool: ...
    async def run(self, teller: Teller, gone: "asyncio.Task[bool]") -> None: ...


Make = Callable[[HttpRequest], Feed]


async def socket(scope: Scope, receive: Receive, send: Send) -> None:
    """`/ws/jobs/<uuid>`: messages of state; closes with 1000 at the job's end."""
    job_id = scope["url_route"]["kwargs"]["job_id"]
    await _socket(scope, receive, send, lambda request: JobFeed(request, job_id, marks=False))


async def event_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """`/ws/events?types=&subject=&after=`: messages `{"event": …, "cursor": …}`, the first one `open` or `reload`."""
    await _socket(scope, receive, send, lambda request: EventFeed(request, wishes.read(request)))


async def stream(scope: Scope, receive: Receive, send: Send) -> None:
    """`/events/jobs/<uuid>`: events of state; ends with the job.

    A caller whose `Last-Event-ID` is the job's last state gets 204, which ends an EventSource for good.
    """
    job_id = scope["url_route"]["kwargs"]["job_id"]
    await streamed(scope, receive, send, lambda request: JobFeed(request, job_id, marks=True))


async def event_stream(scope: Scope, receive: Receive, send: Send) -> None:
    """`/api/v1/events/stream?types=&subject=&after=`: CloudEvents; `Last-Event-ID` goes on where it ended."""
    await streamed(scope, receive, send, lambda request: EventFeed(request, wishes.read(request)))


async def _socket(scope: Scope, receive: Receive, send: Send, make: Make) -> None:
    """Serve a feed through a WebSocket; refusals close it with 4000 + a status.

    A cookie from another site is refused before the socket opens.
    """
    await receive()
    opened = False
    gone = asyncio.create_task(_silent(receive))
    code = ENDED
    try:
        feed = make(request_of(scope))
        caller = await feed.begin()
        await send({"type": "websocket.accept"})
        opened = True
        with crowd.place(caller):
            await feed.run(Socket(send), gone)
    except Problem as problem:
        code = CODES + problem.status
        if not opened and problem.code != "ORIGIN_REFUSED":
            await send({"type": "websocket.accept"})
    except Exception:
        logger.exception("a socket failed")
        code = BROKEN
    if gone.done():
        code = SPOKEN_TO if gone.result() else 0
    await stop(gone)
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


async def streamed(
    scope: Scope,
    receive: Receive,
    send: Send,
    make: Make,
    *,
    read: Callable[[Scope], HttpRequest] = request_of,
    methods: tuple[str, ...] = ("GET",),
) -> None:
    """Serve a feed as server-sent events; a refusal on the way is an event `refused`, and the end."""
    started = False
    gone = asyncio.create_task(_left(receive))
    try:
        if scope["method"] not in methods:
            allowed = ", ".join(methods)
            raise Problem("METHOD_NOT_ALLOWED", f"Only {allowed}.", status=405, headers={"Allow": allowed})
        feed = make(read(scope))
        caller = await feed.begin()
        status = 204 if feed.is_over() else 200
        with crowd.place(caller):
            await send({"type": "http.response.start", "status": status, "headers": STREAM_HEADERS})
            started = True
            if status == 200:
                await feed.run(Stream(send), gone)
    except Problem as problem:
        if not started:
            await _answer(send, problem)
            return
        body = answers.encode({"code": problem.code, "status": problem.status})
        await Stream(send).put(body, name="refused")
    finally:
        left = gone.done()
        await stop(gone)
    if not left:
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive) -> bool:
    while (await receive())["type"] != "http.disconnect":
        pass
    return False


async def stop(task: "asyncio.Task[Any]") -> None:
    """Cancel a task and wait for its end."""
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
