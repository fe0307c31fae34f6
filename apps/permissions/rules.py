"""Record rules: a tiny language with two back ends, `holds` in Python and `to_sql` in PostgreSQL, that agree.

Every rule is two-valued: a comparison with an absent value is false, and `Not` turns exactly that round.
The SQL back end keeps plain comparisons where only "true" matters, so that indexes serve them, and asks
`IS TRUE` under a negation.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal
from uuid import UUID

Scalar = str | int | bool | Decimal | UUID | dt.date | dt.datetime
Ordered = int | Decimal | dt.date | dt.datetime
Comparison = Literal["<", "<=", ">", ">="]
TextTest = Literal["starts", "ends", "contains"]
PATTERNS: Mapping[TextTest, str] = MappingProxyType({"starts": "{}%", "ends": "%{}", "contains": "%{}%"})


@dataclass(frozen=True, slots=True)
class CurrentUser:
    """Stands for the id of whoever asks; bound when the statement runs, so that one statement serves all."""


@dataclass(frozen=True, slots=True)
class Mine:
    """Stands for another fact about whoever asks: a value, or a list in `FieldIn`; bound like `CurrentUser`."""

    name: str


CURRENT_USER = CurrentUser()
Personal = CurrentUser | Mine


@dataclass(frozen=True, slots=True)
class Subject:
    """Whoever asks: their id, and the facts that `Mine` names; a fact that is missing is like NULL."""

    id: UUID | None = None
    facts: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def bound(self, value: Any) -> Any:
        """Return `value`, with what stands for a fact of the subject put in its place."""
        if isinstance(value, CurrentUser):
            return self.id
        return self.facts.get(value.name) if isinstance(value, Mine) else value


NOBODY = Subject()


@dataclass(frozen=True, slots=True)
class Always:
    """True of every record."""


@dataclass(frozen=True, slots=True)
class Never:
    """True of no record; what a missing or broken rule becomes."""


@dataclass(frozen=True, slots=True)
class OwnerIs:
    """True when `field` holds the user's id."""

    user: UUID | CurrentUser
    field: str = "owner_id"


@dataclass(frozen=True, slots=True)
class FieldEquals:
    """True when the field holds exactly this value; None means that it holds nothing."""

    field: str
    value: Scalar | Personal | None


@dataclass(frozen=True, slots=True)
class FieldIn:
    """True when the field holds one of the values; an empty or missing list is never true."""

    field: str
    values: tuple[Scalar, ...] | Mine


@dataclass(frozen=True, slots=True)
class FieldHas:
    """True when the field, a list, has the value among its items."""

    field: str
    value: Scalar | Personal


@dataclass(frozen=True, slots=True)
class FieldCompare:
    """True when the field holds a value that compares so; for numbers, dates and instants."""

    field: str
    operator: Comparison
    value: Ordered


@dataclass(frozen=True, slots=True)
class FieldText:
    """True when the field holds a text that starts with, ends with or contains this one, letter for letter."""

    field: str
    test: TextTest
    text: str


@dataclass(frozen=True, slots=True)
class Holds:
    """True for whoever has this value in a list of theirs, such as a role among their positions."""

    fact: str
    value: str


@dataclass(frozen=True, slots=True)
class SharedWith:
    """True when a share of the record, in force now, gives one of the user's principals at least `level`.

    It looks beyond the record: `holds` takes its answer from the record under the rule itself as key (`facts`).
    """

    object: str
    level: int


@dataclass(frozen=True, slots=True)
class MasterAllows:
    """True when the record that `field` holds, one of `object`, may be read or edited; bin or not does not matter.

    It looks beyond the record, like `SharedWith`.
    """

    object: str
    field: str
    op: Literal["read", "edit"]


@dataclass(frozen=True, slots=True)
class And:
    """True when all parts are; an empty And is true."""

    parts: tuple["Rule", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """True when one part is; an empty Or is false."""

    parts: tuple["Rule", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True when the part is not."""

    part: "Rule"


Fact = SharedWith | MasterAllows
Test = OwnerIs | FieldEquals | FieldIn | FieldHas | FieldCompare | FieldText
Rule = Always | Never | Holds | Test | Fact | And | Or | Not


def conjunction(parts: Sequence[Rule]) -> Rule:
    """Return the simplest rule that means "all of these"."""
    kept = list(dict.fromkeys(part for part in parts if not isinstance(part, Always)))
    if any(isinstance(part, Never) for part in kept):
        return Never()
    return (kept[0] if len(kept) == 1 else And(tuple(kept))) if kept else Always()


def disjunction(parts: Sequence[Rule]) -> Rule:
    """Return the simplest rule that means "one of these"."""
    kept = list(dict.fromkeys(part for part in parts if not isinstance(part, Never)))
    if any(isinstance(part, Always) for part in kept):
        return Always()
    return (kept[0] if len(kept) == 1 else Or(tuple(kept))) if kept else Never()


def implies(narrow: Rule, wide: Rule) -> bool:
    """Say whether `wide` is seen at a glance to be true wherever `narrow` is; False when that takes thought."""
    if narrow == wide or isinstance(wide, Always) or isinstance(narrow, Never):
        return True
    if isinstance(narrow, MasterAllows) and wide == replace(narrow, op="read"):
        return True
    if isinstance(narrow, Or):
        return all(implies(part, wide) for part in narrow.parts)
    if isinstance(wide, And):
        return all(implies(narrow, part) for part in wide.parts)
    if isinstance(wide, Or) and any(implies(narrow, part) for part in wide.parts):
        return True
    return isinstance(narrow, And) and any(implies(part, wide) for part in narrow.parts)


def facts(rule: Rule) -> Iterator[Fact]:
    """Yield the parts of a rule that look beyond the record."""
    match rule:
        case SharedWith() | MasterAllows():
            yield rule
        case And(parts) | Or(parts):
            for part in parts:
                yield from facts(part)
        case Not(part):
            yield from facts(part)


def fields_of(rule: Rule) -> frozenset[str]:
    """Return the fields that a rule looks at."""
    match rule:
        case And(parts) | Or(parts):
            return frozenset().union(*(fields_of(part) for part in parts))
        case Not(part):
            return fields_of(part)
        case Always() | Never() | SharedWith() | Holds():
            return frozenset()
        case _:
            return frozenset({rule.field})


def holds(  # noqa: PLR0911 - one answer a kind of rule
    rule: Rule, record: Mapping[Any, Any], subject: Subject = NOBODY
) -> bool:
    """Say whether `rule` is true of `record` (column or fact → value); what it does not know is false."""
    match rule:
        case Always():
            return True
        case SharedWith() | MasterAllows():
            return record.get(rule) is True
        case Holds(fact, value):
            return value in (subject.facts.get(fact) or ())
        case And(parts):
            return all(holds(part, record, subject) for part in parts)
        case Or(parts):
            return any(holds(part, record, subject) for part in parts)
        case Not(part):
            return not holds(part, record, subject)
        case OwnerIs() | FieldEquals() | FieldIn() | FieldHas() | FieldCompare() | FieldText():
            return _fits(rule, record.get(rule.field), subject)
    return False


def _fits(  # noqa: PLR0911 - one answer a kind of test
    test: Test, found: Any, subject: Subject
) -> bool:
    """Say whether the value found in the field passes the test."""
    match test:
        case OwnerIs(user):
            expected = subject.bound(user)
            # Records as the wire shows them carry ids as text.
            return expected is not None and found in (expected, str(expected))
        case FieldEquals(_, value):
            other = subject.bound(value)
            if other is None:
                return value is None and found is None
            return bool(found == other)
        case FieldIn(_, values):
            return found is not None and found in (subject.bound(values) or ())
        case FieldHas(_, value):
            other = subject.bound(value)
            return other is not None and other in (found or ())
        case FieldCompare(_, operator, value):
            return found is not None and _compare(found, operator, value)
        case FieldText(_, how, text):
            return isinstance(found, str) and _reads(found, how, text)


def _reads(found: str, test: TextTest, text: str) -> bool:
    match test:
        case "starts":
            return found.startswith(text)
        case "ends":
            return found.endswith(text)
        case "contains":
            return text in found


def _compare(found: Any, operator: Comparison, value: Any) -> bool:
    match operator:
        case "<":
            return bool(found < value)
        case "<=":
            return bool(found <= value)
        case ">":
            return bool(found > value)
        case ">=":
            return bool(found >= value)
