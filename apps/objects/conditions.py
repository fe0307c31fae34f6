"""The expressions of an object, judged and ready to run: rules, conditions of fields and options, defaults.

    ready = conditions.of(obj)          # None when the object declares no expression
    ready.required["reason"].run(frame)

They are compiled once for each definition in a process and kept with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from apps.core.cel import Env, Expression, compiled, parse
from apps.core.cel.tree import names
from apps.core.cel.types import BOOL, DYN, Type
from apps.events.schema import Schema
from apps.objects import expressions
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.formulas import inlined
from apps.objects.validations import Validation

KEPT = "_conditions"


@dataclass(frozen=True)
class Rule:
    """A validation rule with its expression and schema ready."""

    said: Validation
    condition: Expression | None = None
    when: Expression | None = None
    schema: Schema | None = None
    then: Rule | None = None
    otherwise: Rule | None = None


@dataclass(frozen=True)
class Conditions:
    """Everything an object says in expressions, by the field it is about; rules in the order of priority."""

    rules: tuple[Rule, ...] = ()
    visible: Mapping[str, Expression] = field(default_factory=dict)
    readonly: Mapping[str, Expression] = field(default_factory=dict)
    required: Mapping[str, Expression] = field(default_factory=dict)
    defaults: Mapping[str, Expression] = field(default_factory=dict)
    options: Mapping[tuple[str, str], Expression] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.writes or self.visible)

    @property
    def writes(self) -> bool:
        """Whether a write has to ask any of them."""
        return bool(self.rules or self.readonly or self.required or self.defaults or self.options)


VARIABLES = ("record", "previous", "input")


@lru_cache(maxsize=4096)
def fields_of(source: str) -> frozenset[str]:
    """Return the fields that an expression reads, of the record and of what it was."""
    tree = parse(source)
    return frozenset().union(*(names(tree, variable) for variable in VARIABLES))


def reads(rule: Validation) -> frozenset[str]:
    """Return the fields that a rule is about or looks at."""
    sources = [source for source in (rule.condition, rule.when) if source is not None]
    found = frozenset(rule.fields) | frozenset(f for f in (rule.field,) if f is not None)
    inner = [reads(one) for one in (rule.then, rule.otherwise) if one is not None]
    return found.union(*map(fields_of, sources), *inner)


def of(obj: ObjectDef) -> Conditions | None:
    """Return the object's expressions, or None when it has none."""
    kept = obj.__dict__.get(KEPT, obj)
    if kept is obj:
        kept = _made(obj) or None
        obj.__dict__[KEPT] = (
            kept  # as cached_property does: the value is immutable, so is what follows from it
        )
    return kept


def next_states(obj: ObjectDef, field: str, state: str | None) -> list[str]:
    """Return the states that every state machine of the field lets follow, in the order of its options."""
    machines = [rule for rule in obj.validations if rule.type == "state_machine" and rule.field == field]
    after = [found for m in machines if m.active and (found := m.next_states(state)) is not None]
    values = [value for value in obj.fields[field].option_values if value != state]
    return [value for value in values if all(value in found for found in after)]


def ready(obj: ObjectDef, source: str, env: Env, result: Type = BOOL) -> Expression:
    """Return an expression over the object's records; formulas it reads are computed with it.

    A rule judges the record as it will be, whose generated columns the database has not made yet.
    """
    found = compiled(source, env, result)
    formulas = {f.name: f.formula.tree for f in obj.fields.values() if f.formula is not None}
    return Expression(source, inlined(found.tree, formulas)) if formulas else found


def _made(obj: ObjectDef) -> Conditions:
    fields = obj.fields.values()
    if not (obj.validations or any(_says(found) for found in fields)):
        return Conditions()
    env = expressions.environment(obj)

    def every(attribute: str, result: Type = BOOL) -> dict[str, Expression]:
        sources = {found.name: getattr(found, attribute) for found in fields}
        return {n: ready(obj, source, env, result) for n, source in sources.items() if source is not None}

    rules = sorted((rule for rule in obj.validations if rule.active), key=lambda rule: rule.priority)
    return Conditions(
        tuple(_rule(obj, rule, env) for rule in rules),
        every("visible_when"),
        every("readonly_when"),
        every("required_when"),
        every("default_expression", DYN),
        {
            (found.name, option.value): ready(obj, option.visible_when, env)
            for found in fields
            for option in found.options
            if option.visible_when is not None
        },
    )


def _says(found: FieldDef) -> bool:
    own = (found.visible_when, found.readonly_when, found.required_when, found.default_expression)
    return any(source is not None for source in own) or any(o.visible_when for o in found.options)


def _rule(obj: ObjectDef, said: Validation, env: Env) -> Rule:
    def condition(source: str | None) -> Expression | None:
        return ready(obj, source, env) if source is not None else None

    return Rule(
        said,
        condition(said.condition),
        condition(said.when),
        Schema(said.schema) if said.schema is not None else None,
        _rule(obj, said.then, env) if said.then else None,
        _rule(obj, said.otherwise, env) if said.otherwise else None,
    )
