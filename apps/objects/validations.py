"""Validation rules as plain values: what a definition says a record must satisfy."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RULE_TYPES = ("script", "cross_field", "format", "state_machine", "json_schema", "conditional")
SEVERITIES = ("error", "warning", "info")
EVENTS = ("insert", "update")
FORMATS = ("email", "url", "phone", "json")


@dataclass(frozen=True, slots=True)
class Validation:
    """One rule; a `script` or `cross_field` condition that is TRUE is a violation.

    Expressions are texts, already judged. `transitions` maps a state to those that may follow it.
    """

    name: str
    type: str
    message: str
    label: str = ""
    active: bool = True
    events: frozenset[str] = frozenset(EVENTS)
    priority: int = 100
    severity: str = "error"
    condition: str | None = None
    fields: tuple[str, ...] = ()
    field: str | None = None
    transitions: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    initial_states: tuple[str, ...] | None = None
    regex: str | None = None
    format: str | None = None
    schema: Mapping[str, Any] | None = None
    when: str | None = None
    then: Validation | None = None
    otherwise: Validation | None = None

    def next_states(self, state: str | None) -> tuple[str, ...] | None:
        """Return the states that may follow `state`; from nothing, those to begin with. None means any."""
        if state is None:
            return self.initial_states
        return self.transitions.get(state, ())
