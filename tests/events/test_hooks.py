"""Hooks: in the chosen order, once where asked, and one that fails breaks nothing."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from django.db import connections

from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.events import hooks, outbox, registry
from apps.events.delivery import GROUP, Delivery
from apps.events.models import HookState
from apps.events.reader import Reader, lag
from apps.events.registry import EventType
from apps.events.types import Event
from tests.events.working import clear, run_all, until


@pytest.fixture(autouse=True)
def quiet(acme: TenantRef, own_tasks: None) -> Iterator[None]:
    """A type of the tests' own; hooks and what is remembered of them are gone afterwards."""
    before = dict(hooks.own._values)
    registry.register(EventType("hook.tested", "A test."))
    clear()
    yield
    hooks.own._values.clear()
    hooks.own._values.update(before)
    clear()
    with platform_scope("test"):
        HookState.objects.all().delete()


def emit(tenant: TenantRef, **data: object) -> UUID:
    with tenant_scope(tenant):
        return outbox.emit("hook.tested", subject="hook:1", data=data, by=SYSTEM)


def deliver() -> None:
    def everything() -> bool:
        Reader(GROUP, Delivery(), bus="postgresql").drain()
        return not lag(GROUP, bus="postgresql").events

    until(everything)


def test_the_lower_number_goes_first_and_equals_as_declared(acme: TenantRef) -> None:
    seen: list[str] = []
    for name, priority in (("late", 200), ("first", 1), ("normal", 100), ("also normal", 100)):
        hooks.on("hook.*", priority=priority, name=name)(lambda _event, name=name: seen.append(name))
    hooks.on("hook.other", name="deaf")(lambda _event: seen.append("deaf"))
    emit(acme)
    deliver()
    assert seen == ["first", "normal", "also normal", "late"]


def test_a_hook_that_fails_is_undone_alone_counted_and_breaks_nothing(acme: TenantRef) -> None:
    seen: list[str] = []

    @hooks.on("hook.tested", priority=1, name="broken")
    def broken(event: Event) -> None:
        outbox.emit("hook.tested", subject="hook:never", by=SYSTEM)
        raise OSError("no network")

    @hooks.on("hook.tested", priority=2, name="sql")
    def wrong(event: Event) -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT 1/0")

    hooks.on("hook.tested", priority=3, name="healthy")(lambda event: seen.append(str(event.subject)))
    emit(acme)
    emit(acme)
    deliver()
    assert seen == ["hook:1", "hook:1"], "what the failing hook wrote is gone with it"
    with tenant_scope(acme):
        kept = {row.hook: (row.failures, row.error) for row in HookState.objects.all()}
    assert kept == {"broken": (2, "OSError: no network"), "sql": (2, "DataError: division by zero")}
    assert run_all() == 0, "a hook is not tried again"


def test_once_is_once_in_each_tenant_and_not_before_it_worked(acme: TenantRef, globex: TenantRef) -> None:
    seen: list[tuple[str, int]] = []

    @hooks.on("hook.tested", once=True, name="welcome")
    def welcome(event: Event) -> None:
        if event.data["n"] == 0:
            raise OSError("not yet")
        seen.append((str(event.tenant_id), event.data["n"]))

    for number in range(4):
        emit(acme, n=number)
        emit(globex, n=number)
    deliver()
    assert sorted(seen) == sorted([(str(acme.id), 1), (str(globex.id), 1)])


def test_a_circle_of_hooks_ends(acme: TenantRef) -> None:
    seen: list[int] = []

    @hooks.on("hook.tested", name="echo")
    def echo(event: Event) -> None:
        seen.append(event.depth)
        outbox.emit("hook.tested", by=SYSTEM)

    emit(acme)
    for _ in range(hooks.DEEPEST + 3):
        deliver()
    assert seen == list(range(hooks.DEEPEST))


def test_hooks_of_the_platforms_events_run_too(acme: TenantRef) -> None:
    seen: list[object] = []
    hooks.on("hook.tested", name="platform")(lambda event: seen.append(event.tenant_id))
    with platform_scope("test"):
        outbox.emit("hook.tested", by=SYSTEM)
    deliver()
    assert seen == [None]
