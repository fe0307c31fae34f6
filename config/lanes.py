"""Two lanes through one process: pages pass every middleware, the API's doors only those they need."""

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class DoorHandler(WSGIHandler):
    """Django's handler with `settings.DOOR_MIDDLEWARE` in place of the pages' list."""

    def load_middleware(self, is_async: bool = False) -> None:
        """Load the short list; runs once, before the process serves."""
        pages = settings.MIDDLEWARE
        settings.MIDDLEWARE = settings.DOOR_MIDDLEWARE
        try:
            super().load_middleware(is_async)
        finally:
            settings.MIDDLEWARE = pages


def lanes(pages: Wsgi) -> Wsgi:
    """Return a WSGI application that sends API calls through the short lane and all else to `pages`."""
    doors = DoorHandler()

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.startswith("/api/") and not path.startswith(settings.API_PAGES):
            return doors(environ, start_response)
        return pages(environ, start_response)

    return application
