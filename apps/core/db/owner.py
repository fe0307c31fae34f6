"""DDL and migrations run on the owner's login, in one transaction with the rows that describe them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections

from apps.core.scope import ScopeConflict


@contextmanager
def owner_session() -> Iterator[Any]:
    """Within the block, this thread's default connection is the owner's; yields it.

    Enter it before any scope or transaction: a transaction of the application's login cannot be taken over.
    """
    mine, owner = connections["default"], connections["owner"]
    if mine is owner:
        yield owner
        return
    if mine.in_atomic_block:
        msg = "owner_session() must be entered before any scope: a transaction is open already."
        raise ScopeConflict(msg)
    alias, owner.alias = owner.alias, "default"
    connections["default"] = owner
    try:
        yield owner
    finally:
        owner.alias = alias
        connections["default"] = mine
        if not owner.in_atomic_block:
            owner.close()
