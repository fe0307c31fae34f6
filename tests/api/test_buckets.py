"""The token bucket: what it grants, how it leases from the shared store, and what it does when that is down."""

import pytest
from redis.exceptions import ConnectionError as StoreDown

from apps.api import buckets, limits
from apps.api.buckets import Limiter, LocalStore, Policy

FIVE = Policy("caller", 5, 60)
MANY = Policy("caller", 2000, 60)


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1000.0

        def monotonic(self):
            return self.now

    made = Clock()
    monkeypatch.setattr(buckets, "time", made)
    return made


def test_a_full_bucket_grants_its_quota_and_no_more(clock):
    limiter = Limiter(None)
    verdicts = [limiter.check("a", FIVE) for _ in range(6)]
    assert [v.allowed for v in verdicts] == [True] * 5 + [False]
    assert [v.remaining for v in verdicts] == [4, 3, 2, 1, 0, 0]
    assert verdicts[-1].wait == pytest.approx(12, abs=0.1)


def test_a_bucket_refills_evenly(clock):
    limiter = Limiter(None)
    for _ in range(6):
        limiter.check("a", FIVE)
    clock.now += 12.1
    assert limiter.check("a", FIVE).allowed
    assert not limiter.check("a", FIVE).allowed


def test_keys_do_not_share_a_bucket(clock):
    limiter = Limiter(None)
    for _ in range(6):
        limiter.check("a", FIVE)
    assert limiter.check("b", FIVE).allowed


class Counting(LocalStore):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def take(self, key, policy, wanted):
        self.calls += 1
        return super().take(key, policy, wanted)


def test_a_busy_caller_asks_the_store_seldom_and_still_gets_exactly_the_quota(clock):
    store = Counting()
    limiter = Limiter(store)
    granted = sum(limiter.check("a", MANY).allowed for _ in range(3000))
    assert granted == 2000
    assert store.calls < 300


def test_two_processes_share_one_quota(clock):
    store = Counting()
    one, two = Limiter(store), Limiter(store)
    granted = sum(limiter.check("a", MANY).allowed for _ in range(3000) for limiter in (one, two))
    assert abs(granted - 2000) <= 2000 * 0.05


def test_without_a_shared_store_two_processes_each_grant_the_quota(clock):
    one, two = Limiter(None), Limiter(None)
    granted = sum(limiter.check("a", FIVE).allowed for _ in range(10) for limiter in (one, two))
    assert granted == 10


def test_a_slow_caller_takes_one_token_at_a_time(clock):
    store = Counting()
    limiter = Limiter(store)
    for _ in range(20):
        limiter.check("a", MANY)
        clock.now += 1
    granted, left = store.take("a", MANY, 0)
    assert (granted, store.calls) == (0, 21)
    assert left > MANY.quota - 40


class Broken:
    def take(self, key, policy, wanted):
        raise StoreDown


def test_a_dead_store_means_local_limits_and_says_so(clock):
    limiter = Limiter(Broken())
    assert [limiter.check("a", FIVE).allowed for _ in range(6)] == [True] * 5 + [False]
    assert limiter.degraded
    clock.now += buckets.RETRY_STORE_SECONDS + 1
    assert not limiter.degraded


def test_health_tells_that_limits_are_local(monkeypatch, clock):
    broken = Limiter(Broken())
    monkeypatch.setattr(limits, "limiter", lambda: broken)
    assert limits._health().status == "ok"
    broken.check("a", FIVE)
    assert limits._health().status == "degraded"


@pytest.mark.parametrize("written", ["", "10", "ten/m", "10/d", "-1/m"])
def test_a_limit_that_cannot_be_read_is_refused(written):
    with pytest.raises(ValueError, match="1200/m"):
        limits.policy("caller", written)


def test_a_limit_is_read():
    assert limits.policy("caller", "10/s") == Policy("caller", 10, 1)
    assert limits.policy("caller", "90/h") == Policy("caller", 90, 3600)
