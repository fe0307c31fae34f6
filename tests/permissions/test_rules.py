"""The two back ends of record rules, and a third opinion, agree on every row of a real table."""

import random
from datetime import date
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from apps.permissions import predicates
from apps.permissions.predicates import Renderer, to_sql
from apps.permissions.rules import (
    CURRENT_USER,
    Always,
    And,
    FieldCompare,
    FieldEquals,
    FieldHas,
    FieldIn,
    FieldText,
    Holds,
    Mine,
    Never,
    Not,
    Or,
    OwnerIs,
    SharedWith,
    Subject,
    conjunction,
    disjunction,
    facts,
    holds,
    implies,
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
    "tags": [[], ["aa"], ["aa", "b_b"], ["it's"]],
}
TAGS = ["aa", "b_b", "it's", "zz"]
TEXTS = ["", "we", "%", "e", "t's", "_", "We%t", "\\"]
FACTS = {
    "name": ["west", "", None],
    "team": [[], USERS[:2], None],
    "tag": ["aa", None],
    "roles": [[], ["boss"], None],
}
TYPES = {
    "owner_id": "uuid",
    "region": "text",
    "score": "numeric",
    "level": "int",
    "vip": "boolean",
    "born": "date",
    "tags": "text[]",
}
ORDERED = ["score", "level", "born"]


def random_rows(chance, count):
    return [
        {name: None if chance.random() < 0.3 else chance.choice(values) for name, values in COLUMNS.items()}
        for _ in range(count)
    ]


def random_rule(chance, depth=0):  # noqa: C901, PLR0911 - one answer a kind of rule
    leaves = ["always", "never", "owner", "equals", "in", "compare", "has", "text", "mine", "holds"]
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
    if kind == "has":
        return FieldHas("tags", chance.choice([*TAGS, Mine("tag")]))
    if kind == "text":
        return FieldText("region", chance.choice(["starts", "ends", "contains"]), chance.choice(TEXTS))
    if kind == "holds":
        return Holds("roles", chance.choice(["boss", "it's"]))
    if kind == "mine":
        return chance.choice([FieldIn("owner_id", Mine("team")), FieldEquals("region", Mine("name"))])
    plain = [name for name in COLUMNS if name != "tags"]
    field = chance.choice(ORDERED if kind == "compare" else plain)
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


def random_subject(chance):
    return Subject(
        chance.choice([None, *USERS]), {name: chance.choice(values) for name, values in FACTS.items()}
    )


def by_sql(connection, rule, subject, compiler=to_sql):
    params = []
    predicate = compiler(rule, "r", params)
    bound = [subject.bound(value) for value in params]
    text = sql.SQL("SELECT n FROM ruled r WHERE {}").format(predicate)
    return {row[0] for row in connection.execute(text, bound)}


def differences(table, compiler=to_sql, evaluator=holds, cases=12_000, seed=1):
    """Count (rule, row) cases on which the back ends differ; stops at the first after `cases` were tried."""
    connection, rows = table
    chance, tried = random.Random(seed), 0
    while tried < cases:
        rule, subject = random_rule(chance), random_subject(chance)
        found = by_sql(connection, rule, subject, compiler)
        for n, row in enumerate(rows):
            known = truth(rule, row, subject)
            if not (evaluator(rule, row, subject) == known == (n in found)):
                return f"{rule} for {subject} on {row}: sql {n in found}, reference {known}"
        tried += len(rows)
    return None


def test_check_sql_and_reference_agree_on_random_rules(table):
    assert differences(table) is None


def mutant(**methods):
    """A compiler with some of its methods replaced; each takes the real method first."""
    made = type("Mutant", (Renderer,), {})
    for name, method in methods.items():
        real = getattr(Renderer, name)
        setattr(made, name, lambda self, *a, _m=method, _r=real, **k: _m(_r, self, *a, **k))

    def compiler(rule, alias, params):
        return made("", alias, params).text(rule)

    return compiler


def changed_form(old, new):
    return mutant(
        leaf=lambda real, me, form, field, value, *, negated: real(
            me, form.replace(old, new), field, value, negated=negated
        )
    )


def never_negated(real, me, *given, negated):
    return real(me, *given, negated=False)


def changed_join(**swaps):
    def join(real, me, parts, word, empty, *, negated):
        if swaps.get("word") and word == " AND ":
            word = swaps["word"]
        if swaps.get("drop") and len(parts) > 1:
            parts = parts[:-1]
        if empty in (predicates.TRUE, predicates.FALSE) and swaps.get("empty") is not None:
            empty = swaps["empty"]
        return real(me, parts, word, empty, negated=negated)

    return mutant(joined=join)


def forgetful(real, me, rule, *, negated=False):
    if isinstance(rule, Not):
        return sql.SQL("NOT ({})").format(me.text(rule.part))
    return real(me, rule, negated=negated)


def unescaped(real, me, form, field, value, *, negated):
    value = value.replace("\\", "") if "LIKE" in form else value
    return real(me, form, field, value, negated=negated)


def first_only(real, me, field, values, *, negated):
    return real(me, field, values if isinstance(values, Mine) else values[:1], negated=negated)


def open_when_empty(real, me, field, values, *, negated):
    return real(me, field, values, negated=negated) if values else predicates.TRUE


def not_null(real, me, rule, *, negated=False):
    if isinstance(rule, FieldEquals) and rule.value is None:
        return sql.SQL("{} IS NOT NULL").format(me.column(rule.field))
    return real(me, rule, negated=negated)


def swapped(real, me, rule, *, negated=False):
    other = {Always: Never(), Never: Always()}.get(type(rule))
    return real(me, other or rule, negated=negated)


def twice_negated(real, me, rule, *, negated=False):
    return real(me, rule.part if isinstance(rule, Not) else rule, negated=negated)


MUTANTS = {
    "negation forgotten below": mutant(text=forgetful),
    "negation dropped": mutant(text=twice_negated),
    "and becomes or": changed_join(word=" OR "),
    "empty and is false": changed_join(empty=predicates.FALSE),
    "empty or is true": changed_join(empty=predicates.TRUE),
    "last part dropped": changed_join(drop=True),
    "greater or equal becomes greater": changed_form(">=", ">"),
    "less or equal becomes less": changed_form("<=", "<"),
    "less becomes less or equal": changed_form("{} < ", "{} <= "),
    "greater becomes greater or equal": changed_form("{} > ", "{} >= "),
    "equal becomes distinct": changed_form("{} = %s", "{} <> %s"),
    "equal becomes null-safe": changed_form("{} = %s", "{} IS NOT DISTINCT FROM %s"),
    "like in any case": changed_form("LIKE", "ILIKE"),
    "has becomes is within": changed_form("@>", "<@"),
    "any becomes all": changed_form("= ANY", "= ALL"),
    "leaf ignores negation": mutant(leaf=never_negated),
    "member ignores negation": mutant(member=never_negated),
    "join ignores negation": mutant(joined=never_negated),
    "empty list is everything": mutant(member=open_when_empty),
    "first value only": mutant(member=first_only),
    "pattern not escaped": mutant(leaf=unescaped),
    "null becomes not null": mutant(text=not_null),
    "always is never": mutant(text=swapped),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_compiler_is_caught(table, name):
    """Negative control: the same comparison finds every mutant."""
    assert differences(table, compiler=MUTANTS[name], cases=60_000) is not None


def test_a_broken_check_is_caught(table):
    def careless(rule, record, subject):
        if isinstance(rule, FieldEquals) and rule.value is None:
            return False
        return holds(rule, record, subject)

    assert differences(table, evaluator=careless, cases=60_000) is not None


def test_nobody_owns_nothing():
    record = {"owner_id": None}
    assert not holds(OwnerIs(CURRENT_USER), record)
    assert not holds(FieldEquals("owner_id", CURRENT_USER), record)


def test_an_unknown_field_or_rule_is_false():
    assert not holds(FieldEquals("nothing", 1), {})
    assert not holds("a rule from the future", {})
    assert to_sql("a rule from the future", "r", []).as_string(None) == "false"


def test_a_fact_nobody_looked_up_is_false():
    shared = SharedWith("qa_lead", 1)
    assert not holds(shared, {"owner_id": USERS[0]})
    assert holds(shared, {shared: True})
    assert list(facts(And((Not(shared), Or((shared, Always())))))) == [shared, shared]


def test_implication_is_never_claimed_wrongly():
    """Whatever `implies` says yes to is so on every row; it says yes often enough to be of use."""
    chance, yes = random.Random(5), 0
    rows = random_rows(chance, 40)
    for _ in range(20_000):
        narrow, wide, subject = random_rule(chance, 2), random_rule(chance, 2), random_subject(chance)
        if implies(narrow, wide):
            yes += 1
            assert all(holds(wide, row, subject) for row in rows if holds(narrow, row, subject))
    assert yes > 500


def test_simplifications():
    mine = OwnerIs(CURRENT_USER)
    assert conjunction([Always(), mine]) == mine
    assert conjunction([mine, Never()]) == Never()
    assert conjunction([]) == Always()
    assert disjunction([mine, Always()]) == Always()
    assert disjunction([Never(), mine]) == mine
    assert disjunction([]) == Never()
