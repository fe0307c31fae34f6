"""A process of the chaos: a worker or a pump with tasks whose effects can be counted."""

import http.client
import os
import sys
import threading
import time
from typing import Any
from uuid import UUID

from django.db import connections

from apps.core import queue
from apps.core.actor import SYSTEM
from apps.core.chores import chores
from apps.core.scope import platform_scope, tenant_scope
from apps.events.jobs import runner, sweeper
from apps.events.schedules import scheduler
from apps.tenants import queries as tenants
from config.settings.base import database
from tests.chaos.breaking import BROKEN
from tests.chaos.points import arm, point

STEPS, OUTSIDE = 5, 3
EFFECT = "INSERT INTO public.chaos_effect (chain, step, job) VALUES (%s, %s, %s)"
options: dict[str, Any] = {}


def name_of(step: int) -> str:
    """Return the task that does a step."""
    return "chaos.call" if step == OUTSIDE else "chaos.step"


def ask(tenant: UUID, chain: int, step: int) -> None:
    """Ask for a step of a chain, once."""
    queue.enqueue(
        name_of(step),
        tenant=tenant,
        args={"chain": chain, "step": step},
        title=f"Chain {chain}, step {step}",
        by=SYSTEM,
        key=f"{chain}:{step}",
    )


def unlucky(chain: int, step: int) -> bool:
    """Whether a step fails when it is tried for the first time: three chains in ten have one such step."""
    return chain % 10 < 3 and step == 1 + chain % STEPS


@queue.task("chaos.step", max_attempts=100, waits=(0.05,))
def do_step(job: queue.JobHandle, *, chain: int, step: int) -> dict[str, Any]:
    """Write one effect into the database and ask for the next step."""
    point("before the effect")
    if unlucky(chain, step) and job.attempt == 1:
        raise RuntimeError("the customer's card was refused")
    with connections["default"].cursor() as cursor:
        cursor.execute(EFFECT, [chain, step, job.id])
    point("after the effect, before the next step is asked for")
    time.sleep(options.get("seconds", 0.01))
    assert job.tenant_id is not None
    if step < STEPS:
        ask(job.tenant_id, chain, step + 1)
    point("next step asked for, not completed")
    return {"step": step}


@queue.task("chaos.call", max_attempts=100, waits=(0.05,), manages_scope=True)
def do_call(job: queue.JobHandle, *, chain: int, step: int) -> dict[str, Any]:
    """Call the service outside with a key that is the same in each attempt, then ask for the next step."""
    if unlucky(chain, step) and job.attempt == 1:
        raise RuntimeError("the service was not there")
    line = http.client.HTTPConnection("127.0.0.1", options["outside"], timeout=10)
    line.request("POST", f"/{chain}:{step}")
    line.getresponse().read()
    line.close()
    point("outside effect made, not completed")
    assert job.tenant_id is not None
    with platform_scope("chaos: whose job"):
        tenant = tenants.ref_of(job.tenant_id)
    assert tenant is not None
    with tenant_scope(tenant):
        ask(job.tenant_id, chain, step + 1)
    return {"step": step}


@queue.task("chaos.tick", max_attempts=100)
def do_tick(job: queue.JobHandle, *, number: int) -> None:
    """Write one effect for the moment of a schedule."""
    assert job.due is not None
    with connections["default"].cursor() as cursor:
        cursor.execute(EFFECT, [number, int(job.due.timestamp()), job.id])


def run(order: dict[str, Any]) -> None:
    """Become what the order says, for ever."""
    options.update(order)
    for alias, url in (("default", order["app"]), ("owner", order["owner"])):
        connections.settings[alias].update(database(url, owner=alias == "owner"))
    if order.get("broken"):
        BROKEN[order["broken"]]()
    if order.get("point"):
        arm(order["point"], order.get("time", 1))
    stop = threading.Event()
    if order["role"] == "worker":
        runner.work_forever(stop, lease=order["lease"], pause=0.02)
    elif order["role"] == "pump":
        sweeper.LOOK = 0.05
        chores._values.clear()  # the product's own schedules would only be in the way here
        threading.Thread(target=sweeper.sweep_forever, args=(stop, 0.2), daemon=True).start()
        scheduler.run_forever(stop, pause=0.1)
    sys.stdout.flush()
    os._exit(0)
