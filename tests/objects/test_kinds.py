"""Every field type: what it takes, what it refuses, and that PostgreSQL gives back the same JSON as Python."""

import datetime as dt
import json
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import connections, transaction
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from apps.core.actor import SYSTEM
from apps.core.db.owner import owner_session
from apps.core.ids import uuid7
from apps.core.scope import tenant_scope
from apps.objects.definitions import SYSTEM_FIELDS, FieldDef, Option
from apps.objects.kinds import KINDS, AcceptContext, FieldProblem, kind_of, public_kinds
from apps.objects.parse import load_body
from apps.objects.publish import publish_objects

OPTIONS = (Option("open", "Open"), Option("won", "Gewonnen", default=True))
ME = UUID("01a1f9fd-0672-7afe-865f-2dbb51e9f3c1")  # fixed: it is part of the names of tests


def field(kind, **more):
    if kind in ("select", "multiselect"):
        more.setdefault("options", OPTIONS)
    return FieldDef("f", kind, **more)


def accept(kind, raw, context=None, **more):
    made = field(kind, **more)
    return kind_of(made).accept(made, raw, context=context or AcceptContext())


def refused(kind, raw, **more):
    with pytest.raises(FieldProblem) as problem:
        accept(kind, raw, **more)
    return problem.value.code


TAKES = [
    ("text", "Zoë ☃", "Zoë ☃"),
    ("textarea", "one\ntwo", "one\ntwo"),
    ("email", " anna@example.com ", "anna@example.com"),
    ("email", "a@bücher.example", "a@bücher.example"),
    ("url", "https://example.com/a?b=c", "https://example.com/a?b=c"),
    ("phone", "(171) 555-7788", "(171) 555-7788"),
    ("phone", "+49 30 1234567 ext. 12", "+49 30 1234567 ext. 12"),
    ("number", 12345678.91, Decimal("12345678.91")),
    ("number", "1e3", Decimal(1000)),
    ("number", 2**60, Decimal(2**60)),
    ("currency", "1250.50", Decimal("1250.5")),
    ("percent", 25, Decimal(25)),
    ("boolean", False, False),
    ("date", "2024-02-29", dt.date(2024, 2, 29)),
    (
        "datetime",
        "2026-01-31T09:30:00.123456+02:00",
        dt.datetime(2026, 1, 31, 7, 30, 0, 123000, tzinfo=dt.UTC),
    ),
    ("select", "open", "open"),
    ("multiselect", ["won", "open", "won"], ["won", "open"]),
    ("multiselect", "won", ["won"]),
    ("lookup", "0192f7a0-0000-7000-8000-000000000001", UUID("0192f7a0-0000-7000-8000-000000000001")),
    ("user", str(ME), ME),
    ("json", {"a": [1, 2.5, None, "x"]}, {"a": [1, 2.5, None, "x"]}),
]
REFUSES = [
    ("text", 5, "invalid_type"),
    ("text", "a\x00b", "invalid_format"),
    ("text", "\ud800", "invalid_format"),
    ("text", "x" * 256, "max_length"),
    ("email", "anna", "invalid_email"),
    ("email", "a b@example.com", "invalid_email"),
    ("url", "javascript:alert(1)", "invalid_url"),
    ("url", "example.com", "invalid_url"),
    ("url", "https://user:secret@example.com", "invalid_url"),
    ("phone", "call me", "invalid_phone"),
    ("phone", "12", "invalid_phone"),
    ("number", True, "invalid_type"),
    ("number", "12,5", "invalid_number"),
    ("number", float("nan"), "invalid_number"),
    ("number", "1e999", "invalid_number"),
    ("currency", "1.005", "max_scale"),
    ("currency", "12345678901234567", "max_value"),
    ("boolean", "true", "invalid_boolean"),
    ("boolean", 1, "invalid_boolean"),
    ("date", "2023-02-29", "invalid_date"),
    ("date", "31.01.2026", "invalid_date"),
    ("date", 20260131, "invalid_type"),
    ("datetime", "2026-01-31T09:30:00", "invalid_date"),
    ("datetime", "0001-01-01T00:00:00+10:00", "invalid_date"),
    ("select", "lost", "invalid_option"),
    ("select", 1, "invalid_type"),
    ("multiselect", ["open", "lost"], "invalid_option"),
    ("multiselect", {"open": 1}, "invalid_type"),
    ("lookup", "nonsense", "reference_not_found"),
    ("lookup", 7, "invalid_type"),
    ("autonumber", "ACC-1", "invalid_value"),
    ("json", {"a": float("inf")}, "invalid_json"),
    ("json", {"a": "\x00"}, "invalid_format"),
]


@pytest.mark.parametrize(("kind", "raw", "value"), TAKES)
def test_takes(kind, raw, value):
    assert accept(kind, raw) == value


@pytest.mark.parametrize(("kind", "raw", "code"), REFUSES)
def test_refuses(kind, raw, code):
    assert refused(kind, raw) == code


def test_every_kind():
    assert len(public_kinds()) > 30
    for name, kind in KINDS.items():
        assert kind.name == name
        assert {"$null", "$exists"} <= kind.operators


@pytest.mark.parametrize("kind", [k for k in public_kinds() if not KINDS[k].generated])
def test_required(kind):
    assert accept(kind, None) is None
    assert refused(kind, None, required=True) == "required"
    if kind != "json":
        assert accept(kind, "") is None
        assert refused(kind, "", required=True) == "required"


def test_text_length():
    assert refused("text", "abc", max_length=2) == "max_length"
    assert refused("text", "a", min_length=2) == "min_length"
    assert accept("text", "ab", min_length=2, max_length=2) == "ab"


def test_number_bounds():
    assert refused("number", 1, min=Decimal(2)) == "min_value"
    assert refused("number", 3, max=Decimal(2)) == "max_value"
    assert accept("number", 2, min=Decimal(2), max=Decimal(2)) == 2


def test_number_digits():
    assert refused("number", "12.34", precision=5, scale=1) == "max_scale"
    assert refused("number", "12345", precision=5, scale=1) == "max_value"
    assert accept("number", "1234.5", precision=5, scale=1) == Decimal("1234.5")
    assert refused("number", "1.5", precision=5) == "max_scale"


def test_select():
    with pytest.raises(FieldProblem) as refusal:
        accept("select", "Open")
    problem = refusal.value
    assert problem.options == ("open", "won")
    made = field("select")
    assert kind_of(made).from_text(made, "gewonnen") == "won"


def test_select_multiple():
    made = field("select", multiple=True)
    assert kind_of(made).name == "multiselect"
    assert kind_of(made).from_text(made, "Open; gewonnen") == ["open", "won"]


def test_defaults():
    context = AcceptContext(user_id=ME, now=dt.datetime(2026, 1, 31, 23, 30, tzinfo=dt.UTC))

    def default(kind, value):
        made = field(kind, default_value=value)
        return kind_of(made).default(made, context=context)

    assert default("date", "{today}") == dt.date(2026, 1, 31)
    assert default("datetime", "{now}") == context.now
    assert default("user", "{current_user_id}") == ME
    assert default("number", "2.50") == Decimal("2.5")
    assert default("text", None) is None


def test_today_is_the_zones_day():
    zone = dt.timezone(dt.timedelta(hours=9))
    context = AcceptContext(zone=zone, now=dt.datetime(2026, 1, 31, 23, 30, tzinfo=dt.UTC))
    assert context.today == dt.date(2026, 2, 1)
    assert accept("datetime", "2026-02-01T08:30", context=context) == context.now


FILTERS = [
    ("number", "5", Decimal(5)),
    ("boolean", "true", True),
    ("date", "2026-01-31", dt.date(2026, 1, 31)),
    ("datetime", "2026-01-31", dt.date(2026, 1, 31)),
    ("datetime", "2026-01-31T00:00:00Z", dt.datetime(2026, 1, 31, tzinfo=dt.UTC)),
    ("select", "gone", "gone"),
    ("text", "x" * 300, "x" * 300),
]


@pytest.mark.parametrize(("kind", "raw", "value"), FILTERS)
def test_filter_value(kind, raw, value):
    made = field(kind)
    assert kind_of(made).filter_value(made, raw) == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**20), max_value=10**20))
def test_numbers_survive_text(value):
    made = field("number")
    kind = kind_of(made)
    stored = kind.accept(made, value)
    assert stored == value
    assert kind.accept(made, kind.to_text(made, stored)) == stored


@pytest.mark.parametrize(("kind", "raw", "value"), [t for t in TAKES if t[0] != "number"])
def test_values_survive_csv(kind, raw, value):
    made = field(kind)
    text = kind_of(made).to_text(made, value)
    assert accept(kind, kind_of(made).from_text(made, text)) == value


# -- PostgreSQL and Python say the same ----------------------------------------------------------------


def every_type():
    choices = [{"value": "open"}, {"value": "won"}]
    return load_body(
        {
            "name": "everything",
            "fields": {
                "text": {"type": "text"},
                "textarea": {"type": "textarea"},
                "email": {"type": "email"},
                "url": {"type": "url"},
                "phone": {"type": "phone"},
                "number": {"type": "number"},
                "currency": {"type": "currency"},
                "percent": {"type": "percent"},
                "boolean": {"type": "boolean"},
                "date": {"type": "date"},
                "datetime": {"type": "datetime"},
                "select": {"type": "select", "options": choices},
                "multiselect": {"type": "multiselect", "options": choices},
                "lookup": {"type": "lookup", "reference": "everything"},
                "user": {"type": "user"},
                "json": {"type": "json"},
            },
        }
    )


@pytest.fixture
def table(acme):
    with owner_session(), tenant_scope(acme):
        publish_objects([every_type()], by=SYSTEM)
        yield every_type()
        transaction.set_rollback(True)


def stored_json(definition, name, value):
    """Write one value and read it back as the wire JSON that PostgreSQL makes."""
    made = definition.all_fields[name]
    kind = kind_of(made)
    column = sql.Identifier(made.column)
    with connections["default"].cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "INSERT INTO obj_everything (id, {}) VALUES (%s, %s) RETURNING json_build_object('v', {})::text"
            ).format(column, kind.json_sql(made, column)),
            [uuid7(), kind.bind(made, value)],
        )
        return json.loads(cursor.fetchone()[0], parse_float=Decimal)["v"]


@pytest.mark.parametrize(("name", "raw", "value"), [t for t in TAKES if t[0] != "lookup"])
def test_json_round_trip(table, name, raw, value):
    made = table.all_fields[name]
    wire = kind_of(made).python_json(made, value)
    assert stored_json(table, name, value) == wire
    if wire is not None:
        assert kind_of(made).accept(made, wire) == value


@pytest.mark.parametrize("name", [n for n in every_type().fields if n != "lookup"])
def test_null_round_trip(table, name):
    assert stored_json(table, name, None) is None


def test_exact_digits_reach_the_wire(table):
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "INSERT INTO obj_everything (id, number) VALUES (%s, %s)",
            [uuid7(), Decimal("12345678901234567.891")],
        )
        made = table.fields["number"]
        cursor.execute(
            sql.SQL("SELECT json_build_object('v', {})::text FROM obj_everything").format(
                kind_of(made).json_sql(made, sql.Identifier("number"))
            )
        )
        assert cursor.fetchone()[0] == '{"v" : 12345678901234567.891}'


def test_the_table_refuses_what_the_kind_refuses(table):
    """The second wall: values written by other ways than the services meet the table's own checks."""
    from django.db import utils

    bad = {
        "text": "x" * 256,
        "select": "lost",
        "multiselect": ["lost"],
        "lookup": uuid7(),
        "currency": Decimal(10) ** 17,
    }
    for name, value in bad.items():
        with pytest.raises((utils.IntegrityError, utils.DataError)), transaction.atomic():
            stored_json(table, name, value)


def test_no_type_sees_a_change_where_there_is_none(table):
    assert publish_objects([every_type()], by=SYSTEM).plan.empty


def test_system_fields_have_kinds():
    for made in SYSTEM_FIELDS.values():
        assert kind_of(made).json_sql(made, sql.Identifier(made.column)) is not None
