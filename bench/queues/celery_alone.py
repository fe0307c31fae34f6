"""Celery with a Valkey broker and nothing of ours: the message is the job."""

import os
import time

import psycopg
from celery import Celery

LATE = os.environ.get("BENCH_LATE") == "yes"
app = Celery("bench", broker=os.environ.get("BENCH_BROKER", "memory://"))
app.conf.update(
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    task_acks_late=LATE,
    task_reject_on_worker_lost=LATE,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": 10
    },  # an hour as delivered: nobody would wait for it here
)
lines: list[psycopg.Connection] = []


@app.task(name="bench.effect")
def effect(number: int, millis: int) -> None:
    """Write the effect, in a transaction of the task's own."""
    if not lines:
        lines.append(psycopg.connect(os.environ["BENCH_DATABASE"], autocommit=True))
    lines[0].execute("INSERT INTO public.bench_effect (number) VALUES (%s)", [number])
    time.sleep(millis / 1000)


def ask(number: int, millis: int = 0) -> None:
    """Send one message."""
    effect.delay(number, millis)
