"""The sockets' application: addresses of WebSockets and of streams of events."""

from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.handlers.asgi import ASGIHandler
from django.urls import URLPattern, path, re_path

from apps.api.live import doors, query_doors

sockets: list[URLPattern] = [
    path("ws/jobs/<uuid:job_id>", doors.socket),  # type: ignore[arg-type]
    path("ws/events", doors.event_socket),  # type: ignore[arg-type]
    path("ws/graphql", query_doors.query_socket),  # type: ignore[arg-type]
    re_path(r"", doors.closed_socket),  # type: ignore[arg-type]
]
streams: list[URLPattern] = [
    path("events/jobs/<uuid:job_id>", doors.stream),  # type: ignore[arg-type]
    path("api/v1/events/stream", doors.event_stream),  # type: ignore[arg-type]
    path("api/v1/graphql/stream", query_doors.query_stream),  # type: ignore[arg-type]
]
http: Any = ASGIHandler()
application = ProtocolTypeRouter(
    {
        "http": URLRouter([*streams, re_path(r"", http)]),
        "websocket": URLRouter(sockets),
    }
)
