"""Tasks, event types and subscribers of the tests, taken away again after each."""

from collections.abc import Iterator

import pytest

from apps.core import queue
from apps.core.actor import Actor
from apps.core.scope import TenantRef
from apps.events import registry


@pytest.fixture
def own_tasks() -> Iterator[None]:
    """What a test registers is gone after it."""
    registers = (queue.tasks, registry.event_types, registry.subscribers)
    before = [dict(item._values) for item in registers]
    yield
    for item, values in zip(registers, before, strict=True):
        item._values.clear()
        item._values.update(values)


@pytest.fixture
def anna(acme: TenantRef) -> Actor:
    """A member of acme."""
    return Actor(kind="member", id="0192-anna", label="Anna Adler", tenant_id=acme.id, role="member")
