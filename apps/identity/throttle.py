"""Slows down guessing without giving strangers the power to lock somebody out.

Three counters guard a sign-in: the account with the caller's address (or with the known browser), the address
alone, and the account alone. Beyond its free attempts a counter lets one attempt through per delay, which
doubles up to 15 minutes. The third one, which strangers can drive up, is not asked of a browser on which this
person has signed in before, nor of an address from which they did so lately.
"""

import hashlib
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from apps.core.errors import Problem

logger = logging.getLogger("aibos.identity")

WINDOW = 3600
LONGEST_DELAY = 900
_own = LocMemCache("identity-throttle", {})


@dataclass(frozen=True)
class Counter:
    """One thing that is counted: how many attempts an hour are free, and what it is called in the ledger."""

    name: str
    subject: str
    free: int

    @property
    def key(self) -> str:
        hashed = hashlib.sha256(f"{self.name}\x1f{self.subject}".encode()).hexdigest()[:40]
        return f"identity:throttle:{self.name}:{hashed}"


@dataclass
class Throttled(Problem):
    """429: too many attempts. `counter` tells which limit, `first` whether it has just been reached."""

    counter: str = ""
    first: bool = False


def counters(*, account: str, ip: str | None, device: str | None, known: bool) -> list[Counter]:
    """Return what a password attempt counts against; `known` waives the counter that strangers share."""
    found = [Counter("pair", f"{account}\x1f{device or ip}", 5)]
    if not device:
        found.append(Counter("ip", ip or "", 50))
    if not known:
        found.append(Counter("account", account, 20))
    return found


def spend(subjects: Iterable[Counter]) -> None:
    """Count one attempt, or raise `Throttled` with Retry-After; a refused attempt is not counted."""
    counted: list[Counter] = []
    for counter in subjects:
        try:
            _spend(counter)
        except Throttled:
            for earlier in counted:
                _back(earlier.key)
            raise
        counted.append(counter)


def forgive(subjects: Iterable[Counter]) -> None:
    """Forget the attempts, after a success; the address's own counter stays."""
    for counter in subjects:
        if counter.name != "ip":
            _store("delete_many", [counter.key, f"{counter.key}:gate", f"{counter.key}:told"])


def delay_after(attempts: int, free: int) -> int:
    """Return the seconds that must pass after the given attempt before the next one."""
    return 0 if attempts < free else min(2 ** min(attempts - free + 1, 20), LONGEST_DELAY)


def _spend(counter: Counter) -> None:
    attempts = _forward(counter.key)
    delay = delay_after(attempts, counter.free)
    gate, opens = f"{counter.key}:gate", time.time() + delay
    if attempts < counter.free:
        return
    if attempts == counter.free:
        _store("set", gate, opens, delay)
        return
    # add() is atomic: of many parallel attempts exactly one passes in each delay.
    if _store("add", gate, opens, delay):
        return
    _back(counter.key)
    left = max(1, round(float(_store("get", gate) or 0) - time.time()))
    raise Throttled(
        "RATE_LIMIT_EXCEEDED",
        _("Too many attempts. Try again in %(seconds)d seconds.") % {"seconds": left},
        status=429,
        headers={"Retry-After": str(left)},
        cure=_("Wait, or reset the password."),
        counter=counter.name,
        first=bool(_store("add", f"{counter.key}:told", 1, WINDOW)),
    )


def _forward(key: str) -> int:
    _store("add", key, 0, WINDOW)
    try:
        return int(_store("incr", key))
    except ValueError:  # it expired between add and incr
        _store("set", key, 1, WINDOW)
        return 1


def _back(key: str) -> None:
    try:
        _store("decr", key)
    except ValueError:
        return


def _store(method: str, *args: Any) -> Any:
    """Call the shared cache; while it does not answer, each process counts for itself."""
    try:
        return getattr(cache, method)(*args)
    except (RedisError, OSError):
        logger.warning("the cache does not answer; attempts are counted in this process")
        return getattr(_own, method)(*args)
