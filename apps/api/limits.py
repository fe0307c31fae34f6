"""Rate limits of the API: per address before anything else, then per caller and tenant; told in standard headers.

Headers follow draft-ietf-httpapi-ratelimit-headers: `RateLimit-Policy: "caller";q=1200;w=60` and
`RateLimit: "caller";r=1199;t=1`, the tenant's beside the caller's. While the shared store is down every process counts alone, and the health
check `rate_limits` says so.
"""

import math
from functools import cache

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from apps.api.buckets import Limiter, Policy, Verdict, limiter_of
from apps.api.call import Call
from apps.core import context, health
from apps.core.errors import Problem
from apps.core.scope import TenantRef
from apps.identity.resolve import recall
from apps.tenants import queries, quotas
from apps.tenants.queries import TenantSnapshot

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


def check_tenant(call: Call) -> None:
    """Count the request for its tenant; 429 QUOTA_EXCEEDED when the tenant sends more than its plan allows."""
    if call.snapshot is None or (rule := _plan(call.snapshot)) is None:
        return
    if rule.quota == 0:
        raise _over_plan(rule, float(rule.window))
    verdict = limiter().check(_tenant_key(call.snapshot, rule), rule)
    told = _headers(rule, verdict)
    if call.limit_headers.get("RateLimit", "").startswith('"caller"'):
        told = {name: f"{call.limit_headers[name]}, {value}" for name, value in told.items()}
    call.limit_headers |= told
    if not verdict.allowed:
        raise _over_plan(rule, verdict.wait)


def check_empty(call: Call) -> None:
    """Refuse at once, before any statement, what a tenant sends while its bucket is known to be empty.

    Who asks is believed as this process last saw them; the bucket is asked again within a second.
    """
    if not limiter().denies:
        return
    identity = recall(call.request)
    seen = queries.by_id.peek(None, identity.tenant.id) if identity and identity.tenant else None
    rule = _plan(seen[1]) if seen and seen[1] else None
    if seen is None or seen[1] is None or rule is None:
        return
    wait = limiter().denied(_tenant_key(seen[1], rule))
    if wait > 0:
        call.limit_headers |= _headers(
            rule, Verdict(allowed=False, remaining=0, wait=wait, full_in=rule.window)
        )
        raise _over_plan(rule, wait)


def used(tenant: TenantRef) -> int:
    """Return how many requests of the tenant's plan are spent; the gauge of the quota."""
    found = queries.snapshot(tenant.id)
    rule = _plan(found) if found else None
    return limiter().spent(_tenant_key(found, rule), rule) if found and rule and rule.quota else 0


def _plan(tenant: TenantSnapshot) -> Policy | None:
    limit = tenant.quotas.get("requests_minute")
    return None if limit is None else Policy("tenant", limit)


def _tenant_key(tenant: TenantSnapshot, rule: Policy) -> str:
    # Another plan is another bucket: its limit holds at once.
    return f"{tenant.id}:plan:{rule.quota}"


def _over_plan(rule: Policy, wait: float) -> Problem:
    seconds = max(1, math.ceil(wait))
    return quotas.refused(
        "requests_minute",
        rule.quota,
        rule.quota,
        status=429,
        cure=f"Wait {seconds} s and read RateLimit to stay below, or ask for a larger plan.",
        headers={"Retry-After": str(seconds)},
    )


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


@health.check("rate_limits", title=_("Rate limits"), local=True)
def _health() -> health.Finding:
    if limiter().degraded:
        message = f"The shared store is down ({limiter().last_error}); every process limits alone."
        return health.Finding("degraded", message)
    return health.Finding("ok", "Limits are counted across processes.")
