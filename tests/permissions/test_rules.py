"""The two back ends of record rules, and a third opinion, agree on every row of a real table."""

import random
from datetime import date
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from apps.permissions import rules
from apps.permissions.rules import (
    CURRENT_USER,
    Always,
    And,
    FieldCompare,
    FieldEquals,
    FieldIn,
    Never,
    Not,
    Or,
    OwnerIs,
    conjunction,
    disjunction,
    holds,
    to_sql,
)
from tests.permissions.reference import truth

USERS = [UUID(int=n) for n in (1, 2, 3)]
COLUMNS = {
    "owner_id": USERS,
    "region": ["west", "east", "", "We%t", "it's"],
    "score": [Decimal("1.5"), Decimal(0), Decimal(-3), Decimal("1.50")],
    "level": [0, 1, 2],
    "vip": [True, False],
    "born": [date(2020, 1, 1), date(1999, 12, 31)],
}
TYPES = {
    "owner_id": "uuid",
    "region": "text",
    "score": "numeric",
    "level": "int",
    "vip": "boolean",
    "born": "date",
}
ORDERED = ["score", "level", "born"]


def random_rows(chance, count):
    return [
        {name: None if chance.random() < 0.3 else chance.choice(values) for name, values in COLUMNS.items()}
        for _ in range(count)
    ]


def random_rule(chance, depth=0):  # noqa: PLR0911 - one answer a kind of rule
    leaves = ["always", "never", "owner", "equals", "in", "compare"]
    kind = chance.choice(leaves if depth > 3 else [*leaves, "and", "or", "not", "and", "or", "not"])
    if kind == "always":
        return Always()
    if kind == "never":
        return Never()
    if kind == "owner":
        return OwnerIs(chance.choice([CURRENT_USER, *USERS]))
    if kind in ("and", "or"):
        parts = tuple(random_rule(chance, depth + 1) for _ in range(chance.choice([0, 1, 2, 2, 3])))
        return And(parts) if kind == "and" else Or(parts)
    if kind == "not":
        return Not(random_rule(chance, depth + 1))
    field = chance.choice(ORDERED if kind == "compare" else list(COLUMNS))
    if kind == "compare":
        return FieldCompare(field, chance.choice(["<", "<=", ">", ">="]), chance.choice(COLUMNS[field]))
    if kind == "in":
        return FieldIn(
            field, tuple(chance.sample(COLUMNS[field], chance.randint(0, len(COLUMNS[field]) - 1)))
        )
    return FieldEquals(field, chance.choice([None, *COLUMNS[field]]))


@pytest.fixture(scope="module")
def table(admin_url):
    """A temporary table with random rows, a third of the values NULL; yields (connection, rows)."""
    rows = random_rows(random.Random(7), 60)
    with psycopg.connect(admin_url, autocommit=True) as connection:
        columns = ", ".join(f"{name} {kind}" for name, kind in TYPES.items())
        connection.execute(f"CREATE TEMP TABLE ruled (n int, {columns})")
        marks = ", ".join(["%s"] * (len(TYPES) + 1))
        for n, row in enumerate(rows):
            connection.execute(f"INSERT INTO ruled VALUES ({marks})", [n, *(row[name] for name in TYPES)])
        yield connection, rows


def by_sql(connection, rule, user, compiler=to_sql):
    params = []
    predicate = compiler(rule, "r", params)
    bound = [user if value is CURRENT_USER else value for value in params]
    text = sql.SQL("SELECT n FROM ruled r WHERE {}").format(predicate)
    return {row[0] for row in connection.execute(text, bound)}


def differences(table, compiler=to_sql, evaluator=holds, cases=12_000, seed=1):
    """Count (rule, row) cases on which the back ends differ; stops at the first after `cases` were tried."""
    connection, rows = table
    chance, tried = random.Random(seed), 0
    while tried < cases:
        rule, user = random_rule(chance), chance.choice([None, *USERS])
        found = by_sql(connection, rule, user, compiler)
        for n, row in enumerate(rows):
            if not (evaluator(rule, row, user=user) == truth(rule, row, user) == (n in found)):
                return f"{rule} for {user} on {row}: sql {n in found}, reference {truth(rule, row, user)}"
        tried += len(rows)
    return None


def test_check_sql_and_reference_agree_on_random_rules(table):
    assert differences(table) is None


def mutant_forgets_negation(rule, alias, params, *, negated=False):
    if isinstance(rule, Not):
        return sql.SQL("NOT ({})").format(mutant_forgets_negation(rule.part, alias, params))
    if isinstance(rule, And | Or) and rule.parts:
        word = " AND " if isinstance(rule, And) else " OR "
        parts = [mutant_forgets_negation(part, alias, params) for part in rule.parts]
        return sql.SQL("({})").format(sql.SQL(word).join(parts))
    return to_sql(rule, alias, params)


def changed(**names):
    """A compiler with some of its parts replaced, for the duration of each call."""

    def compiler(rule, alias, params, *, negated=False):
        patch = pytest.MonkeyPatch()
        try:
            for name, value in names.items():
                patch.setattr(rules, name, value)
            return rules.to_sql(rule, alias, params, negated=negated)
        finally:
            patch.undo()

    return compiler


leaf, member, joined = rules._leaf, rules._member, rules._joined
MUTANTS = {
    "negation forgotten": mutant_forgets_negation,
    "and becomes or": changed(
        _joined=lambda p, w, e, a, q, *, negated: joined(p, " OR ", e, a, q, negated=negated)
    ),
    "empty and is false": changed(
        _joined=lambda p, w, e, a, q, *, negated: joined(p, w, "false", a, q, negated=negated)
    ),
    "empty or is true": changed(
        _joined=lambda p, w, e, a, q, *, negated: joined(p, w, "true", a, q, negated=negated)
    ),
    "greater or equal becomes greater": changed(
        _leaf=lambda a, f, o, v, q, *, negated: leaf(a, f, ">" if o == ">=" else o, v, q, negated=negated)
    ),
    "less becomes less or equal": changed(
        _leaf=lambda a, f, o, v, q, *, negated: leaf(a, f, "<=" if o == "<" else o, v, q, negated=negated)
    ),
    "leaf ignores negation": changed(
        _leaf=lambda a, f, o, v, q, *, negated: leaf(a, f, o, v, q, negated=False)
    ),
    "member ignores negation": changed(
        _member=lambda a, f, v, q, *, negated: member(a, f, v, q, negated=False)
    ),
    "empty list is everything": changed(
        _member=lambda a, f, v, q, *, negated: member(a, f, v, q, negated=negated) if v else sql.SQL("true")
    ),
    "first value only": changed(
        _member=lambda a, f, v, q, *, negated: member(a, f, v[:1], q, negated=negated)
    ),
    "always under never": changed(Never=rules.FieldEquals, Always=rules.FieldIn),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_compiler_is_caught(table, name):
    """Negative control: the same comparison finds every mutant."""
    assert differences(table, compiler=MUTANTS[name], cases=60_000) is not None


def test_a_broken_check_is_caught(table):
    def careless(rule, record, *, user=None):
        if isinstance(rule, FieldEquals) and rule.value is None:
            return False
        return holds(rule, record, user=user)

    assert differences(table, evaluator=careless, cases=60_000) is not None


def test_nobody_owns_nothing():
    record = {"owner_id": None}
    assert not holds(OwnerIs(CURRENT_USER), record, user=None)
    assert not holds(FieldEquals("owner_id", CURRENT_USER), record, user=None)


def test_an_unknown_field_or_rule_is_false():
    assert not holds(FieldEquals("nothing", 1), {})
    assert not holds("a rule from the future", {})
    assert to_sql("a rule from the future", "r", []).as_string(None) == "false"


def test_simplifications():
    mine = OwnerIs(CURRENT_USER)
    assert conjunction([Always(), mine]) == mine
    assert conjunction([mine, Never()]) == Never()
    assert conjunction([]) == Always()
    assert disjunction([mine, Always()]) == Always()
    assert disjunction([Never(), mine]) == mine
    assert disjunction([]) == Never()
