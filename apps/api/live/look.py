"""One look at a job for one caller: everything is asked anew each time, so nothing outlives its right.

What a door of the API does before it answers happens here for every look: the tenant of the host, the
credential, the tenant's state, the job in the tenant's scope, and whether the caller may know of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, TypeVar
from uuid import UUID

from channels.db import database_sync_to_async
from django.core.exceptions import SuspiciousOperation
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse

from apps.api import answers, limits
from apps.api.call import Call
from apps.api.jobs import mine
from apps.api.tenancy import find_tenant
from apps.core import context
from apps.core.errors import NotFound, PermissionDenied, Problem, Unauthenticated
from apps.core.http import client_ip
from apps.core.ids import uuid7
from apps.core.scope import platform_scope, tenant_scope
from apps.events.jobs import queries
from apps.events.types import JobView
from apps.identity.resolve import Identity, identify
from apps.tenants.middleware import TenantMiddleware

T = TypeVar("T")
SCHEMES = {"ws": "http", "wss": "https"}


@dataclass(frozen=True)
class Sight:
    """A job as it stands, and the caller that may see it, as limits count callers."""

    job: JobView
    caller: str

    @property
    def frame(self) -> bytes:
        """The state as JSON: `{id, state, done, total, message, result?, error?}`."""
        job = self.job
        told: dict[str, Any] = {"id": str(job.id), "state": job.state, "done": job.done, "total": job.total}
        told["message"] = job.message
        if job.result is not None:
            told["result"] = dict(job.result)
        if job.error:
            told["error"] = job.error
        return answers.encode(told)


def request_of(scope: dict[str, Any]) -> HttpRequest:
    """Return the ASGI scope of a socket or a stream as the request that every resolver reads."""
    request = ASGIRequest({"method": "GET", **scope}, BytesIO())
    request.request_id = str(uuid7())  # type: ignore[attr-defined]
    return request


@database_sync_to_async
def look(request: HttpRequest, job_id: UUID, *, first: bool) -> Sight:
    """Return the job as the caller may see it now; raise `Problem` when it may not, as the API would.

    The first look is counted against the limits of address, caller and tenant.
    """
    return told(request, lambda: _look(request, job_id, first=first))


def told(request: HttpRequest, work: Callable[[], T]) -> T:
    """Return `work()` with the request's id and address at hand; a request that cannot be read is a `Problem`."""
    with context.carrying(
        request_id=request.request_id,  # type: ignore[attr-defined]
        ip=client_ip(request),
    ):
        try:
            return work()
        except SuspiciousOperation as error:
            raise Problem("INVALID_REQUEST", f"The request cannot be read: {error}", status=400) from None


def _look(request: HttpRequest, job_id: UUID, *, first: bool) -> Sight:
    call, identity = arrive(request, first=first)
    return Sight(_job(call, identity, job_id), name_of(call, identity))


def arrive(request: HttpRequest, *, first: bool) -> tuple[Call, Identity]:
    """Return the call and who makes it, asked anew; `first` counts it against the limits and judges its origin.

    Raises `Problem` as a door of the API would.
    """
    call = Call(request)
    if first:
        limits.check_address(call)
    _find_host(request)
    identity = identify(request)
    if identity is None:
        raise Unauthenticated("Authentication is required to follow.")
    if first and identity.from_cookie:
        check_origin(request)
    if identity.actor.scopes is not None and not identity.actor.scopes:
        raise PermissionDenied("This key's scopes do not allow to read.", code="FORBIDDEN")
    call.identity, call.snapshot = identity, find_tenant(request, identity)
    call.tenant = call.snapshot.ref if call.snapshot else None
    if first:
        limits.check_caller(call)
        limits.check_tenant(call)
    return call, identity


@database_sync_to_async
def greet(request: HttpRequest) -> None:
    """Raise `Problem` when whoever opens a socket may not follow anything at its host."""
    told(request, lambda: arrive(request, first=True))


def _job(call: Call, identity: Identity, job_id: UUID) -> JobView:
    """Return the job when the caller may know of it; a foreign one is as absent as one that never was."""
    absent = NotFound("There is no such job.", code="RESOURCE_NOT_FOUND")
    try:
        if call.tenant is not None:
            with tenant_scope(call.tenant):
                job = queries.get(job_id)
            seen = mine(job, identity.actor)
        else:
            if identity.actor.kind != "operator" or not identity.from_cookie:
                raise absent
            with platform_scope("an operator follows a job"):
                job = queries.get(job_id)
            seen = job.tenant_id is None and (identity.user.is_superuser or job.actor_id == identity.actor.id)
    except NotFound:
        raise absent from None
    if not seen:
        raise absent
    return job


def name_of(call: Call, identity: Identity) -> str:
    """Return the caller as limits count callers."""
    home = call.tenant.id if call.tenant else "platform"
    return f"{home}:{identity.actor.kind}:{identity.actor.id}"


def _find_host(request: HttpRequest) -> None:
    """Set `request.tenant` as it is set for every request; raise 404 or 403 where pages would say so."""
    passed = HttpResponse()
    answer = TenantMiddleware(lambda _request: passed)(request)
    if answer is not passed:
        closed = answer.status_code == 403
        code, words = ("TENANT_SUSPENDED", "is closed") if closed else ("TENANT_NOT_FOUND", "is not served")
        raise Problem(code, f"The tenant of this address {words}.", status=answer.status_code)


def check_origin(request: HttpRequest) -> None:
    """Refuse a cookie that a page of another site sent along.

    A WebSocket must name the Origin of this very host: browsers always do. For a stream they leave it out when
    it is the same, so there only what is sent counts.
    """
    scheme = request.scheme or ""
    here = f"{SCHEMES.get(scheme, scheme)}://{request.get_host()}"
    origin = request.META.get("HTTP_ORIGIN")
    site = request.META.get("HTTP_SEC_FETCH_SITE", "same-origin")
    socket = request.scope["type"] == "websocket"  # type: ignore[attr-defined]
    if origin == here or (origin is None and not socket and site in {"same-origin", "none"}):
        return
    raise PermissionDenied("A page of another site sent this session cookie.", code="ORIGIN_REFUSED")
