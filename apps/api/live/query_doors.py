"""The doors of live queries: a stream of server-sent events, and a WebSocket that speaks graphql-transport-ws."""

import asyncio
from contextlib import suppress
from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

from apps.api import answers, body
from apps.api.call import Call
from apps.api.graphql import asking, limits
from apps.api.graphql.problems import Unfit, of_problem, refused
from apps.api.live.doors import BROKEN, CODES, stop, streamed
from apps.api.live.follow import crowd
from apps.api.live.look import greet, request_of
from apps.api.live.queries import LiveQuery
from apps.api.live.telling import Receive, Scope, Send
from apps.core.errors import Problem

PROTOCOL = "graphql-transport-ws"
MOST_AT_ONCE = 10
MOST_BYTES = 2 * limits.MOST_BYTES
PATIENCE = 10.0  # seconds for the caller's first message
BAD, UNREADY, SLOW, UNSPOKEN, TAKEN, AGAIN = 4400, 4401, 4408, 4406, 4409, 4429  # the protocol's own codes


async def query_stream(scope: Scope, receive: Receive, send: Send) -> None:
    """`/api/v1/graphql/stream`: GET with `query=`, or POST with the usual body; events `next` and `complete`."""
    sent = await _read(receive) if scope["method"] == "POST" else b""

    def make(request: HttpRequest) -> LiveQuery:
        if request.method == "POST":
            return LiveQuery(request, asking.of_body(Call(request).body))
        return LiveQuery(request, asking.of_address(request.GET))

    def read(scope: Scope) -> HttpRequest:
        made = request_of(scope)
        if scope["method"] != "POST":
            return made
        known = ASGIRequest(scope, BytesIO(sent))
        known.META["CONTENT_LENGTH"] = str(len(sent))
        known.request_id = made.request_id  # type: ignore[attr-defined]
        return known

    await streamed(scope, receive, send, make, read=read, methods=("GET", "POST"))


async def _read(receive: Receive) -> bytes:
    """Return the body, cut where it is too long: what is left is no JSON then."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b""
        size += len(message.get("body", b""))
        if size <= MOST_BYTES:
            parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


class _Closed(Exception):
    """The socket is to be closed with a code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class _Session:
    """One socket: who speaks, and the subscriptions under way by the id that the caller gave them."""

    def __init__(self, request: HttpRequest, receive: Receive, send: Send) -> None:
        self._request, self._receive, self._send = request, receive, send
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ready = False

    async def serve(self) -> None:
        """Read messages until the caller leaves; raises `_Closed` when the protocol says so."""
        try:
            first = await asyncio.wait_for(self._receive(), PATIENCE)
        except TimeoutError:
            raise _Closed(SLOW) from None
        message = first
        while message["type"] == "websocket.receive":
            await self._hear(message.get("text"))
            message = await self._receive()

    async def end(self) -> None:
        """Stop every subscription."""
        for task in list(self._tasks.values()):
            await stop(task)

    async def _hear(self, text: str | None) -> None:
        said = _message(text)
        match said.get("type"):
            case "connection_init":
                if self._ready:
                    raise _Closed(AGAIN)
                self._ready = True
                await self._say({"type": "connection_ack"})
            case "ping":
                await self._say({"type": "pong"})
            case "pong":
                pass
            case "subscribe":
                self._subscribe(said)
            case "complete":
                if (task := self._tasks.get(str(said.get("id")))) is not None:
                    task.cancel()
            case _:
                raise _Closed(BAD)

    def _subscribe(self, said: dict[str, Any]) -> None:
        name, payload = said.get("id"), said.get("payload")
        if not self._ready:
            raise _Closed(UNREADY)
        if not isinstance(name, str) or not 0 < len(name) <= 100 or not isinstance(payload, dict):
            raise _Closed(BAD)
        if name in self._tasks:
            raise _Closed(TAKEN)
        crowded = len(self._tasks) >= MOST_AT_ONCE
        task = asyncio.create_task(self._follow(name, payload, crowded=crowded))
        self._tasks[name] = task
        task.add_done_callback(lambda _task: self._tasks.pop(name, None))

    async def _follow(self, name: str, payload: dict[str, Any], *, crowded: bool) -> None:
        try:
            if crowded:
                raise refused(
                    f"A socket carries {MOST_AT_ONCE} subscriptions.", code="RATE_LIMIT_EXCEEDED", status=429
                )
            live = LiveQuery(self._request, asking.of_body(payload))
            with crowd.place(await live.begin()):
                async for told in live.news(asyncio.Event(), lambda: False):
                    if told is None:
                        await self._say({"type": "ping"})
                    else:
                        await self._say({"id": name, "type": "next", "payload": answers.Raw(told)})
            await self._say({"id": name, "type": "complete"})
        except Problem as problem:
            errors = problem.errors if isinstance(problem, Unfit) else [of_problem(problem)]
            await self._say({"id": name, "type": "error", "payload": errors})

    async def _say(self, message: dict[str, Any]) -> None:
        await self._send({"type": "websocket.send", "text": answers.encode(message).decode()})


def _message(text: str | None) -> dict[str, Any]:
    if text is None or len(text) > MOST_BYTES:
        raise _Closed(BAD)
    try:
        said = body.parse(text.encode())
    except (Problem, UnicodeEncodeError):
        raise _Closed(BAD) from None
    if not isinstance(said, dict):
        raise _Closed(BAD)
    return said


async def query_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """`/ws/graphql`: several subscriptions over one WebSocket.

    Whoever may not follow at all is hung up on with 4000 + the status; a cookie from another site is refused before
    the socket opens.
    """
    await receive()
    request = request_of(scope)
    try:
        await greet(request)
    except Problem as problem:
        if problem.code != "ORIGIN_REFUSED":
            await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": CODES + problem.status})
        return
    if PROTOCOL not in scope.get("subprotocols", ()):
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": UNSPOKEN})
        return
    await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
    session, code = _Session(request, receive, send), 0
    try:
        await session.serve()
    except _Closed as closed:
        code = closed.code
    except Exception:
        code = BROKEN
        raise
    finally:
        await session.end()
        if code:
            with suppress(Exception):
                await send({"type": "websocket.close", "code": code})
