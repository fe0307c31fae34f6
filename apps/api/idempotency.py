"""`Idempotency-Key`: a retried write has one effect and gets the first answer again.

The answer is stored in the same transaction as the effect. So a process killed before the commit leaves
neither, and one killed after it leaves both. A second call while the first runs gets 409 at once, by an
advisory lock of the transaction. Refusals (4xx) have no effect and are not kept. Kept for 24 hours.
An answer with a secret in it is kept sealed: the key of the seal needs SECRET_KEY and the caller's own
`Idempotency-Key`, of which only a digest is stored.
"""

import datetime as dt
import hashlib
import os
from collections.abc import Callable
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
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
NONCE = 12
EVERYWHERE = "*"
# PUT and DELETE may be repeated by their nature; what a repeated POST or PATCH does is anybody's guess.
ASKED_FOR = frozenset({"POST", "PATCH"})


def is_required(method: str | None, area: str) -> bool:
    """Return whether API_IDEMPOTENCY_REQUIRED asks for a key with this method in this area of the API."""
    wanted = settings.API_IDEMPOTENCY_REQUIRED
    return method in ASKED_FOR and bool(wanted) and (EVERYWHERE in wanted or area in wanted)


def missing() -> Problem:
    """Return the refusal of a write without a key where one is required."""
    return Problem(
        "IDEMPOTENCY_KEY_REQUIRED",
        "This installation asks for an Idempotency-Key with this write.",
        status=400,
        cure="Send a new Idempotency-Key header (a UUID, for example) with every new request; see docs/api.md.",
    )


def answer_once(
    call: Call, handler: Callable[[], HttpResponseBase], *, sealed: bool = False
) -> HttpResponseBase:
    """Return the stored answer of this key, or run `handler` and store what it answers (`sealed`: a secret).

    Must run inside the tenant's transaction. Raises 409 IDEMPOTENCY_IN_FLIGHT and 422
    IDEMPOTENCY_KEY_REUSED (same key, other body or query string).
    """
    lookup, fingerprint = _lookup(call), _fingerprint(call)
    _take_turn(lookup)
    stored = IdempotencyAnswer.objects.filter(tenant_id=_tenant_id(call), lookup=lookup).first()
    if stored is not None and stored.expires_at > timezone.now():
        return _replay(call, stored, fingerprint)
    if stored is not None:
        stored.delete()
    response = handler()
    if isinstance(response, HttpResponse):
        _keep(call, lookup, fingerprint, response, sealed=sealed)
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


def _replay(call: Call, stored: IdempotencyAnswer, fingerprint: bytes) -> HttpResponse:
    if bytes(stored.fingerprint) != fingerprint:
        raise Problem(
            "IDEMPOTENCY_KEY_REUSED",
            "This Idempotency-Key was used for another request.",
            status=422,
            cure="Make a new key for every new request; repeat one only with the same body.",
        )
    body = bytes(stored.body)
    if stored.sealed:
        body = _opened(call, bytes(stored.lookup), body)
    response = HttpResponse(body, status=stored.status, content_type=JSON, headers=stored.headers)
    response.headers["Idempotency-Replayed"] = "true"
    return response


def _keep(call: Call, lookup: bytes, fingerprint: bytes, response: HttpResponse, *, sealed: bool) -> None:
    IdempotencyAnswer.objects.create(
        tenant_id=_tenant_id(call),
        lookup=lookup,
        fingerprint=fingerprint,
        status=response.status_code,
        headers={name: response.headers[name] for name in KEPT_HEADERS if name in response.headers},
        body=_closed(call, lookup, response.content) if sealed else response.content,
        sealed=sealed,
        expires_at=timezone.now() + KEPT_FOR,
    )


def _seal(call: Call, lookup: bytes, secret: str) -> AESGCM:
    told = b"aibos/idempotent-answer/" + (call.idempotency_key or "").encode()
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=lookup, info=told).derive(secret.encode()))


def _closed(call: Call, lookup: bytes, body: bytes) -> bytes:
    nonce = os.urandom(NONCE)
    return nonce + _seal(call, lookup, settings.SECRET_KEY).encrypt(nonce, body, lookup)


def _opened(call: Call, lookup: bytes, kept: bytes) -> bytes:
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        try:
            return _seal(call, lookup, secret).decrypt(kept[:NONCE], kept[NONCE:], lookup)
        except InvalidTag:
            continue
    raise Conflict(
        "The first request succeeded; its answer cannot be read again because SECRET_KEY has changed.",
        code="IDEMPOTENCY_ANSWER_LOST",
        cure="Look at what the first request made, and make a new one with a new key if you need to.",
    )
