"""Helpers of the tests of work: running what is due, reading rows past the walls, other processes."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import connections

from apps.core.scope import platform_scope
from apps.events.jobs import runner
from apps.events.models import Job

ROOT = Path(__file__).resolve().parents[2]


def job(job_id: UUID) -> Job:
    """Return the row of a job."""
    with platform_scope("test"):
        return Job.objects.get(pk=job_id)


def run_all(most: int = 1000) -> int:
    """Run everything due; return how many jobs."""
    done = 0
    while done < most and runner.run_next():
        done += 1
    return done


def make_due(job_id: UUID) -> None:
    """Forget the back-off of a job."""
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute("UPDATE public.events_job SET run_at = clock_timestamp() WHERE id = %s", [job_id])


def clear() -> None:
    """Remove all jobs and events of earlier tests."""
    with platform_scope("test"), connections["default"].cursor() as cursor:
        for table in ("job", "outbox", "inbox"):
            cursor.execute(f"DELETE FROM public.events_{table}")


def until(condition: Any, seconds: float = 60.0) -> None:
    """Wait until `condition()` holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def worker(*args: str) -> subprocess.Popen[str]:
    """Start another process that runs jobs (`python -m tests.events.worker`)."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.events.worker", *args],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.test"},
        stdout=subprocess.PIPE,
        text=True,
    )
