"""SQL and Python say the same of random expressions over random records: values, absent values and faults."""

import os
import random
from itertools import chain

import pytest
from django.db import connections, transaction
from psycopg import sql

from apps.core.cel import CelError, Fault, Frame, compiled
from apps.core.cel.lowering import lower
from apps.core.cel.terms import fault_of, render
from apps.core.cel.values import equal
from apps.core.db.owner import owner_session
from apps.core.scope import tenant_scope
from tests.core.cel.generator import COLUMNS, ENV, TYPES, Maker, record

EXPRESSIONS = int(os.environ.get("CEL_EXPRESSIONS", "500"))
ROWS = 30
FAULT = object()


@pytest.fixture(scope="module")
def table(database):
    """Random records in a temporary table of one connection."""
    rng = random.Random(20261120)
    rows = [record(rng) for _ in range(ROWS)]
    with owner_session(), tenant_scope(database["acme"]):
        with connections["default"].cursor() as cursor:
            columns = ", ".join(f'"{name}" {sql_type}' for name, (sql_type, _) in COLUMNS.items())
            cursor.execute(f"CREATE TEMP TABLE cel_rows (row int, {columns}) ON COMMIT DROP")
            marks = ", ".join(["%s"] * (len(COLUMNS) + 1))
            for number, row in enumerate(rows):
                cursor.execute(f"INSERT INTO cel_rows VALUES ({marks})", [number, *row.values()])
        yield rows
        transaction.set_rollback(True)


def column(name):
    found = sql.Identifier(name)
    return sql.SQL("{}::numeric").format(found) if COLUMNS[name][0] == "integer" else found


def in_sql(term):
    """Return (value, faulted) for every row."""
    params = []
    value = render(term.sql, column, params)
    fault = render(fault_of(term) or ("false",), column, params)
    text = sql.SQL("SELECT {}, {} FROM cel_rows ORDER BY row").format(value, fault)
    with connections["default"].cursor() as cursor:
        cursor.execute(text, params)
        return cursor.fetchall()


def in_python(expression, row):
    try:
        return expression.run(Frame({"record": row}))
    except Fault:
        return FAULT


def differences(source, rows):
    """Return where the two disagree, or None when the expression is not lowered."""
    expression = compiled(source, ENV)
    try:
        term = lower(expression.tree)
    except CelError as error:
        assert error.code == "not_lowerable"
        return None
    wrong = []
    for row, (value, faulted) in zip(rows, in_sql(term), strict=True):
        expected = in_python(expression, row)
        if expected is FAULT:
            same = value is None and faulted is True
        else:
            same = (
                faulted is False
                and equal(value, expected)
                and isinstance(value, bool) == isinstance(expected, bool)
            )
        if not same:
            wrong.append((source, row, value, faulted, expected))
    return wrong


def expressions(seed, count):
    rng = random.Random(seed)
    maker = Maker(rng)
    for number in range(count):
        yield maker.make(TYPES[number % len(TYPES)], rng.randint(1, 4))


def test_python_and_sql_agree(table):
    wrong, lowered, refused = [], 0, 0
    for source in chain(expressions(4, EXPRESSIONS), expressions(77, EXPRESSIONS)):
        try:
            found = differences(source, table)
        except CelError:  # the checker refuses some: a text literal that both sides of + cannot take
            raise AssertionError(source) from None
        if found is None:
            refused += 1
            continue
        lowered += 1
        wrong += found
        if len(wrong) > 5:
            break
    print(f"{lowered} expressions on {ROWS} records, {refused} not lowered, {len(wrong)} differences")
    assert wrong[:3] == []
    assert lowered > 2 * EXPRESSIONS * 0.85


def test_a_naive_translation_is_caught(table):
    """The comparison itself: what one would write without thinking of NULL does differ from the expression."""
    naive = {
        "record.s != 'a'": "s <> 'a'",
        "record.s == record.t": "s = t",
        "!(record.n == 1.0)": "NOT (n = 1)",
        "max(record.n, record.m) > 0.0": "greatest(n, m) > 0",
        "record.s < record.t": "lower(s) < lower(t)",
        "coalesce(record.n > 1.0, true)": "coalesce(n > 1, true)",
        "round(record.n) == record.n": "trunc(n) = n OR n IS NULL",
    }
    for source, text in naive.items():
        expression = compiled(source, ENV)
        with connections["default"].cursor() as cursor:
            cursor.execute(f"SELECT {text} FROM cel_rows ORDER BY row")
            found = [value for (value,) in cursor.fetchall()]
        expected = [in_python(expression, row) for row in table]
        assert found != [None if value is FAULT else value for value in expected], source


REFUSED = (
    "matches(record.s, 'a')",
    "record.tags.exists(t, t == 'a')",
    "record.at.getHours('Europe/Berlin') == 1",
    "now() > record.at",
    "record.d < today()",
    "addDays(record.d, record.k) > record.d",
    "record.at - record.at == duration('0s')",
    "date(record.s) > record.d",
    "record.s == 'a\\x00'",
    "size(record.s) * size(record.s) * size(record.s) > 1",
    "record.n" + " * record.n" * 20 + " > 1.0",
)


@pytest.mark.parametrize("source", REFUSED)
def test_what_postgresql_would_compute_otherwise_is_refused(source):
    with pytest.raises(CelError) as caught:
        lower(compiled(source, ENV).tree)
    assert caught.value.code == "not_lowerable"
    assert caught.value.cure


def test_constants_never_become_text_of_the_statement():
    params = []
    text = render(lower(compiled("record.s == 'x; DROP TABLE y'", ENV).tree).sql, sql.Identifier, params)
    assert "DROP" not in text.as_string(None)
    assert params == ["x; DROP TABLE y"]
