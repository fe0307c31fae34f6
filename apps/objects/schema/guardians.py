"""Guardians of breaking changes: each may hold one back with a reason; higher apps register theirs."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import Any

from apps.core.actor import Actor
from apps.core.errors import Conflict
from apps.core.registry import Registry

logger = logging.getLogger("aibos.schema")


class Guardian(ABC):
    """Judges a plan of the class "breaking" before it is carried out, in the tenant's scope."""

    @abstractmethod
    def objection(self, plan: Any, *, by: Actor) -> str | None:
        """Return why the change must wait, or None."""


guardians: Registry[Guardian] = Registry("guardians of schema changes", Guardian)


def ask(plan: Any, *, by: Actor) -> None:
    """Raise `Conflict` SCHEMA_HELD with every guardian's reason; one that fails to answer holds the change."""
    reasons = {}
    for name, guardian in guardians.items():
        try:
            reason = guardian.objection(plan, by=by)
        except Exception:
            logger.exception("The guardian %s did not answer.", name)
            reason = "It did not answer."
        if reason:
            reasons[name] = reason
    if reasons:
        said = " ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise Conflict(
            f"This change is held: {said}",
            code="SCHEMA_HELD",
            details={"guardians": reasons, "plan": plan.as_dict()},
        )
