"""A task to follow, and looks in quick succession."""

from collections.abc import Iterator

import pytest

from apps.api.live import follow
from apps.core import queue


@pytest.fixture(autouse=True)
def followed(clean_connection: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The task `live.test`, gone after the test; without a herald the row is looked at every 50 ms."""
    before = dict(queue.tasks._values)

    @queue.task("live.test", tenant="optional")
    def run(job: queue.JobHandle, *, steps: int = 3) -> dict[str, int]:
        for step in range(1, steps + 1):
            job.progress(step, steps, f"Step {step}")
        return {"steps": steps}

    monkeypatch.setattr(follow, "EVERY", 0.05)
    yield
    queue.tasks._values.clear()
    queue.tasks._values.update(before)
