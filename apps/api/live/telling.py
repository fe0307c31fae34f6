"""How a door tells its caller: through a WebSocket, or as server-sent events."""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol, TypeVar

from django.db import DatabaseError

from apps.core.errors import Problem

logger = logging.getLogger("aibos.live")
T = TypeVar("T")
Message = MutableMapping[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Teller(Protocol):
    """What a feed tells through. `mark` is where to go on from, `name` what kind of news it is (empty: plain)."""

    async def put(self, data: bytes, *, mark: str = "", name: str = "") -> None: ...
    async def beat(self, mark: str = "") -> None: ...


class Socket:
    """One text message each: the data alone, or `{"<name>": data, "cursor": mark}` when there is a mark."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def put(self, data: bytes, *, mark: str = "", name: str = "") -> None:
        """Send news."""
        text = data.decode()
        if mark:
            text = f'{{"{name or "event"}":{text},"cursor":"{mark}"}}'
        await self._send({"type": "websocket.send", "text": text})

    async def beat(self, mark: str = "") -> None:
        """Send a sign of life that keeps proxies from hanging up."""
        cursor = f',"cursor":"{mark}"' if mark else ""
        await self._send({"type": "websocket.send", "text": f'{{"heartbeat":true{cursor}}}'})


class Stream:
    """An event each; its id is the mark."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def put(self, data: bytes, *, mark: str = "", name: str = "") -> None:
        """Send news."""
        head = (f"id: {mark}\n" if mark else "") + (f"event: {name}\n" if name else "")
        await self._send_part(b"%sdata: %s\n\n" % (head.encode(), data))

    async def beat(self, mark: str = "") -> None:
        """Send a comment; an id without data moves the reader's place and dispatches nothing."""
        await self._send_part(b": heartbeat\n" + (f"id: {mark}\n".encode() if mark else b"") + b"\n")

    async def _send_part(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})


def unavailable() -> Problem:
    """Return the refusal of a door whose database does not answer."""
    return Problem(
        "SERVICE_UNAVAILABLE",
        "The database did not answer in time.",
        status=503,
        headers={"Retry-After": "2"},
    )


async def reached(look: Awaitable[T]) -> T:
    """Return what a look saw; a database that does not answer is a `Problem` too: nobody can say who may see what."""
    try:
        return await look
    except DatabaseError:
        logger.exception("the database did not answer")
        raise unavailable() from None
