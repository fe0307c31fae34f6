"""Entry point of the sockets' server: WebSockets and event streams; pages go through WSGI."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")
http = get_asgi_application()

from config.sockets import patterns  # noqa: E402 - needs the application registry

application = ProtocolTypeRouter({"http": http, "websocket": URLRouter(patterns)})
