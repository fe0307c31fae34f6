"""What a run must have led to: every job ended, every step's effect there once."""

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import psycopg

from tests.chaos.outside import Outside
from tests.chaos.server import patient
from tests.chaos.worker import OUTSIDE, STEPS

OPEN = "SELECT count(*) FROM public.events_job WHERE state IN ('queued', 'running') AND name LIKE 'chaos.%'"
STATES = "SELECT state, count(*) FROM public.events_job WHERE name LIKE 'chaos.%' GROUP BY 1"
EFFECTS = "SELECT chain, step, count(*) FROM public.chaos_effect GROUP BY 1, 2"
LOST = """
SELECT count(*) FROM public.events_job, jsonb_array_elements(attempts) one WHERE one->>'cause' LIKE 'The worker was lost%'
"""
STUCK = """
SELECT id, name, state, attempt, error, lease_until - clock_timestamp(), run_at - clock_timestamp(), asleep, worker
FROM public.events_job WHERE state IN ('queued', 'running') AND name LIKE 'chaos.%' LIMIT 5
"""


@dataclass(frozen=True)
class Outcome:
    """What was found: jobs by state, effects by chain and step, attempts whose worker was lost, seconds waited."""

    states: dict[str, int]
    effects: Counter[tuple[int, int]]
    lost: int
    seconds: float

    @property
    def doubled(self) -> dict[tuple[int, int], int]:
        """Effects that happened more than once."""
        return {key: number for key, number in self.effects.items() if number > 1}


def settle(url: str, seconds: float = 120.0) -> Outcome:
    """Wait until no job is open, at most `seconds`; return what there is."""
    began = time.monotonic()
    with patient(url) as admin:
        while _one(admin, OPEN):
            if time.monotonic() - began > seconds:
                msg = f"Jobs still open after {seconds} s: {admin.execute(STUCK).fetchall()}"
                raise AssertionError(msg)
            time.sleep(0.05)
        return Outcome(
            states=dict(admin.execute(STATES).fetchall()),
            effects=Counter({(row[0], row[1]): row[2] for row in admin.execute(EFFECTS).fetchall()}),
            lost=_one(admin, LOST),
            seconds=time.monotonic() - began,
        )


def all_once(found: Outcome, chains: int, outside: Outside) -> None:
    """Fail unless every chain's five steps were done, each with its effect once."""
    assert found.states == {"done": chains * STEPS}
    expected = {(chain, step) for chain in range(chains) for step in range(1, STEPS + 1) if step != OUTSIDE}
    assert set(found.effects) == expected
    assert found.doubled == {}
    assert outside.accepted == {f"{chain}:{OUTSIDE}": 1 for chain in range(chains)}


def _one(admin: psycopg.Connection[Any], statement: str) -> int:
    row = admin.execute(statement).fetchone()
    return int(row[0]) if row else 0
