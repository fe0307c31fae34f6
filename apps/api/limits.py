"""Rate limits of the API: per address before anything else, then per caller; told in standard headers.

Headers follow draft-ietf-httpapi-ratelimit-headers: `RateLimit-Policy: "caller";q=1200;w=60` and
`RateLimit: "caller";r=1199;t=1`. While the shared store is down every process counts alone, and the health
check `rate_limits` says so.
"""

import math
from functools import cache

from django.conf import settings

from apps.api.buckets import Limiter, Policy, Verdict, limiter_of
from apps.api.call import Call
from apps.core import context, health
from apps.core.errors import Problem

_WINDOWS = {"s": 1, "m": 60, "h": 3600}


@cache
def policy(name: str, written: str) -> Policy:
    """Return the policy written as `1200/m` (s, m or h); a quota of 0 turns the limit off."""
    quota, _, unit = written.partition("/")
    if not quota.strip().isdigit() or unit.strip() not in _WINDOWS:
        msg = f"A rate limit is written like 1200/m, not {written!r}."
        raise ValueError(msg)
    return Policy(name, int(quota), _WINDOWS[unit.strip()])


@cache
def limiter() -> Limiter:
    """Return this process's limiter."""
    return limiter_of()


def check_address(call: Call) -> None:
    """Count the request for its IP address; 429 when it sends too many."""
    address = context.ip.get() or call.request.META.get("REMOTE_ADDR", "")
    _check(call, f"address:{address}", policy("address", settings.RATE_LIMIT_IP))


def check_caller(call: Call) -> None:
    """Count the request for the credential's key or user within its tenant; 429 when it sends too many."""
    if call.identity is None:
        return
    actor = call.identity.actor
    tenant = call.tenant.id if call.tenant else "platform"
    _check(call, f"{tenant}:{actor.kind}:{actor.id}", policy("caller", settings.RATE_LIMIT_USER))


def _check(call: Call, key: str, rule: Policy) -> None:
    if rule.quota <= 0:
        return
    verdict = limiter().check(key, rule)
    call.limit_headers |= _headers(rule, verdict)
    if verdict.allowed:
        return
    wait = max(1, math.ceil(verdict.wait))
    raise Problem(
        "RATE_LIMIT_EXCEEDED",
        f"More than {rule.quota} requests in {rule.window} s from one {rule.name}.",
        status=429,
        cure=f"Wait {wait} s; read RateLimit to stay below.",
        headers={"Retry-After": str(wait)},
    )


def _headers(rule: Policy, verdict: Verdict) -> dict[str, str]:
    return {
        "RateLimit-Policy": f'"{rule.name}";q={rule.quota};w={rule.window}',
        "RateLimit": f'"{rule.name}";r={verdict.remaining};t={math.ceil(verdict.full_in)}',
    }


@health.check("rate_limits")
def _health() -> health.Finding:
    if limiter().degraded:
        message = f"The shared store is down ({limiter().last_error}); every process limits alone."
        return health.Finding("degraded", message)
    return health.Finding("ok", "Limits are counted across processes.")
