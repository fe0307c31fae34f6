"""What this server is and serves: the first thing a client asks; only what is served is advertised."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpResponse

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import describe, ref, shape
from apps.api.door import NONE, Door
from apps.api.resources import served_areas
from apps.core.errors import Problem
from apps.core.version import product_version

NAME = "AI-BOS"


def document(base: str = "") -> dict[str, Any]:
    """Return the discovery document; `base` is put before every path (for another host)."""
    areas = served_areas()
    routes = {area.slot: f"{base}{area.path}" for area in areas if area.is_route}
    services = {
        area.slot: {
            "enabled": True,
            "status": "available",
            "handlerReady": True,
            "route": f"{base}{area.path}",
        }
        for area in areas
    }
    served = {area.slot for area in areas}
    codes = [code for code, _ in settings.LANGUAGES]
    return {
        "version": product_version(),
        "name": NAME,
        "apiName": f"{NAME} API",
        "environment": "development" if settings.DEBUG else "production",
        "routes": routes,
        "locale": {"default": settings.LANGUAGE_CODE, "supported": codes, "timezone": settings.TIME_ZONE},
        "services": services,
        "capabilities": {name: {"enabled": slot in served} for name, slot in CAPABILITIES.items()},
        "scoping": {"enabled": False, "resolution": "auto", "scoped": False},
    }


CAPABILITIES = {
    "search": "search",
    "cron": "cron",
    "automation": "automation",
    "analytics": "analytics",
    "notifications": "notifications",
    "ai": "ai",
    "i18n": "i18n",
    "comments": "comments",
    "export": "export",
    "chunkedUpload": "storage",
    "transactionalBatch": "batch",
    "websockets": "websockets",
    "files": "storage",
}


class OpenDoor(Door):
    """A door for everybody that needs neither a tenant nor the database."""

    public: ClassVar[bool] = True
    needs_tenant: ClassVar[bool] = False
    opens: ClassVar[frozenset[str]] = NONE
    identifies: ClassVar[bool] = False


class DiscoveryDoor(OpenDoor):
    """`GET /api/v1` and `/api/v1/discovery`."""

    @describe("What this server serves, and where", answer=ref("Discovery"), tag="discovery")
    def get(self, call: Call) -> HttpResponse:
        response = answers.send(document())
        response.headers["Cache-Control"] = "public, max-age=60"
        return response


class WellKnownDoor(OpenDoor):
    """`GET /.well-known/objectstack`: the same document in the envelope that clients expect there."""

    @describe(
        "The discovery document in an envelope",
        answer=shape(success={"const": True}, data=ref("Discovery")),
        tag="discovery",
    )
    def get(self, call: Call) -> HttpResponse:
        return answers.success(document())


class MissingDoor(OpenDoor):
    """Every address below `/api` that no other door serves."""

    def _refuse(self, call: Call, **_: str) -> HttpResponse:
        raise Problem(
            "ENDPOINT_NOT_FOUND",
            f"There is no endpoint {call.request.path}.",
            status=404,
            cure="GET /api/v1/discovery names the endpoints.",
        )

    undocumented: ClassVar[bool] = True

    get = post = put = patch = delete = _refuse


def moment() -> str:
    """Return the current instant as the protocol writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
