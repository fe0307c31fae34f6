"""Is this process alive, may it serve, and what exactly is wrong (operators only)."""

import time
from hmac import compare_digest
from http import HTTPStatus
from typing import ClassVar

from django.conf import settings
from django.http import HttpResponse

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import OBJECT, describe, shape
from apps.api.discovery import OpenDoor, moment
from apps.api.door import NONE, Door
from apps.core import health, metrics
from apps.core.errors import NotFound, PermissionDenied
from apps.core.version import product_version
from apps.events.health import history
from apps.tenants.middleware import hosts

_STARTED = time.monotonic()
_PLAIN = {"type": "string", "enum": ["ok", "degraded", "failed"]}


def _ready() -> tuple[bool, dict[str, health.Finding]]:
    findings = health.run(critical_only=True)
    return health.worst(findings) != "failed", findings


class AliveDoor(OpenDoor):
    """`GET /healthz`: the process answers; nothing else is asked."""

    @describe("Alive", answer=shape(status=_PLAIN), tag="health")
    def get(self, call: Call) -> HttpResponse:
        return answers.send({"status": "ok"})


class ReadyDoor(OpenDoor):
    """`GET /readyz`: 200 when every critical check passes, 503 with the names of those that do not."""

    @describe("Ready to serve", answer=OBJECT, answers={503: OBJECT}, tag="health")
    def get(self, call: Call) -> HttpResponse:
        ready, findings = _ready()
        body = {"status": "ok" if ready else "failed"}
        failed = sorted(name for name, found in findings.items() if found.status == "failed")
        return answers.send(body | ({"failed": failed} if failed else {}), status=200 if ready else 503)


class MetricsDoor(OpenDoor):
    """`GET /metrics`: the figures of every check for Prometheus; needs METRICS_TOKEN as bearer, absent without one."""

    @describe(
        "Figures for Prometheus; needs METRICS_TOKEN as bearer, absent without one",
        answer={"type": "string"},
        media=("text/plain",),
        tag="health",
    )
    def get(self, call: Call) -> HttpResponse:
        """Answer in Prometheus' text format."""
        wanted, given = settings.METRICS_TOKEN, call.header("Authorization") or ""
        if not wanted or not compare_digest(given.encode(), f"Bearer {wanted}".encode()):
            raise NotFound("There is no such endpoint.", code="ENDPOINT_NOT_FOUND")
        return HttpResponse(metrics.render(), content_type=metrics.CONTENT_TYPE)


class DiagnosisDoor(Door):
    """`GET /diagz`: every check as the last probe found it, with figures and the last hour, for operators.

    `?now=1` runs the checks in this process instead. A history is a list of `[minute, worst status, peak]`.
    """

    needs_tenant: ClassVar[bool] = False
    opens: ClassVar[frozenset[str]] = NONE

    @describe(
        "All checks with their figures and the last hour", answer=OBJECT, answers={503: OBJECT}, tag="health"
    )
    def get(self, call: Call) -> HttpResponse:
        if call.actor.kind != "operator":
            raise PermissionDenied("Only operators may read the diagnosis.", code="FORBIDDEN")
        report = health.run_now() if call.request.GET.get("now") else health.latest()
        past = history.of_last_hour()
        known = health.checks()
        body = {
            "status": report.worst,
            "version": product_version(),
            "uptime": round(time.monotonic() - _STARTED, 3),
            "checkedAt": report.at or moment(),
            "checks": {
                name: {
                    "title": str(known[name].title) if name in known else name,
                    "status": found.status,
                    "message": found.message,
                    "figures": found.figures,
                    "seconds": found.seconds,
                    "history": past.get(name, []),
                }
                for name, found in report.findings.items()
            },
        }
        status = HTTPStatus.SERVICE_UNAVAILABLE if report.worst == "failed" else HTTPStatus.OK
        return answers.send(body, status=status)


class ServedHostDoor(OpenDoor):
    """`GET /healthz/host?domain=`: whether a certificate may be asked for that host; the front door's question.

    200 for the console's hosts and those of active tenants, else 404; visiting the host tells as much.
    """

    undocumented: ClassVar[bool] = True

    def get(self, call: Call) -> HttpResponse:
        domain = call.request.GET.get("domain", "").lower().rstrip(".")
        ours = domain in settings.PLATFORM_HOSTS or domain in settings.EXTRA_PLATFORM_HOSTS
        tenant = None if ours or not domain else hosts.get(domain)
        if ours or (tenant is not None and tenant.serves):
            return answers.send({"status": "ok"})
        raise NotFound("No tenant is served at this host.")


class ProtocolHealthDoor(OpenDoor):
    """`GET /api/v1/health` as the protocol shapes it."""

    @describe(
        "Alive, in the protocol's envelope", answer=shape(success={"const": True}, data=OBJECT), tag="health"
    )
    def get(self, call: Call) -> HttpResponse:
        uptime = round(time.monotonic() - _STARTED, 3)
        return answers.success(
            {"status": "ok", "timestamp": moment(), "version": product_version(), "uptime": uptime}
        )


class ProtocolReadyDoor(OpenDoor):
    """`GET /api/v1/ready` as the protocol shapes it."""

    @describe("Ready, in the protocol's envelope", answer=OBJECT, answers={503: OBJECT}, tag="health")
    def get(self, call: Call) -> HttpResponse:
        ready, _ = _ready()
        state = {"status": "ready" if ready else "unavailable", "state": "running" if ready else "degraded"}
        return answers.send({"success": ready, "data": state}, status=200 if ready else 503)
