"""Northwind: eleven tables in YAML, imported with their relations and keys, answer twenty questions as SQL does."""

import csv
import io
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.test import Client

from apps.core.actor import SYSTEM, Actor
from apps.core.scope import TenantRef, tenant_scope
from apps.identity.services import members
from apps.modules.source import load
from apps.objects import query, records
from apps.permissions import services as permissions
from tests.modules.northwind_questions import QUESTIONS, Question
from tests.modules.northwind_world import FOLDER, PASSWORD, Northwind, made

IDS = [f"{number:02}" for number in range(1, len(QUESTIONS) + 1)]


@pytest.fixture(scope="module")
def northwind(database: dict[str, TenantRef], superuser_url: str) -> Iterator[Northwind]:
    """The module with its rows. It takes a while: 3,311 records through the services, each with entry and event."""
    world = made(superuser_url)
    yield world
    world.plain.close()


@pytest.fixture(scope="module")
def browser(northwind: Northwind) -> Client:
    """The reader's browser, signed in."""
    client = Client(headers={"host": "northwind.localhost"})
    answer = client.post("/sign-in", {"email": "rita@northwind.test", "password": PASSWORD})
    assert answer.status_code == 302 and client.cookies[settings.SESSION_COOKIE_NAME].value
    return client


def plain(rows: Iterable[tuple[Any, ...]], *, ordered: bool) -> list[tuple[str, ...]]:
    """Return rows in which equal figures are equal texts: numbers to six decimals."""
    found = [tuple(written(value) for value in row) for row in rows]
    return found if ordered else sorted(found)


def written(value: Any) -> str:
    if isinstance(value, int | float | Decimal):
        return f"{Decimal(str(value)):.6f}"
    return str(value)


@pytest.mark.parametrize("question", QUESTIONS, ids=IDS)
def test_rest_and_graphql_answer_as_sql(northwind: Northwind, question: Question) -> None:
    expected = plain(northwind.sql(question.sql), ordered=question.ordered)
    assert expected, question.words
    assert plain(question.rest(northwind), ordered=question.ordered) == expected
    assert plain(question.graph(northwind), ordered=question.ordered) == expected


@pytest.mark.parametrize(
    "question",
    [q for q in QUESTIONS if q.report],
    ids=[i for i, q in zip(IDS, QUESTIONS, strict=True) if q.report],
)
def test_a_report_page_answers_as_sql(northwind: Northwind, browser: Client, question: Question) -> None:
    """The page's table and the page itself; names and figures stand in both."""
    address = quote(question.report, safe="=&:.")
    answer = browser.get(f"/reports/table.csv?{address}")
    assert answer.status_code == 200, answer.content.decode()[-2000:]
    _head, *rows = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    if rows and rows[-1][0] == "Total":
        rows.pop()
    got = [(row[0], Decimal(row[1])) for row in rows][: question.top]
    expected = northwind.sql(question.sql)
    assert plain(got, ordered=question.ordered) == plain(expected, ordered=question.ordered)
    page = browser.get(f"/reports/new?{address}")
    assert page.status_code == 200 and str(expected[0][0]).split(" ", maxsplit=1)[0] in page.content.decode()


def test_a_wrong_figure_would_be_noticed(northwind: Northwind) -> None:
    """The negative control: one line more, and the answers differ from SQL until it is gone."""
    question = QUESTIONS[1]
    expected = plain(northwind.sql(question.sql), ordered=False)
    order = northwind.query("order", limit=1)[0]["id"]
    used = {row["product"] for row in northwind.query("order_line", where={"order": order})}
    product = next(key for key in northwind.names("product") if key not in used)
    line = {"order": order, "product": product, "unit_price": "0.01", "quantity": 1}
    with tenant_scope(northwind.ref):
        extra = records.create("northwind_order_line", line, by=SYSTEM).id
    assert plain(question.rest(northwind), ordered=False) != expected
    with tenant_scope(northwind.ref):
        records.delete("northwind_order_line", extra, by=SYSTEM)
    assert plain(question.rest(northwind), ordered=False) == expected


def test_all_rows_came_with_their_relations(northwind: Northwind) -> None:
    files = sorted((FOLDER / "data").glob("*.csv"))
    counted = {path.stem: northwind.sql(f'SELECT count(*) FROM "{path.stem[10:]}"')[0][0] for path in files}
    assert len(counted) == 11 and sum(counted.values()) == northwind.loaded == 3311
    for name, number in counted.items():
        assert query.count(name, {}, by=northwind.actor, tenant=northwind.ref)[0] == number
    assert (
        query.count("northwind_order", {"where": {"customer": None}}, by=SYSTEM, tenant=northwind.ref)[0] == 0
    )


def test_keys_of_two_fields(northwind: Northwind) -> None:
    """A line is found by order and product: written again it changes, and twice in one order it is refused."""
    with tenant_scope(northwind.ref):
        line = query.find("northwind_order_line", {"limit": 1}, by=SYSTEM).records()[0]
        given = {key: line[key] for key in ("order", "product", "unit_price", "discount")}
        rows = [{"data": given | {"quantity": line["quantity"]}}]
        done = records.batch("northwind_order_line", "upsert", rows, by=SYSTEM)
        assert done.succeeded == 1 and done.rows[0].id == line["id"]
        again = records.batch(
            "northwind_order_line", "create", [{"data": given | {"quantity": 1}}], by=SYSTEM
        )
    problem = again.rows[0].problem
    assert problem is not None
    assert (problem.code, [item.field for item in problem.fields]) == (
        "UNIQUE_VIOLATION",
        ["order", "product"],
    )


def test_every_label_is_translated() -> None:
    source = load(FOLDER)
    assert len(source.objects) == 11
    for body in source.objects.values():
        assert set(body["translations"]) == {"de", "zh-hans", "ja", "ar"}
        for words in body["translations"].values():
            assert set(words["fields"]) == set(body["fields"])
            assert set(words["listViews"]) == set(body["listViews"])


def test_sales_sees_no_private_fields(northwind: Northwind) -> None:
    """What the set hides is absent for whoever holds it, and the rest is there."""
    with tenant_scope(northwind.ref):
        made_here = members.create_member(
            email="sam@northwind.test", name="Sam", password=PASSWORD, role="member", by=SYSTEM
        )
        permissions.assign(user_id=made_here.user_id, name="northwind_sales", by=SYSTEM)
    key = str(made_here.user_id)
    sam = Actor("member", key, "Sam", tenant_id=northwind.ref.id, user_id=made_here.user_id)
    row = query.find("northwind_employee", {"limit": 1}, by=sam, tenant=northwind.ref).records()[0]
    hidden = {"birth_date", "address", "postal_code", "home_phone", "notes"}
    assert hidden.isdisjoint(row) and row["last_name"] and row["hire_date"]
    everything = query.find("northwind_employee", {"limit": 1}, by=northwind.actor, tenant=northwind.ref)
    assert hidden <= everything.records()[0].keys()
