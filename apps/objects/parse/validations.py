"""Reading validation rules: their keys, and what each type of rule needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from apps.core.cel import Fault
from apps.core.cel.library import matches
from apps.events.schema import Schema
from apps.objects.definitions import FieldDef
from apps.objects.parse.shape import (
    BAD,
    Key,
    Reading,
    anything,
    boolean,
    choice,
    expression,
    integer,
    items,
    name,
    read_shape,
    text,
)
from apps.objects.parse.tree import Spot
from apps.objects.validations import EVENTS, FORMATS, RULE_TYPES, SEVERITIES, Validation

MOST_RULES = 100
DEPTH = 4
ENFORCED = "apps.objects.records.rules:judge_change"
TESTS = "tests/objects/test_rules.py::"
COMMON = frozenset({"name", "type", "message", "label", "active", "events", "priority", "severity"})
NEEDED: Mapping[str, tuple[str, ...]] = {
    "script": ("condition",),
    "cross_field": ("condition", "fields"),
    "format": ("field",),
    "state_machine": ("field", "transitions"),
    "json_schema": ("field", "schema"),
    "conditional": ("when", "then"),
}
MORE: Mapping[str, frozenset[str]] = {
    "format": frozenset({"regex", "format"}),
    "state_machine": frozenset({"initialStates"}),
    "conditional": frozenset({"otherwise"}),
}
INHERITED: tuple[str, ...] = ("name", "message", "severity", "events", "priority")
_state = text(80)


def _transitions(reading: Reading, spot: Spot) -> Any:
    if not isinstance(spot.value, dict):
        return reading.fail(
            spot, "invalid_type", "transitions maps a state to those after it.", "Write {new: [open]}."
        )
    found = {state: items(_state)(reading, child) for state, child in spot.value.items()}
    return BAD if any(after is BAD for after in found.values()) else found


def _events(reading: Reading, spot: Spot) -> Any:
    found = items(choice(*EVENTS))(reading, spot)
    return found if found is BAD else frozenset(found)


RULE_KEYS: Mapping[str, Key] = {
    "name": Key(
        "name", name(60), "Name of the rule.", ENFORCED, TESTS + "test_rules_are_judged_when_published"
    ),
    "type": Key(
        "type",
        choice(*RULE_TYPES),
        "script, cross_field, format, state_machine, json_schema or conditional.",
        ENFORCED,
        TESTS + "test_a_script_that_is_true_refuses_the_write",
    ),
    "message": Key(
        "message",
        text(500),
        "What people read when the rule is broken.",
        ENFORCED,
        TESTS + "test_a_script_that_is_true_refuses_the_write",
    ),
    "label": Key(
        "label",
        text(120),
        "Its name for people.",
        "apps.objects.describe:validation_item",
        TESTS + "test_described",
    ),
    "active": Key(
        "active", boolean, "False switches it off.", "apps.objects.conditions:of", TESTS + "test_inactive"
    ),
    "events": Key("events", _events, "insert, update, or both.", ENFORCED, TESTS + "test_events"),
    "priority": Key(
        "priority",
        integer(0, 9999),
        "Lower ones are told first.",
        "apps.objects.conditions:of",
        TESTS + "test_priority",
    ),
    "severity": Key(
        "severity",
        choice(*SEVERITIES),
        "error refuses the write; warning and info are told with it.",
        ENFORCED,
        TESTS + "test_a_warning_is_told_and_the_write_stands",
    ),
    "condition": Key(
        "condition",
        expression,
        "CEL; TRUE is a violation, and so is a fault.",
        ENFORCED,
        TESTS + "test_a_rule_that_faults_refuses_the_write",
    ),
    "fields": Key(
        "fields",
        items(name(), most=20),
        "The fields a cross_field rule is about; the first one shows the message.",
        ENFORCED,
        TESTS + "test_cross_field",
    ),
    "field": Key("field", name(), "The field a rule is about.", ENFORCED, TESTS + "test_format"),
    "regex": Key("regex", text(500), "Pattern (RE2) found in the text.", ENFORCED, TESTS + "test_format"),
    "format": Key("format", choice(*FORMATS), "email, url, phone or json.", ENFORCED, TESTS + "test_format"),
    "transitions": Key(
        "transitions", _transitions, "State → states that may follow.", ENFORCED, TESTS + "test_state_machine"
    ),
    "initialStates": Key(
        "initial_states",
        items(_state),
        "States a new record may have; any when absent.",
        ENFORCED,
        TESTS + "test_state_machine",
    ),
    "schema": Key("schema", anything, "JSON Schema of a json field.", ENFORCED, TESTS + "test_json_schema"),
    "when": Key(
        "when",
        expression,
        "CEL that chooses between then and otherwise.",
        ENFORCED,
        TESTS + "test_conditional",
    ),
    "then": Key("then", anything, "The rule while `when` is true.", ENFORCED, TESTS + "test_conditional"),
    "otherwise": Key(
        "otherwise", anything, "The rule while it is false.", ENFORCED, TESTS + "test_conditional"
    ),
}


def read_validations(reading: Reading, spot: Spot, fields: Mapping[str, FieldDef]) -> tuple[Validation, ...]:
    """Return the rules; each needs its own name, and what its type asks for."""
    if not isinstance(spot.value, list) or len(spot.value) > MOST_RULES:
        reading.fail(spot, "invalid_type", f"validations is a list of at most {MOST_RULES} rules.")
        return ()
    found = [rule for child in spot.value if (rule := _rule(reading, child, fields, {}, 0)) is not None]
    names = [rule.name for rule in found]
    for twice in dict.fromkeys(n for n in names if names.count(n) > 1):
        reading.fail(spot, "duplicate", f"Two rules are called {twice!r}.", "Rename one.")
    return tuple(found)


def _rule(
    reading: Reading, spot: Spot, fields: Mapping[str, FieldDef], outer: Mapping[str, Any], depth: int
) -> Validation | None:
    before = len(reading.errors)
    if depth > DEPTH:
        reading.fail(spot, "too_large", "The rules are nested too deeply.")
        return None
    found = read_shape(reading, spot, RULE_KEYS)
    if not isinstance(spot.value, dict):
        return None
    # A rule inside another is told under the outer one's name and message unless it has its own.
    found = {**outer, **found}
    for key in ("name", "type", "message", *NEEDED.get(found.get("type", ""), ())):
        if key not in spot.value and RULE_KEYS[key].attr not in outer:
            reading.fail(spot, "required", f"The rule has no {key}.", f"Add {key}: ….")
    kind = found.get("type")
    if kind is not None:
        _judge_keys(reading, spot, kind)
    inner = {key: found[key] for key in INHERITED if key in found}
    for key in ("then", "otherwise"):
        if key in found:
            found[key] = _rule(reading, found[key], fields, inner, depth + 1)
    if isinstance(found.get("schema"), Spot):
        found["schema"] = _schema(reading, found["schema"])
    _judge_fields(reading, spot, found, fields)
    if len(reading.errors) > before:
        return None
    names = {f.name for f in dataclasses.fields(Validation)}
    return Validation(**{key: value for key, value in found.items() if key in names})


def _judge_keys(reading: Reading, spot: Spot, kind: str) -> None:
    allowed = COMMON | set(NEEDED[kind]) | MORE.get(kind, frozenset())
    for key, child in spot.value.items():
        if key in RULE_KEYS and key not in allowed:
            reading.fail(child, "not_applicable", f"A {kind} rule has no {key!r}.", "Remove it.")
    if kind == "format" and ("regex" in spot.value) == ("format" in spot.value):
        reading.fail(spot, "conflict", "A format rule has a regex or a format.", "Give one of them.")


def _schema(reading: Reading, spot: Spot) -> Any:
    plain = spot.plain()
    try:
        Schema(plain)
    except (ValueError, TypeError, AttributeError) as error:
        reading.fail(spot, "invalid_value", str(error))
    return plain


def _judge_fields(
    reading: Reading, spot: Spot, found: Mapping[str, Any], fields: Mapping[str, FieldDef]
) -> None:
    named = [*found.get("fields", ()), *([found["field"]] if "field" in found else [])]
    for mentioned in named:
        if mentioned not in fields:
            reading.fail(spot, "unknown_field", f"The rule names {mentioned!r}, which is no field.")
    about = fields.get(found.get("field", ""))
    if about is None:
        return
    if found.get("type") == "state_machine":
        _judge_states(reading, spot, found, about)
    if found.get("regex") is not None:
        try:
            matches("", found["regex"])
        except Fault as fault:
            reading.fail(spot.child("regex") or spot, "invalid_value", fault.message)


def _judge_states(reading: Reading, spot: Spot, found: Mapping[str, Any], about: FieldDef) -> None:
    if not about.options or about.multiple:
        reading.fail(
            spot, "not_applicable", f"{about.name!r} is no select with one value.", "Name a select field."
        )
        return
    named = {*found.get("transitions", {}), *(found.get("initial_states") or ())}
    named |= {state for after in found.get("transitions", {}).values() for state in after}
    for state in sorted(named - set(about.option_values)):
        reading.fail(
            spot.child("transitions") or spot, "invalid_option", f"{state!r} is no option of {about.name!r}."
        )
