"""Reading the query language: every operator against Python, every refusal, pages, totals and groups."""

import datetime as dt
import json
import random
from decimal import Decimal

import pytest
from psycopg import sql

from apps.core.errors import Problem
from apps.objects import query
from apps.objects.query import plans
from apps.objects.query import where as where_sql
from apps.objects.query.refusals import MOST_ROWS
from tests.objects.evaluate import matches
from tests.objects.world import insert

FIELDS = ["name", "company", "score", "vip", "born", "seen_at", "status", "tags", "assignee"]
NAMES = ["Ann", "ann", "BOB", "Bob_1", "100%", "a\\b", "Ünal", "ünal", "", "it's", "Zoë", "x" * 60]
TAGS = [["aa"], ["aa", "bb"], ["cc"], []]
INSTANTS = [dt.datetime(2026, 1, d, h, tzinfo=dt.UTC) for d in (1, 2, 31) for h in (0, 12, 23)]
OPERATORS = {
    "name": ["$eq", "$ne", "$gt", "$lte", "$in", "$nin", "$between", "$contains", "$notContains", "$startsWith",
             "$endsWith", "$icontains", "$like", "$ilike", "$null", "$exists"],
    "score": ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$between", "$null", "$exists"],
    "vip": ["$eq", "$ne", "$null", "$exists"],
    "born": ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$between", "$null"],
    "seen_at": ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$between", "$null"],
    "status": ["$eq", "$ne", "$in", "$nin", "$null", "$exists"],
    "tags": ["$contains", "$notContains", "$null"],
    "assignee": ["$eq", "$ne", "$in", "$nin", "$null"],
}  # fmt: skip
OPERATORS["company"] = OPERATORS["name"]  # the same type, and often without a value


def some(chance, values):
    return None if chance.random() < 0.25 else chance.choice(values)


def rows_of(world, chance, count):
    users = [world.user(n) for n in ("owner", "sales", "manager")]
    rows = []
    for _ in range(count):
        row = {
            "name": chance.choice(NAMES),
            "company": some(chance, NAMES),
            "score": some(chance, [Decimal(0), Decimal("1.5"), Decimal("1.50"), Decimal(10), Decimal(1000)]),
            "vip": some(chance, [True, False]),
            "born": some(chance, [dt.date(2026, 1, 1), dt.date(2026, 1, 31), dt.date(1990, 5, 5)]),
            "seen_at": some(chance, INSTANTS),
            "status": some(chance, ["new", "working", "won"]),
            "tags": some(chance, TAGS),
            "assignee": some(chance, users),
        }
        row["id"] = insert("qa_lead", owner_id=users[0], **row)
        rows.append(row)
    return rows


def operand(chance, world, field, operator):
    pool = {
        "name": NAMES,
        "company": NAMES,
        "score": [0, 1.5, "10", 7],
        "vip": [True, False, "true"],
        "born": ["2026-01-01", "2026-01-31", "2000-01-01"],
        "seen_at": ["2026-01-01", "2026-01-31", "2026-01-02T12:00:00Z", "2026-01-02T13:00:00+01:00"],
        "status": ["new", "won", "lost", "nonsense"],
        "tags": ["aa", "bb", "zz"],
        "assignee": [str(world.user("owner")), "{current_user_id}", str(world.user("manager"))],
    }[field]
    if operator in ("$null", "$exists"):
        return chance.choice([True, False])
    if operator in ("$in", "$nin"):
        return chance.sample(pool, chance.randint(0, 2))
    if operator == "$between":
        return [chance.choice(pool), chance.choice(pool)]
    if operator in ("$eq", "$ne") and chance.random() < 0.2:
        return None
    if operator in ("$like", "$ilike"):
        return chance.choice(["A%", "%n", "_nn", "%\\%", "%b%", "ann", "%ü%"])
    return chance.choice([*pool, "n", "B", "%", "_", "\\", "ü"]) if pool is NAMES else chance.choice(pool)


def random_filter(chance, world, depth=0):
    kind = chance.choice(["leaf", "leaf", "leaf", "many", "$and", "$or", "$not"] if depth < 3 else ["leaf"])
    if kind in ("$and", "$or"):
        return {kind: [random_filter(chance, world, depth + 1) for _ in range(chance.randint(0, 3))]}
    if kind == "$not":
        return {"$not": random_filter(chance, world, depth + 1)}
    count = 2 if kind == "many" else 1
    made = {}
    for field in chance.sample(list(OPERATORS), count):
        operator = chance.choice(OPERATORS[field])
        value = operand(chance, world, field, operator)
        made[field] = value if operator == "$eq" and chance.random() < 0.5 else {operator: value}
    return made


def found(world, where, **more):
    page = query.find(
        "qa_lead", {"where": where, "fields": ["id"], "limit": 1000, **more}, by=world.actor("manager")
    )
    return {row["id"] for row in page.records()}


def test_operators_agree_with_python(inside):
    chance = random.Random(11)
    rows = rows_of(inside, chance, 80)
    user = inside.user("manager")
    for _ in range(400):
        where = random_filter(chance, inside)
        expected = {str(row["id"]) for row in rows if matches(where, row, user)}
        assert found(inside, where) == expected, json.dumps(where)


@pytest.mark.parametrize("operator", ["$ne", "$nin", "$notContains"])
def test_negative_operators_keep_rows_without_a_value(inside, operator):
    empty = insert("qa_lead", name="x", company=None, owner_id=inside.user("manager"))
    value = ["acme"] if operator == "$nin" else "acme"
    assert str(empty) in found(inside, {"company": {operator: value}})
    assert str(empty) not in found(inside, {"company": {"$eq": "acme"}})
    assert str(empty) in found(inside, {"$not": {"company": "acme"}})


def test_empty_groups(inside):
    one = str(insert("qa_lead", name="x", owner_id=inside.user("manager")))
    assert found(inside, {"$and": []}) == {one}
    assert found(inside, {"$or": []}) == set()
    assert found(inside, {"status": {"$in": []}}) == set()
    assert found(inside, {"status": {"$nin": []}}) == {one}
    assert found(inside, {}) == {one}


def test_the_ends_of_the_calendar(inside):
    one = str(insert("qa_lead", name="x", owner_id=inside.user("manager"), seen_at="2026-01-01T00:00:00Z"))
    assert found(inside, {"seen_at": {"$lte": "9999-12-31"}}) == {one}
    assert found(inside, {"seen_at": {"$between": ["0001-01-01", "9999-12-31"]}}) == {one}
    assert found(inside, {"seen_at": "9999-12-31"}) == set()
    assert found(inside, {"score": {"$ne": "1e999"}}) == {one}


def test_fields_compare_with_fields(inside):
    me = inside.user("manager")
    day = dt.datetime(2026, 1, 10, 12, tzinfo=dt.UTC)
    same = str(insert("qa_lead", name="Ann", company="Ann", owner_id=me, seen_at=day, created_at=day))
    insert(
        "qa_lead", name="Ann", company="Bob", owner_id=me, seen_at=day, created_at=day - dt.timedelta(days=5)
    )
    assert found(inside, {"name": {"$eq": {"$field": "company"}}}) == {same}
    assert found(inside, {"seen_at": {"$lte": {"$field": "created_at", "addDays": 1}}}) == {same}


def test_array_filters_and_macros(inside):
    me = inside.user("manager")
    today = dt.datetime.now(dt.UTC)
    new = str(insert("qa_lead", name="Ann", score=20, assignee=me, owner_id=me, seen_at=today))
    insert("qa_lead", name="Old", score=5, owner_id=me, seen_at=today - dt.timedelta(days=60))
    assert found(inside, ["and", ["score", ">", 10], ["name", "contains", "An"]]) == {new}
    assert found(inside, [["score", ">=", 20], ["name", "is_not_null"]]) == {new}
    assert found(inside, ["name", "not in", ["Old"]]) == {new}
    assert found(inside, {"assignee": "{current_user_id}"}) == {new}
    assert found(inside, {"seen_at": {"$gte": "{30_days_ago}"}}) == {new}
    assert found(inside, {"seen_at": {"$between": ["{today}", "{today}"]}}) == {new}
    assert found(inside, {"seen_at": {"$gte": "{current_month_start}", "$lte": "{next_year_end}"}}) >= {new}


REFUSED = [
    ({"where": {"bogus": 1}}, "INVALID_FIELD"),
    ({"where": {"account.name": "x"}}, "INVALID_FIELD"),
    ({"where": {"score": {"$bogus": 1}}}, "INVALID_FILTER"),
    ({"where": {"$nor": []}}, "INVALID_FILTER"),
    ({"where": {"$and": {}}}, "INVALID_FILTER"),
    ({"where": "x"}, "INVALID_FILTER"),
    ({"where": {"score": "abc"}}, "INVALID_FILTER"),
    ({"where": {"score": {"$gt": None}}}, "INVALID_FILTER"),
    ({"where": {"score": {"$in": [None]}}}, "INVALID_FILTER"),
    ({"where": {"score": {"$in": 5}}}, "INVALID_FILTER"),
    ({"where": {"score": {"$between": [1]}}}, "INVALID_FILTER"),
    ({"where": {"score": {}}}, "INVALID_FILTER"),
    ({"where": {"score": [1]}}, "INVALID_FILTER"),
    ({"where": {"score": {"$contains": "1"}}}, "INVALID_FILTER"),
    ({"where": {"extra": {"$eq": "1"}}}, "INVALID_FILTER"),
    ({"where": {"account": {"industry": "tech"}}}, "INVALID_FILTER"),
    ({"where": {"name": {"$eq": {"$field": "score"}}}}, "INVALID_FILTER"),
    ({"where": {"name": {"$eq": {"$field": "nothing"}}}}, "INVALID_FIELD"),
    ({"where": {"name": "a\x00b"}}, "INVALID_FILTER"),
    ({"where": {"name": "{no_such_token}"}}, "FILTER_TOKEN_UNKNOWN"),
    ({"where": {"assignee": "not-an-id"}}, "INVALID_FILTER"),
    ({"where": {"$or": [{"name": "a"}] * 101}}, "INVALID_FILTER"),
    ({"where": {"score": {"$in": [1] * 1001}}}, "INVALID_FILTER"),
    ({"where": {"name": "x" * 5000}}, "INVALID_FILTER"),
    ({"where": ["score", "~~", 1]}, "INVALID_FILTER"),
    ({"where": {"name": {"$like": "a\\"}}}, "INVALID_FILTER"),
    ({"where": {"name": "half \ud800"}}, "INVALID_FILTER"),
    ({"where": {"half \ud800": 1}}, "INVALID_FIELD"),
    ({"search": "half \ud800"}, "INVALID_QUERY"),
    ({"search": "nul \x00"}, "INVALID_QUERY"),
    ({"where": {"seen_at": {"$lte": "10000-01-01"}}}, "INVALID_FILTER"),
    ({"where": {"seen_at": {"$lte": "{99999_years_ago}"}}}, "FILTER_TOKEN_UNKNOWN"),
    ({"where": [1, 2, 3]}, "INVALID_FILTER"),
    ({"orderBy": [{"field": "bogus"}]}, "INVALID_SORT"),
    ({"orderBy": [{"field": "name", "order": "up"}]}, "INVALID_SORT"),
    ({"orderBy": "name"}, "INVALID_SORT"),
    ({"orderBy": ["name", "-name"]}, "INVALID_SORT"),
    ({"orderBy": ["extra"]}, "INVALID_SORT"),
    ({"fields": ["bogus"]}, "INVALID_FIELD"),
    ({"fields": "name"}, "INVALID_QUERY"),
    ({"limit": -1}, "INVALID_QUERY"),
    ({"limit": 1.5}, "INVALID_QUERY"),
    ({"limit": True}, "INVALID_QUERY"),
    ({"offset": 100_001}, "INVALID_QUERY"),
    ({"cursor": {"id": "a"}}, "INVALID_QUERY"),
    ({"distinct": True}, "INVALID_QUERY"),
    ({"wherre": {}}, "INVALID_FIELD"),
    ({"object": "qa_account"}, "INVALID_QUERY"),
    ({"expand": ["bogus"]}, "INVALID_FIELD"),
    ({"expand": ["name"]}, "INVALID_QUERY"),
    ({"expand": {"account": {"object": "qa_note"}}}, "INVALID_QUERY"),
    ({"expand": {"account": {"fields": ["bogus"]}}}, "INVALID_FIELD"),
    ({"search": 5}, "INVALID_QUERY"),
    ({"search": "x", "searchFields": ["score"]}, "INVALID_QUERY"),
    ({"count": "many"}, "INVALID_QUERY"),
    ({"after": "garbage"}, "INVALID_QUERY"),
    ({"groupBy": ["bogus"]}, "INVALID_FIELD"),
    ({"groupBy": [{"field": "name", "dateGranularity": "day"}]}, "INVALID_QUERY"),
    ({"aggregations": [{"function": "median", "field": "score"}]}, "INVALID_QUERY"),
    ({"aggregations": [{"function": "sum", "field": "name"}]}, "INVALID_QUERY"),
    ({"aggregations": [{"function": "count", "alias": 'x"; DROP'}]}, "INVALID_QUERY"),
    ({"groupBy": ["status"], "orderBy": ["name"]}, "INVALID_SORT"),
]


@pytest.mark.parametrize(
    ("body", "code"), REFUSED, ids=[f"{n}-{code}" for n, (_, code) in enumerate(REFUSED)]
)
def test_refusals(inside, body, code):
    with pytest.raises(Problem) as refusal:
        query.find("qa_lead", body, by=inside.actor("manager"))
    assert (refusal.value.code, refusal.value.status) == (code, 400)
    json.dumps(refusal.value.as_dict(), ensure_ascii=False).encode()


def test_deep_filters_are_refused(inside):
    where = {"name": "x"}
    for _ in range(9):
        where = {"$not": where}
    with pytest.raises(Problem, match="levels deep"):
        query.find("qa_lead", {"where": where}, by=inside.actor("manager"))
    nested = ["name", "=", "x"]
    for _ in range(5000):
        nested = ["and", nested]
    with pytest.raises(Problem, match="levels deep"):
        query.find("qa_lead", {"where": nested}, by=inside.actor("manager"))


def test_unsortable_field_is_refused(inside):
    for name in ("tags", "extra"):
        with pytest.raises(Problem) as refusal:
            query.find("qa_lead", {"orderBy": [name]}, by=inside.actor("manager"))
        assert refusal.value.code == "INVALID_SORT"
    query.find("qa_lead", {"orderBy": ["name"]}, by=inside.actor("manager"))


def test_unknown_object_and_missing_right(inside):
    with pytest.raises(Problem) as refusal:
        query.find("nothing", {}, by=inside.actor("manager"))
    assert (refusal.value.code, refusal.value.status) == ("OBJECT_NOT_FOUND", 404)
    with pytest.raises(Problem) as refusal:
        query.find("qa_account", {}, by=inside.actor("reader"))
    assert (refusal.value.code, refusal.value.status) == ("PERMISSION_DENIED", 403)
    with pytest.raises(Problem) as refusal:
        query.find("qa_lead", {}, by=inside.actor("sales"), op="export")
    assert refusal.value.code == "EXPORT_NOT_PERMITTED"
    query.find("qa_lead", {}, by=inside.actor("manager"), op="export")


# -- the query string ------------------------------------------------------------------------------


def by_params(world, *pairs):
    return query.find("qa_lead", list(pairs), by=world.actor("manager"))


def test_query_strings(inside):
    me = inside.user("manager")
    insert("qa_lead", name="Ann", status="new", score=1, vip=True, owner_id=me)
    insert("qa_lead", name="Bob", status="won", score=2, owner_id=me)
    assert by_params(inside, ("status", "new"), ("select", "name")).records() == [{"name": "Ann"}]
    assert by_params(inside, ("vip", "true"), ("$select", "name")).records() == [{"name": "Ann"}]
    for sort in ("-score,name", "score desc", '[{"field":"score","order":"desc"}]', '{"score":"desc"}'):
        assert [r["name"] for r in by_params(inside, ("sort", sort)).records()] == ["Bob", "Ann"]
    for text in ('["score",">=",2]', '{"score":{"$gte":2}}'):
        assert [r["name"] for r in by_params(inside, ("filter", text)).records()] == ["Bob"]
    page = by_params(inside, ("$top", "1"), ("$skip", "1"), ("$orderby", "name"), ("$count", "true"))
    assert ([r["name"] for r in page.records()], page.total, page.has_more) == (["Bob"], 2, False)
    assert by_params(inside, ("filter", '{"score":1}'), ("status", "won")).records() == []
    grouped = by_params(
        inside, ("groupBy", "status"), ("aggregations", '[{"function":"sum","field":"score","alias":"s"}]')
    )
    assert grouped.records() == [{"status": "new", "s": 1}, {"status": "won", "s": 2}]


@pytest.mark.parametrize(
    ("pair", "code"),
    [
        (("bogus", "1"), "INVALID_FIELD"),
        (("$and", "x"), "UNSUPPORTED_QUERY_PARAM"),
        (("score", "[object Object]"), "INVALID_FILTER"),
        (("filter", "{bad"), "INVALID_FILTER"),
        (("filter", "5"), "INVALID_FILTER"),
        (("top", "-1"), "INVALID_QUERY"),
        (("top", "many"), "INVALID_QUERY"),
        (("sort", "[bad"), "INVALID_SORT"),
        (("sort", "nothing"), "INVALID_SORT"),
        (("having", "{"), "INVALID_QUERY"),
        (("deleted", "maybe"), "INVALID_QUERY"),
    ],
)
def test_query_string_refusals(inside, pair, code):
    with pytest.raises(Problem) as refusal:
        by_params(inside, pair)
    assert (refusal.value.code, refusal.value.status) == (code, 400)


def test_a_parameter_counts_once(inside):
    for pairs in ((("top", "1"), ("limit", "2")), (("status", "new"), ("status", "won"))):
        with pytest.raises(Problem):
            by_params(inside, *pairs)


# -- pages -----------------------------------------------------------------------------------------


def test_pages_by_cursor_see_every_row_once(inside):
    chance = random.Random(5)
    rows = rows_of(inside, chance, 60)
    for sort in ([], ["-score"], ["company", "-score"], ["-seen_at", "name"], ["id"], ["-created_at"]):
        seen, after, pages = [], "", 0
        while after is not None:
            body = {"orderBy": sort, "limit": 7, "after": after, "fields": ["id"]}
            page = query.find("qa_lead", body, by=inside.actor("manager"))
            seen += [row["id"] for row in page.records()]
            after, pages = page.next_cursor, pages + 1
            assert (after is not None) == page.has_more
        plain = query.find(
            "qa_lead", {"orderBy": sort, "limit": 1000, "fields": ["id"]}, by=inside.actor("manager")
        )
        assert seen == [row["id"] for row in plain.records()], sort
        assert len(seen) == len(rows)
        assert pages == 9


def test_cursors_are_bound_and_signed(inside):
    rows_of(inside, random.Random(6), 5)
    page = query.find("qa_lead", {"limit": 2, "after": "", "orderBy": ["name"]}, by=inside.actor("manager"))
    good = page.next_cursor
    query.find("qa_lead", {"limit": 2, "after": good, "orderBy": ["name"]}, by=inside.actor("manager"))
    flipped = good[:-2] + ("A" if good[-2] != "A" else "B") + good[-1]
    for after, order, who in (
        (good, ["-name"], "manager"),
        (good, ["name"], "owner"),
        (flipped, ["name"], "manager"),
    ):
        with pytest.raises(Problem) as refusal:
            query.find("qa_lead", {"limit": 2, "after": after, "orderBy": order}, by=inside.actor(who))
        assert refusal.value.code == "INVALID_QUERY"
    with pytest.raises(Problem):
        query.find("qa_lead", {"after": good, "offset": 1, "orderBy": ["name"]}, by=inside.actor("manager"))


def test_limits_and_totals(inside):
    me = inside.user("manager")
    for n in range(5):
        insert("qa_lead", name=f"n{n}", owner_id=me)
    ask = lambda **body: query.find("qa_lead", body, by=inside.actor("manager"))  # noqa: E731
    page = ask(limit=2)
    assert (len(page.rows), page.has_more, page.total) == (2, True, None)
    page = ask(limit=2, count=True)
    assert (len(page.rows), page.has_more, page.total, page.total_kind) == (2, True, 5, "exact")
    page = ask(limit=2, offset=4)
    assert (len(page.rows), page.has_more, page.total) == (1, False, 5)
    page = ask(limit=2, offset=50, count=True)
    assert (page.rows, page.has_more, page.total) == ([], False, 5)
    page = ask(limit=0, count=True)
    assert (page.rows, page.has_more, page.total) == ([], True, 5)
    assert ask(limit=10**6).total == 5
    assert json.loads(ask(limit=2, count="capped").body())["total"] == 5
    assert query.count("qa_lead", {"where": {"name": "n1"}}, by=inside.actor("manager")) == (1, "exact")
    assert MOST_ROWS == 1_000


def test_capped_and_estimated_totals(inside, monkeypatch):
    me = inside.user("manager")
    for n in range(8):
        insert("qa_lead", name=f"n{n}", owner_id=me)
    monkeypatch.setattr("apps.objects.query.refusals.COUNT_CAP", 3)
    monkeypatch.setattr("apps.objects.query.statements.COUNT_CAP", 3)
    ask = {"limit": 1, "where": {"name": {"$startsWith": "n"}, "status": None}}
    page = query.find("qa_lead", ask | {"count": "capped"}, by=inside.actor("manager"))
    assert (page.total, page.total_kind) == (3, "capped")
    assert b'"totalKind":"capped"' in page.body()
    page = query.find("qa_lead", ask | {"count": "estimated"}, by=inside.actor("manager"))
    assert page.total_kind == "estimated"
    page = query.find("qa_lead", ask | {"count": "estimated"}, by=inside.actor("sales"))
    assert page.total_kind in ("exact", "capped")


def test_sort_orders_nulls_and_ties(inside):
    me = inside.user("manager")
    ids = [str(insert("qa_lead", name="n", score=s, owner_id=me)) for s in (2, None, 1, 2)]

    def order(*sort):
        return [
            r["id"]
            for r in query.find(
                "qa_lead", {"orderBy": list(sort), "fields": ["id"]}, by=inside.actor("manager")
            ).records()
        ]

    assert order("score") == [ids[2], ids[0], ids[3], ids[1]]
    assert order("-score") == [ids[1], ids[3], ids[0], ids[2]]


# -- groups ----------------------------------------------------------------------------------------


def test_groups(inside):
    me = inside.user("manager")
    for status, score, month in (("new", 1, 1), ("new", 3, 2), ("won", 10, 2), (None, 4, 5)):
        insert("qa_lead", name="n", status=status, score=score, owner_id=me,
               seen_at=dt.datetime(2026, month, 28, tzinfo=dt.UTC))  # fmt: skip
    ask = lambda **body: query.find("qa_lead", body, by=inside.actor("manager")).records()  # noqa: E731
    every = [
        {"function": f, "field": "score", "alias": f} for f in ("sum", "avg", "min", "max", "count_distinct")
    ]
    rows = ask(groupBy=["status"], aggregations=[*every, {"function": "count", "alias": "n"}])
    assert rows[0] == {"status": "new", "sum": 4, "avg": 2, "min": 1, "max": 3, "count_distinct": 2, "n": 2}
    assert [row["status"] for row in rows] == ["new", "won", None]
    count = [{"function": "count", "alias": "n"}]
    for bucket, first in (("day", "2026-01-28"), ("week", "2026-W05"), ("month", "2026-01"),
                          ("quarter", "2026-Q1"), ("year", "2026")):  # fmt: skip
        rows = ask(
            groupBy=[{"field": "seen_at", "dateGranularity": bucket, "alias": "b"}], aggregations=count
        )
        assert rows[0]["b"] == first
    assert ask(groupBy=["status"], aggregations=count, having={"n": {"$gt": 1}}) == [
        {"status": "new", "n": 2}
    ]
    assert ask(aggregations=[{"function": "count", "alias": "n", "filter": {"status": "new"}}]) == [{"n": 2}]
    assert ask(
        groupBy=["status"], aggregations=count, orderBy=[{"field": "n", "order": "desc"}], limit=1
    ) == [{"status": "new", "n": 2}]
    newest = [{"function": "max", "field": "seen_at", "alias": "last"}]
    assert ask(aggregations=newest) == [{"last": "2026-05-28T00:00:00.000Z"}]


WRONG = {
    "ne": ("{} <> {}", ""),
    "nin": ("{} <> ALL({})", ""),
    "not_contains": ("{} NOT LIKE {}", "%?%"),
    "has_not": ("NOT ({} @> ARRAY[{}]::text[])", ""),
    "icontains": ("{} LIKE {}", "%?%"),
    "starts": ("{} LIKE {}", "%?%"),
    "gte": ("{} > {}", ""),
    "ilike": ("{} LIKE {}", ""),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_operator_is_caught(inside, monkeypatch, name):
    """Negative control: the comparison with Python notices each changed operator."""
    plans.cache.clear()
    text, pattern = WRONG[name]
    monkeypatch.setitem(where_sql.TESTS, name, (sql.SQL(text), pattern))
    chance = random.Random(11)
    rows = rows_of(inside, chance, 80)
    user = inside.user("manager")
    caught = False
    for _ in range(1_500):
        where = random_filter(chance, inside)
        caught = found(inside, where) != {str(row["id"]) for row in rows if matches(where, row, user)}
        if caught:
            break
    plans.cache.clear()
    assert caught
