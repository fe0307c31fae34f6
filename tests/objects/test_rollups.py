"""Roll-ups are exact: after every kind of change, whoever writes, however many write at once."""

import random
import threading
import time
from decimal import Decimal

import psycopg
import pytest
from django.db import connections, transaction

from apps.core.actor import SYSTEM
from apps.core.db.owner import owner_session
from apps.core.scope import tenant_scope
from apps.objects import query, records
from apps.objects.parse import DefinitionErrors, load_body
from apps.objects.publish import plan_objects, publish_in, publish_objects
from apps.portal import show

WON = {"stage": {"$in": ["won", "it's $$ \\ done"]}, "amount": {"$gt": 0}}
FUNCTIONS = ("count", "sum", "min", "max", "avg")


def summary(function, source="amount", **more):
    said = {"object": "ru_line", "function": function, **more}
    return {"type": "summary", "summaryOperations": said | ({} if function == "count" else {"field": source})}


BOOK = {
    "name": "ru_book",
    "sharingModel": "public_read_write",
    "fields": {
        "title": {"type": "text", "required": True},
        "grand": {
            "type": "summary",
            "summaryOperations": {"object": "ru_order", "function": "sum", "field": "s_sum"},
        },
    },
}
ORDER = {
    "name": "ru_order",
    "sharingModel": "public_read_write",
    "fields": {
        "title": {"type": "text", "required": True},
        "book": {"type": "lookup", "reference": "ru_book"},
        **{f"s_{name}": summary(name) for name in FUNCTIONS},
        **{f"w_{name}": summary(name, filter=WON) for name in FUNCTIONS},
    },
}
LINE = {
    "name": "ru_line",
    "sharingModel": "public_read_write",
    "fields": {
        "title": {"type": "text", "required": True},
        "order": {"type": "master_detail", "reference": "ru_order"},
        "amount": {"type": "currency"},
        "stage": {"type": "text"},
    },
}
PLAIN = {**ORDER, "fields": {"title": {"type": "text", "required": True}, "book": ORDER["fields"]["book"]}}


@pytest.fixture(scope="module")
def tenant(database):
    publish_in(database["acme"], [load_body(body) for body in (BOOK, ORDER, LINE)], by=SYSTEM)
    return database["acme"]


@pytest.fixture
def shop(tenant, clean_connection):
    """The tenant; every row is gone afterwards."""
    yield tenant
    with tenant_scope(tenant), connections["default"].cursor() as cursor:
        for name in ("line", "order", "book"):
            cursor.execute(f'DELETE FROM "obj_ru_{name}"')


def make(name, **values):
    return records.create(f"ru_{name}", {"title": "x", **values}, by=SYSTEM).id


def kept(order):
    """The summaries of an order as the platform keeps them."""
    found = query.get("ru_order", order, by=SYSTEM).record()
    return {key: found[key] for key in found if key[:2] in ("s_", "w_")}


def counted(order):
    """The same, counted from the lines there are."""
    body = {"where": {"order": order}, "fields": ["amount", "stage"], "limit": 1000}
    lines = query.find("ru_line", body, by=SYSTEM).records()
    found = {}
    for prefix, rows in (
        ("s", lines),
        ("w", [r for r in lines if r["stage"] in WON["stage"]["$in"] and (r["amount"] or 0) > 0]),
    ):
        values = [Decimal(str(r["amount"])) for r in rows if r["amount"] is not None]
        found |= {
            f"{prefix}_count": len(rows),
            f"{prefix}_sum": sum(values, Decimal(0)),
            f"{prefix}_min": min(values, default=None),
            f"{prefix}_max": max(values, default=None),
            f"{prefix}_avg": sum(values) / len(values) if values else None,
        }
    return found


def agree(order):
    mine, theirs = kept(order), counted(order)
    assert mine.keys() == theirs.keys()
    for key, value in theirs.items():
        if value is None or mine[key] is None:
            assert mine[key] is value, key
        else:
            assert abs(Decimal(str(mine[key])) - Decimal(value)) < Decimal("1e-12"), key


def test_every_function_follows_every_change(shop):
    """Random writes of every kind, soft-deleted and restored rows and moved ones among them."""
    chance = random.Random(4)
    stages = [None, "new", "won", "it's $$ \\ done"]
    with tenant_scope(shop):
        orders = [make("order") for _ in range(3)]
        lines, binned = [], []
        for _step in range(120):
            act = chance.choice("aaaauuummdrp")
            values = {
                "amount": chance.choice([None, 0, 1, "2.50", "-3.01", "999999.99"]),
                "stage": chance.choice(stages),
            }
            if act == "a" or not lines:
                lines.append(make("line", order=chance.choice(orders), **values))
            elif act == "u":
                records.update("ru_line", chance.choice(lines), values, by=SYSTEM)
            elif act == "m":
                records.update("ru_line", chance.choice(lines), {"order": chance.choice(orders)}, by=SYSTEM)
            elif act == "d":
                binned.append(lines.pop(chance.randrange(len(lines))))
                records.delete("ru_line", binned[-1], by=SYSTEM)
            elif act == "r" and binned:
                lines.append(binned.pop())
                records.restore("ru_line", lines[-1], by=SYSTEM)
            elif act == "p" and binned:
                records.purge("ru_line", binned.pop(), by=SYSTEM)
        for order in orders:
            agree(order)


def test_nothing_is_nought_or_null(shop):
    with tenant_scope(shop):
        found = kept(make("order"))
    assert (found["s_count"], found["s_sum"]) == (0, 0)
    assert (found["s_min"], found["s_max"], found["s_avg"]) == (None, None, None)


def test_a_sum_of_sums(shop):
    """A roll-up may itself be rolled up: the triggers follow each other."""
    with tenant_scope(shop):
        book = make("book")
        orders = [make("order", book=book) for _ in range(2)]
        for order in orders:
            make("line", order=order, amount="10.10")
        assert query.get("ru_book", book, by=SYSTEM).record()["grand"] == Decimal("20.2")
        records.delete("ru_order", orders[0], by=SYSTEM)
        assert query.get("ru_book", book, by=SYSTEM).record()["grand"] == Decimal("10.1")


def test_the_masters_own_version_stays(shop):
    """Whoever edits the order meets no conflict because a line was added; its history says nothing of it."""
    with tenant_scope(shop):
        order = make("order")
        before = query.get("ru_order", order, by=SYSTEM).record()
        make("line", order=order, amount=5)
        after = query.get("ru_order", order, by=SYSTEM).record()
        assert (before["version"], before["updated_at"]) == (after["version"], after["updated_at"])
        records.update("ru_order", order, {"title": "y"}, by=SYSTEM, if_match=before["version"])
        assert kept(order)["s_sum"] == 5


def test_nobody_writes_it(shop):
    with tenant_scope(shop):
        order = make("order")
        written = records.update("ru_order", order, {"s_sum": 7, "title": "y"}, by=SYSTEM)
        assert written.dropped == ["s_sum"] and kept(order)["s_sum"] == 0


def parallel(tenant, work, writers=8):
    """Run `work(number)` in as many threads at once; return what went wrong."""
    wrong, start = [], threading.Barrier(writers)

    def one(number):
        try:
            start.wait(10)
            work(number)
        except Exception as error:  # noqa: BLE001 - the test tells of any
            wrong.append(error)
        finally:
            connections["default"].close()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return wrong


def hammer(tenant, order):
    def work(number):
        for step in range(12):
            made = records.create(
                "ru_line", {"title": "x", "order": order, "amount": number + step}, by=SYSTEM, tenant=tenant
            )
            if step % 3 == 0:
                records.update("ru_line", made.id, {"amount": step, "stage": "won"}, by=SYSTEM, tenant=tenant)
            elif step % 3 == 1:
                records.delete("ru_line", made.id, by=SYSTEM, tenant=tenant)

    return parallel(tenant, work)


def test_parallel_writers_add_up_exactly(shop):
    with tenant_scope(shop):
        order = make("order")
    assert hammer(shop, order) == []
    with tenant_scope(shop):
        agree(order)
        assert kept(order)["s_count"] == 8 * 8


def without_the_lock(body):
    """The function as it would be without the statement that locks the master first."""
    start = body.index("  IF true THEN\n    PERFORM")
    return body[:start] + body[body.index("  IF old_master IS DISTINCT", start) :]


def test_reading_anew_without_the_lock_is_wrong(shop, superuser_url):
    """The negative control: two writers whose snapshots do not know of each other."""
    with tenant_scope(shop), connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT prosrc FROM pg_proc WHERE proname = 'ru_line__order__sum' AND pronamespace = %s::regnamespace",
            [shop.schema],
        )
        body = cursor.fetchone()[0]
    assert two_at_once(shop, superuser_url) == Decimal(9)
    replaced(superuser_url, shop, without_the_lock(body))
    try:
        assert two_at_once(shop, superuser_url) != Decimal(9)
    finally:
        replaced(superuser_url, shop, body)


def replaced(url, tenant, body):
    with psycopg.connect(url, autocommit=True) as raw:
        raw.execute(f"SET search_path = {tenant.schema}, public")
        text = psycopg.sql.SQL(
            "CREATE OR REPLACE FUNCTION ru_line__order__sum() RETURNS trigger LANGUAGE plpgsql AS {}"
        )
        raw.execute(text.format(psycopg.sql.Literal(body)))


def two_at_once(tenant, url):
    """Write 3 and 9 in two transactions, the second begun before the first ends; return the greatest."""
    with tenant_scope(tenant):
        order = make("order")
    insert = "INSERT INTO obj_ru_line (id, title, \"order\", amount) VALUES (gen_random_uuid(), 'x', %s, %s)"
    with psycopg.connect(url) as one, psycopg.connect(url) as two:
        for raw in (one, two):
            raw.execute(f"SET search_path = {tenant.schema}, public")
            raw.commit()
        one.execute(insert, [order, 9])
        done = threading.Thread(target=lambda: (two.execute(insert, [order, 3]), two.commit()))
        done.start()
        with psycopg.connect(url, autocommit=True) as watch:
            waiting = "SELECT count(*) FROM pg_locks WHERE pid = %s AND NOT granted"
            while not watch.execute(waiting, [two.info.backend_pid]).fetchone()[0]:
                time.sleep(0.01)
        one.commit()
        done.join(20)
    with tenant_scope(tenant):
        return Decimal(str(kept(order)["s_max"]))


@pytest.fixture
def here(acme):
    with owner_session(), tenant_scope(acme) as scope:
        yield scope
        transaction.set_rollback(True)


def publish(*bodies, **options):
    return publish_objects([load_body(body) for body in bodies], by=SYSTEM, **options)


def renamed(body, prefix="rx_"):
    """The body with other names, so that the shop's own objects stay out of it."""
    text = str(body).replace("ru_", prefix)
    return eval(text)


def test_publishing_fills_what_is_there(here):
    publish(renamed(BOOK | {"fields": {"title": {"type": "text"}}}), renamed(PLAIN), renamed(LINE))
    order = records.create("rx_order", {"title": "o"}, by=SYSTEM).id
    for amount in (1, 2, 6):
        records.create("rx_line", {"title": "l", "order": order, "amount": amount, "stage": "won"}, by=SYSTEM)
    made = publish(renamed(ORDER))
    (step,) = [s for s in made.plan.steps if s.sentence.startswith("Keep")]
    assert (step.risk, step.rows) == ("backfill", 1) and "rx_order: s_count" in step.sentence
    found = query.get("rx_order", order, by=SYSTEM).record()
    assert (found["s_count"], found["w_sum"], found["s_avg"]) == (3, 9, 3)
    assert publish(renamed(ORDER)).plan.empty
    assert publish(renamed(PLAIN), allow_destructive=True).plan.steps
    records.create("rx_line", {"title": "l", "order": order, "amount": 1}, by=SYSTEM)
    assert publish(renamed(ORDER)).plan.steps
    assert query.get("rx_order", order, by=SYSTEM).record()["s_count"] == 4


def test_renames_take_the_roll_up_along(here):
    publish(renamed(BOOK), renamed(ORDER), renamed(LINE))
    order = records.create("rx_order", {"title": "o"}, by=SYSTEM).id
    line = renamed(LINE)
    fields = dict(line["fields"])
    fields["worth"] = {**fields.pop("amount"), "renamedFrom": "amount"}
    filter_ = {**WON, "worth": WON["amount"]}
    del filter_["amount"]
    order_fields = {
        key: {
            **value,
            "summaryOperations": {**value["summaryOperations"], "object": "rx_part"}
            | ({"field": "worth"} if "field" in value["summaryOperations"] else {})
            | ({"filter": filter_} if "filter" in value["summaryOperations"] else {}),
        }
        if value["type"] == "summary"
        else value
        for key, value in renamed(ORDER)["fields"].items()
    }
    publish(
        {**line, "name": "rx_part", "renamedFrom": "rx_line", "fields": fields},
        {**renamed(ORDER), "fields": order_fields},
    )
    records.create("rx_part", {"title": "l", "order": order, "worth": 4}, by=SYSTEM)
    assert query.get("rx_order", order, by=SYSTEM).record()["s_sum"] == 4


def test_a_sum_of_a_formula_follows_the_formula(here):
    """Another formula gives the details other values without a write: the sums are counted anew."""

    def publish_with(expression):
        line = renamed(LINE)
        worth = {"type": "formula", "expression": expression, "returnType": "number"}
        fields = {**line["fields"], "worth": worth}
        total = {
            "type": "summary",
            "summaryOperations": {"object": "rx_line", "function": "max", "field": "worth"},
        }
        sums = {
            "type": "summary",
            "summaryOperations": {"object": "rx_line", "function": "sum", "field": "worth"},
        }
        order = {"title": {"type": "text"}, "sums": sums, "most": total}
        return publish({"name": "rx_order", "fields": order}, {**line, "fields": fields})

    publish_with("record.amount * 2.0")
    order = records.create("rx_order", {"title": "o"}, by=SYSTEM).id
    for amount in (1, 5):
        records.create("rx_line", {"title": "l", "order": order, "amount": amount}, by=SYSTEM)
    found = query.get("rx_order", order, by=SYSTEM).record()
    assert (found["sums"], found["most"]) == (12, 10)
    publish_with("record.amount * 3.0")
    found = query.get("rx_order", order, by=SYSTEM).record()
    assert (found["sums"], found["most"]) == (18, 15)
    index = "SELECT count(*) FROM pg_indexes WHERE schemaname = 't_acme' AND indexname = 'rx_line__order_worth__rix'"
    with connections["default"].cursor() as cursor:
        cursor.execute(index)
        assert cursor.fetchone() == (1,)
    assert publish_with("record.amount * 3.0").plan.empty


def test_an_average_is_rounded_and_money_is_shown_as_such(here):
    mean = {
        "type": "summary",
        "summaryOperations": {"object": "rx_line", "function": "avg", "field": "amount"},
        "scale": 2,
        "currency": "EUR",
    }
    body = {"name": "rx_order", "fields": {"title": {"type": "text"}, "mean": mean}}
    publish(body, renamed(LINE))
    order = records.create("rx_order", {"title": "o"}, by=SYSTEM).id
    for amount in (1, 1, 2):
        records.create("rx_line", {"title": "l", "order": order, "amount": amount}, by=SYSTEM)
    value = query.get("rx_order", order, by=SYSTEM).record()["mean"]
    assert value == Decimal("1.33")
    definition = load_body(body)
    assert "€" in show.cell(value, definition.fields["mean"], definition, show.Names({}, {}, "USD"))


def refused(message, *bodies):
    with pytest.raises(DefinitionErrors, match=message), transaction.atomic():
        publish(*bodies)


def test_one_of_two_references_is_named(here):
    two = {
        **LINE,
        "fields": {
            **LINE["fields"],
            "order": {"type": "lookup", "reference": "ru_order"},
            "other": {"type": "lookup", "reference": "ru_order"},
        },
    }
    counts = {"title": {"type": "text"}, "n": summary("count"), "book": ORDER["fields"]["book"]}
    order = renamed({**ORDER, "fields": counts})
    refused(
        "does not lead to rx_order by one way",
        renamed({**BOOK, "fields": {"title": {"type": "text"}}}),
        order,
        renamed(two),
    )
    counts["n"] = summary("count", relationshipField="other")
    publish(
        renamed({**BOOK, "fields": {"title": {"type": "text"}}}),
        renamed({**ORDER, "fields": counts}),
        renamed(two),
    )
    made = records.create("rx_order", {"title": "o"}, by=SYSTEM).id
    records.create("rx_line", {"title": "l", "order": made}, by=SYSTEM)
    records.create("rx_line", {"title": "l", "other": made}, by=SYSTEM)
    assert query.get("rx_order", made, by=SYSTEM).record()["n"] == 1


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"object": "ghost", "function": "count"}, "no object 'ghost'"),
        ({"object": "ru_line", "function": "sum", "field": "stage"}, "no number 'stage'"),
        ({"object": "ru_line", "function": "sum", "field": "none"}, "no number 'none'"),
        ({"object": "ru_line", "function": "count", "filter": {"amount": {"$gt": "{today}"}}}, "no tokens"),
        ({"object": "ru_line", "function": "count", "filter": {"ghost": 1}}, "ghost"),
        ({"object": "ru_line", "function": "count", "relationshipField": "amount"}, "by one way"),
    ],
    ids=["object", "text", "field", "token", "filter", "relation"],
)
def test_what_cannot_be_kept_is_refused(here, said, message):
    fields = {**ORDER["fields"], "s_sum": {"type": "summary", "summaryOperations": said}}
    refused(message, renamed(BOOK), renamed({**ORDER, "fields": fields}), renamed(LINE))


@pytest.mark.parametrize(
    "said",
    [
        {"object": "ru_line"},
        {"object": "ru_line", "function": "sum"},
        {"object": "ru_line", "function": "count", "field": "amount"},
        None,
    ],
    ids=["function", "field", "count", "nothing"],
)
def test_half_a_summary_is_refused(said):
    field = {"type": "summary"} | ({"summaryOperations": said} if said else {})
    with pytest.raises(DefinitionErrors, match=r"missing|go together|says what"):
        load_body({"name": "x", "fields": {"title": {"type": "text"}, "n": field}})


def test_a_roll_up_of_itself_is_refused(here):
    def mutual(name, other):
        total = {
            "type": "summary",
            "summaryOperations": {
                "object": other,
                "function": "sum",
                "field": "total",
                "relationshipField": "up",
            },
        }
        return {
            "name": name,
            "fields": {
                "title": {"type": "text"},
                "up": {"type": "lookup", "reference": other},
                "total": total,
            },
        }

    refused("would roll up itself", mutual("rx_one", "rx_two"), mutual("rx_two", "rx_one"))


def test_what_is_rolled_up_cannot_be_dropped(here):
    publish(renamed(BOOK), renamed(ORDER), renamed(LINE))
    fields = {key: value for key, value in LINE["fields"].items() if key != "amount"}
    with pytest.raises(DefinitionErrors, match="no number 'amount'"):
        plan_objects([load_body(renamed({**LINE, "fields": fields}))])
