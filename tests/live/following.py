"""Helpers of the tests of live progress: sessions, sockets of the real application, jobs moved by hand."""

import json
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.db import connections

from apps.core import queue
from apps.core.actor import Actor
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from config.sockets import application

PATIENCE = 10
PEERS = {
    "http_version": "1.1",
    "raw_path": b"",
    "query_string": b"",
    "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 80),
}


def session(user: Any, tenant: TenantRef | None, host: str) -> tuple[str, UUID]:
    """Open a browser session; return its token and its id."""
    from apps.identity.models import Session
    from apps.identity.place import Place
    from apps.identity.services.sessions import open_session

    with tenant_scope(tenant) if tenant else platform_scope("test"):
        place = Place(host=host, tenant=tenant)
        opened = open_session(user=user, place=place, tenant=tenant, kind=Session.Kind.WEB)
        return opened.token, Session.objects.values_list("id", flat=True).order_by("-id")[0]


def headers(host: str, *, cookie: str = "", origin: str | None = "same", **more: str) -> list[Any]:
    """Return raw headers of a handshake at `host`."""
    values = {"host": host, **more}
    if origin:
        values["origin"] = f"http://{host}" if origin == "same" else origin
    if cookie:
        values["cookie"] = f"{settings.SESSION_COOKIE_NAME}={cookie}"
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in values.items()]


class Socket:
    """One WebSocket to a job, or to events by their query, through the application that the process serves."""

    def __init__(self, job: Any, sent: list[Any], *, events: str | None = None) -> None:
        path = f"/ws/jobs/{job}" if events is None else "/ws/events"
        scope = {"type": "websocket", "path": path, "scheme": "ws", "subprotocols": []}
        scope["query_string"] = (events or "").encode()
        self._line = ApplicationCommunicator(application, PEERS | scope | {"headers": sent})

    async def open(self) -> bool:
        """Shake hands; tell whether the door accepted."""
        await self._line.send_input({"type": "websocket.connect"})
        answer = await self._line.receive_output(timeout=PATIENCE)
        return answer["type"] == "websocket.accept"

    async def state(self) -> dict[str, Any]:
        """Return the next state."""
        message = await self._line.receive_output(timeout=PATIENCE)
        assert message["type"] == "websocket.send", message
        return json.loads(message["text"])

    async def code(self) -> int:
        """Return the code of the close that follows; other messages before it fail the test."""
        message = await self._line.receive_output(timeout=PATIENCE)
        assert message["type"] == "websocket.close", message
        await self._line.wait(timeout=PATIENCE)
        return int(message["code"])

    async def quiet(self) -> bool:
        """Tell whether nothing comes within half a second."""
        return await self._line.receive_nothing(timeout=0.5)

    async def say(self, text: str) -> None:
        await self._line.send_input({"type": "websocket.receive", "text": text})

    async def leave(self) -> None:
        """Hang up, and wait until the door has let go."""
        await self._line.send_input({"type": "websocket.disconnect", "code": 1000})
        await self._line.wait(timeout=PATIENCE)

    async def refusal(self) -> int:
        """Open, and return with which code the door closes before it tells anything."""
        assert await self.open()
        return await self.code()


async def streamed(job: Any, sent: list[Any], method: str = "GET") -> tuple[int, str]:
    """Read an event stream to its end; return status and text."""
    scope = {"type": "http", "method": method, "path": f"/events/jobs/{job}", "scheme": "http"}
    line = ApplicationCommunicator(application, PEERS | scope | {"headers": sent})
    await line.send_input({"type": "http.request", "body": b"", "more_body": False})
    start = await line.receive_output(timeout=PATIENCE)
    text = b""
    while True:
        part = await line.receive_output(timeout=PATIENCE)
        text += part.get("body", b"")
        if not part.get("more_body"):
            return start["status"], text.decode()


def make_job(tenant: TenantRef | None, by: Actor, task: str = "live.test", **args: Any) -> UUID:
    """Queue a job, committed."""
    with tenant_scope(tenant) if tenant else platform_scope("test"):
        return queue.enqueue(task, tenant=tenant.id if tenant else None, args=args, title="Followed", by=by)


def set_row(job_id: UUID, **values: Any) -> None:
    """Write columns of a job's row, past every service."""
    with platform_scope("test"), connections["default"].cursor() as cursor:
        for name, value in values.items():
            cursor.execute(f"UPDATE public.events_job SET {name} = %s WHERE id = %s", [value, job_id])


later = sync_to_async(set_row)
