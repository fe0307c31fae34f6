"""Token buckets: one algorithm, kept in the shared store (Valkey) or in this process.

A bucket holds up to `quota` tokens and is refilled evenly over `window` seconds. Busy callers take several
tokens from the shared store at once (a lease), so that most requests make no round trip for it.
"""

import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any, Protocol

from django.core.cache import caches
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

LEASE_SECONDS = 1.0
LEASE_SHARE = 200
BUSY_SECONDS = 0.2
RETRY_STORE_SECONDS = 5.0
MAX_KEYS = 20_000

TAKE = """
local quota, window, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local state = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(state[1]) or quota
local at = tonumber(state[2]) or now
tokens = math.min(quota, tokens + math.max(0, now - at) * quota / window)
local granted = math.min(wanted, math.floor(tokens))
tokens = tokens - granted
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', tostring(now))
redis.call('PEXPIRE', KEYS[1], math.ceil(window * 1000) + 1000)
return {granted, tostring(tokens)}
"""


@dataclass(frozen=True)
class Policy:
    """A limit: `quota` requests in `window` seconds; `name` as the headers call it."""

    name: str
    quota: int
    window: int = 60

    @property
    def per_second(self) -> float:
        return self.quota / self.window


@dataclass(frozen=True)
class Verdict:
    """Whether a request may pass, how many may follow at once, and the seconds until one (or all) may."""

    allowed: bool
    remaining: int
    wait: float
    full_in: float


class Store(Protocol):
    """Where the buckets are."""

    def take(self, key: str, policy: Policy, wanted: int) -> tuple[int, float]:
        """Take up to `wanted` tokens; return (granted, tokens left)."""


class LocalStore:
    """Buckets of this process alone; the mode when the shared store is down, and without one."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = Lock()

    def take(self, key: str, policy: Policy, wanted: int) -> tuple[int, float]:
        now = time.monotonic()
        with self._lock:
            tokens, at = self._buckets.pop(key, (float(policy.quota), now))
            tokens = min(policy.quota, tokens + (now - at) * policy.per_second)
            granted = min(wanted, math.floor(tokens))
            self._buckets[key] = (tokens - granted, now)
            while len(self._buckets) > MAX_KEYS:
                self._buckets.popitem(last=False)
        return granted, tokens - granted


class SharedStore:
    """Buckets in Valkey, through the connection of Django's cache; raises `RedisError` when it is down."""

    def __init__(self, cache: RedisCache) -> None:
        self._cache = cache
        self._script: Any = None

    def take(self, key: str, policy: Policy, wanted: int) -> tuple[int, float]:
        client = self._cache._cache.get_client(None, write=True)  # noqa: SLF001 - Django offers no other way
        if self._script is None:
            self._script = client.register_script(TAKE)
        name = self._cache.make_and_validate_key(f"limit:{key}")
        granted, left = self._script(keys=[name], args=[policy.quota, policy.window, wanted], client=client)
        return int(granted), float(left)


@dataclass
class _Lease:
    tokens: int
    size: int
    taken_at: float
    left: float
    denied_until: float = 0.0


class Limiter:
    """Asks the shared store, or the local one while the shared one is down."""

    def __init__(self, shared: Store | None, local: Store | None = None) -> None:
        self._shared = shared
        self._local = local or LocalStore()
        self._leases: OrderedDict[str, _Lease] = OrderedDict()
        self._lock = Lock()
        self._down_until = 0.0
        self._denies_until = 0.0
        self.last_error = ""

    @property
    def degraded(self) -> bool:
        """Whether the shared store failed lately, so that each process counts alone."""
        return time.monotonic() < self._down_until

    def check(self, key: str, policy: Policy) -> Verdict:
        """Take one token of `key`; never raises."""
        now = time.monotonic()
        with self._lock:
            lease = self._leases.get(key)
            if lease and lease.denied_until > now:
                return _verdict(policy, allowed=False, left=0.0, wait=lease.denied_until - now)
            if lease and lease.tokens > 0 and now - lease.taken_at < LEASE_SECONDS:
                lease.tokens -= 1
                return _verdict(policy, allowed=True, left=lease.left + lease.tokens)
            wanted = _next_size(lease, policy, now)
        granted, left = self._take(key, policy, wanted)
        with self._lock:
            wait = 0.0 if granted else max(0.0, (1 - left) / policy.per_second)
            lease = _Lease(max(0, granted - 1), wanted, now, left, now + min(wait, LEASE_SECONDS))
            self._denies_until = max(self._denies_until, lease.denied_until if wait else 0.0)
            self._leases[key] = lease
            self._leases.move_to_end(key)
            while len(self._leases) > MAX_KEYS:
                self._leases.popitem(last=False)
        return _verdict(policy, allowed=granted > 0, left=left + lease.tokens, wait=wait)

    @property
    def denies(self) -> bool:
        """Whether any bucket is known to be empty now."""
        return time.monotonic() < self._denies_until

    def denied(self, key: str) -> float:
        """Return the seconds for which `key` is known to be empty, 0.0 when it may be asked; takes nothing."""
        lease = self._leases.get(key)
        return max(0.0, lease.denied_until - time.monotonic()) if lease else 0.0

    def spent(self, key: str, policy: Policy) -> int:
        """Return how many tokens of `key` are gone now; takes nothing."""
        _granted, left = self._take(key, policy, 0)
        lease = self._leases.get(key)
        return max(0, math.ceil(policy.quota - left) - (lease.tokens if lease else 0))

    def _take(self, key: str, policy: Policy, wanted: int) -> tuple[int, float]:
        if self._shared is not None and not self.degraded:
            try:
                return self._shared.take(key, policy, wanted)
            except (RedisError, OSError) as error:
                self._down_until = time.monotonic() + RETRY_STORE_SECONDS
                self.last_error = type(error).__name__
        return self._local.take(key, policy, wanted)


def _next_size(lease: _Lease | None, policy: Policy, now: float) -> int:
    if lease is None or lease.tokens > 0 or now - lease.taken_at > BUSY_SECONDS:
        return 1
    return max(1, min(lease.size * 2, policy.quota // LEASE_SHARE))


def _verdict(policy: Policy, *, allowed: bool, left: float, wait: float = 0.0) -> Verdict:
    return Verdict(allowed, math.floor(left), wait, max(0.0, (policy.quota - left) / policy.per_second))


def limiter_of(alias: str = "default") -> Limiter:
    """Return a limiter on the cache called `alias`; local buckets when that is not Valkey or Redis."""
    cache = caches[alias]
    return Limiter(SharedStore(cache) if isinstance(cache, RedisCache) else None)
