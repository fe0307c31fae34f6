"""Rate limits of the API: per address before anything else, then per caller; told in standard headers.

Headers follow draft-ietf-httpapi-ratelimit-headers: `RateLimit-Policy: "caller";q=6000;w=60` and
`RateLimit: "caller";r=5999;t=1`. While the shared store is down every process counts alone, and the health
check `rate_limits` says so.
"""

import math
from functools import cache

from django.conf import settings

from apps.api.buckets import Limiter, Policy, Verdict, limiter_of
from apps.api.call import Call
from apps.core import context, health
from apps.core.errors import Problem

PER_CALLER = 6000
PER_ADDRESS = 12000


@cache
def limiter() -> Limiter:
    """Return this process's limiter."""
    return limiter_of()


def check_address(call: Call) -> None:
    """Count the request for its IP address; 429 when it sends too many."""
    quota = getattr(settings, "API_RATE_PER_ADDRESS", PER_ADDRESS)
    address = context.ip.get() or call.request.META.get("REMOTE_ADDR", "")
    _check(call, f"address:{address}", Policy("address", quota))


def check_caller(call: Call) -> None:
    """Count the request for the credential's key or user within its tenant; 429 when it sends too many."""
    if call.identity is None:
        return
    quota = getattr(settings, "API_RATE_PER_CALLER", PER_CALLER)
    actor = call.identity.actor
    tenant = call.tenant.id if call.tenant else "platform"
    _check(call, f"{tenant}:{actor.kind}:{actor.id}", Policy("caller", quota))


def _check(call: Call, key: str, policy: Policy) -> None:
    if policy.quota <= 0:
        return
    verdict = limiter().check(key, policy)
    call.limit_headers |= _headers(policy, verdict)
    if verdict.allowed:
        return
    wait = max(1, math.ceil(verdict.wait))
    raise Problem(
        "RATE_LIMIT_EXCEEDED",
        f"More than {policy.quota} requests in {policy.window} s from one {policy.name}.",
        status=429,
        cure=f"Wait {wait} s; read RateLimit to stay below.",
        headers={"Retry-After": str(wait)},
    )


def _headers(policy: Policy, verdict: Verdict) -> dict[str, str]:
    return {
        "RateLimit-Policy": f'"{policy.name}";q={policy.quota};w={policy.window}',
        "RateLimit": f'"{policy.name}";r={verdict.remaining};t={math.ceil(verdict.full_in)}',
    }


@health.check("rate_limits")
def _health() -> health.Finding:
    if limiter().degraded:
        message = f"The shared store is down ({limiter().last_error}); every process limits alone."
        return health.Finding("degraded", message)
    return health.Finding("ok", "Limits are counted across processes.")
