"""Entry point of the sockets' server: WebSockets and event streams; pages go through WSGI."""

import os
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")
http: Any = get_asgi_application()

from django.urls import re_path  # noqa: E402

from apps.events.health.processes import LIVE, Heartbeat  # noqa: E402 - needs the application registry
from config.sockets import sockets, streams  # noqa: E402 - needs the application registry

application = ProtocolTypeRouter(
    {
        "http": URLRouter([*streams, re_path(r"", http)]),
        "websocket": URLRouter(sockets),
    }
)
Heartbeat(LIVE).start()
