"""`Idempotency-Key`: a retried write has one effect and gets the first answer again.

The answer is stored in the same transaction as the effect. So a process killed before the commit leaves
neither, and one killed after it leaves both. A second call while the first runs gets 409 at once, by an
advisory lock of the transaction. Refusals (4xx) have no effect and are not kept. Kept for 24 hours.
"""

import datetime as dt
import hashlib
from collections.abc import Callable
from uuid import UUID

from django.db import connections
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from apps.api.answers import JSON
from apps.api.call import Call
from apps.api.models import IdempotencyAnswer
from apps.core.errors import Conflict, Problem
from apps.core.scope import platform_scope

KEPT_FOR = dt.timedelta(hours=24)
RETRY_SECONDS = "1"
KEPT_HEADERS = ("ETag", "Location", "X-ObjectStack-Dropped-Fields", "Last-Modified")


def answer_once(call: Call, handler: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """Return the stored answer of this key, or run `handler` and store what it answers.

    Must run inside the tenant's transaction. Raises 409 IDEMPOTENCY_IN_FLIGHT and 422
    IDEMPOTENCY_KEY_REUSED (same key, other body or query string).
    """
    lookup, fingerprint = _lookup(call), _fingerprint(call)
    _take_turn(lookup)
    stored = IdempotencyAnswer.objects.filter(tenant_id=_tenant_id(call), lookup=lookup).first()
    if stored is not None and stored.expires_at > timezone.now():
        return _replay(stored, fingerprint)
    if stored is not None:
        stored.delete()
    response = handler()
    if isinstance(response, HttpResponse):
        _keep(call, lookup, fingerprint, response)
    return response


def sweep(now: dt.datetime | None = None) -> int:
    """Delete the answers that are past their day, of all tenants; return how many."""
    with platform_scope("sweep of expired idempotency answers"):
        deleted, _ = IdempotencyAnswer.objects.filter(expires_at__lte=now or timezone.now()).delete()
    return deleted


def _lookup(call: Call) -> bytes:
    actor = call.actor
    parts = (actor.kind, actor.id, call.request.method or "", call.request.path, call.idempotency_key or "")
    return hashlib.sha256("\0".join(parts).encode()).digest()


def _fingerprint(call: Call) -> bytes:
    query = call.request.META.get("QUERY_STRING", "").encode()
    return hashlib.sha256(query + b"\0" + call.raw).digest()


def _tenant_id(call: Call) -> UUID:
    if call.tenant is None:
        raise Problem("INVALID_REQUEST", "Idempotency-Key needs a tenant.", status=400)
    return call.tenant.id


def _take_turn(lookup: bytes) -> None:
    number = int.from_bytes(lookup[:8], signed=True)
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        if not cursor.fetchone()[0]:
            raise Conflict(
                "The first request with this Idempotency-Key is still running.",
                code="IDEMPOTENCY_IN_FLIGHT",
                headers={"Retry-After": RETRY_SECONDS},
            )


def _replay(stored: IdempotencyAnswer, fingerprint: bytes) -> HttpResponse:
    if bytes(stored.fingerprint) != fingerprint:
        raise Problem(
            "IDEMPOTENCY_KEY_REUSED",
            "This Idempotency-Key was used for another request.",
            status=422,
            cure="Make a new key for every new request; repeat one only with the same body.",
        )
    response = HttpResponse(
        bytes(stored.body), status=stored.status, content_type=JSON, headers=stored.headers
    )
    response.headers["Idempotency-Replayed"] = "true"
    return response


def _keep(call: Call, lookup: bytes, fingerprint: bytes, response: HttpResponse) -> None:
    IdempotencyAnswer.objects.create(
        tenant_id=_tenant_id(call),
        lookup=lookup,
        fingerprint=fingerprint,
        status=response.status_code,
        headers={name: response.headers[name] for name in KEPT_HEADERS if name in response.headers},
        body=response.content,
        expires_at=timezone.now() + KEPT_FOR,
    )
