"""Entry point of the sockets' server: WebSockets and event streams; pages go through WSGI."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")
django.setup(set_prefix=False)

from apps.events.health.processes import LIVE, Heartbeat  # noqa: E402 - needs the application registry
from config.sockets import application  # noqa: E402 - needs the application registry

__all__ = ["application"]

Heartbeat(LIVE).start()
