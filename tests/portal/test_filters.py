"""The filter builder: what an address means, and what it never lets through."""

from typing import Any

from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from apps.objects.definitions import ObjectDef
from apps.objects.parse import load_yaml
from apps.portal.listing import address, builder, filters
from apps.portal.listing.operators import OPERATORS, escaped

THING: ObjectDef = load_yaml(
    """
name: crm_thing
label: Thing
pluralLabel: Things
fields:
  name: {type: text, label: Name}
  size: {type: number, label: Size}
  due: {type: date, label: Due}
  open: {type: boolean, label: Open}
  state: {type: select, label: State, options: [{label: New, value: new}, {label: Old, value: old}]}
  secret: {type: text, label: Secret}
nameField: name
""",
    "thing.object.yml",
)
READABLE = frozenset(THING.all_fields) - {"secret"}


def where(*texts: str) -> object:
    return filters.where(filters.decode(texts, THING, READABLE))


def test_one_group_holds_all_of_its_conditions() -> None:
    assert where("0.name.has.ann", "0.size.gt.5") == {
        "$and": [{"name": {"$icontains": "ann"}}, {"size": {"$gt": "5"}}]
    }


def test_groups_are_alternatives() -> None:
    assert where("0.open.yes", "1.state.in.new,old") == {
        "$or": [{"open": {"$eq": True}}, {"state": {"$in": ["new", "old"]}}]
    }


def test_values_may_hold_dots_and_percent_signs_are_literal() -> None:
    assert where("0.name.is.a.b.c") == {"name": {"$eq": "a.b.c"}}
    assert where("0.name.starts.50%") == {"name": {"$ilike": "50\\%%"}}
    assert escaped("a_b\\c") == "a\\_b\\\\c"


def test_unreadable_unknown_and_senseless_conditions_are_left_out() -> None:
    assert filters.decode(["0.secret.is.x"], THING, READABLE) == []
    assert (
        filters.decode(
            ["0.nothing.is.x", "0.size.has.5", "0.size.gt.many", "0.due.on.soon", "x"], THING, READABLE
        )
        == []
    )
    assert filters.decode(["0.secret.is.x"], THING, frozenset(THING.all_fields)) != []


@given(st.text(max_size=60))
def test_no_address_breaks_the_list(text: str) -> None:
    filters.where(filters.decode([text, f"0.name.has.{text}"], THING, READABLE))


def test_conditions_survive_their_address() -> None:
    for condition in (filters.Condition("2o-1n", "name", "has", "x.y"), filters.Condition("0", "open", "no")):
        assert filters.decode([condition.encoded()], THING, READABLE) == [condition]


def test_a_sent_builder_becomes_conditions() -> None:
    get = QueryDict(
        "path=0&mode_0=all&group=0&row=a&field=name&operator=has&value=ann"
        "&group=0&row=b&field=size&operator=between&value=..&low_b=1&high_b=9"
        "&path=0-0&mode_0-0=any&group=0-0&row=c&field=state&operator=in&value=*&value_c=new&value_c=old"
        "&group=0-0&row=d&field=&operator=is&value=&path=0-1&mode_0-1=none&group=0-1&row=e&field=open&operator=yes&value="
    )
    assert [c.encoded() for c in builder.sent(get)] == [
        "0.name.has.ann",
        "0.size.between.1..9",
        "0-0o.state.in.new,old",
        "0-1n.open.yes",
    ]


def test_groups_within_groups_mean_what_they_say() -> None:
    assert where("0.name.has.a", "0-0o.size.gt.5", "0-0o.open.yes", "0-1n.state.is.old") == {
        "$and": [
            {"name": {"$icontains": "a"}},
            {"$or": [{"size": {"$gt": "5"}}, {"open": {"$eq": True}}]},
            {"$not": {"state": {"$eq": "old"}}},
        ]
    }


def test_a_further_condition_holds_whatever_the_filter_says() -> None:
    for texts in (["0.open.yes"], ["0.open.yes", "1.size.gt.5"], ["0o.open.yes", "0o.size.gt.5"], []):
        given = filters.decode(texts, THING, READABLE)
        wider = filters.where(filters.narrowed(given, "name", "is", "x"))
        parts = (wider or {}).get("$and", [wider])
        assert {"name": {"$eq": "x"}} in parts
        again = filters.where(given)
        assert again is None or any(part == again for part in parts)


SIMPLE = st.sampled_from(
    [{"open": True}, {"size": {"$gt": 5}}, {"state": {"$in": ["new"]}}, {"name": {"$ne": "x"}}]
)
NESTED = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: {"$and": parts}),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: {"$or": parts}),
        inner.map(lambda part: {"$not": part}),
    ),
    max_leaves=5,
)
ROWS = [{"open": o, "size": n, "state": s, "name": t} for o in (True, False) for n in (1, 9) for s in ("new", "old") for t in ("x", "y")]  # fmt: skip


def holds(node: Any, row: dict[str, Any]) -> bool:
    """Say whether a row fits a filter in object form, read plainly."""
    tests = {
        "$gt": lambda a, b: a > float(b),
        "$in": lambda a, b: a in b,
        "$ne": lambda a, b: a != b,
        "$eq": lambda a, b: a == b,
    }
    for key, value in node.items():
        if key == "$and":
            found = all(holds(part, row) for part in value)
        elif key == "$or":
            found = any(holds(part, row) for part in value)
        elif key == "$not":
            found = not holds(value, row)
        else:
            pairs = value.items() if isinstance(value, dict) else [("$eq", value)]
            found = all(tests[operator](row[key], wanted) for operator, wanted in pairs)
        if not found:
            return False
    return True


@given(NESTED)
def test_a_declared_filter_means_the_same_in_the_builder(declared: Any) -> None:
    conditions = filters.from_where(declared)
    if conditions is None:
        return  # deeper than the builder goes
    again = filters.decode([c.encoded() for c in conditions], THING, READABLE)
    compiled = filters.where(again)
    assert [holds(compiled, row) for row in ROWS] == [holds(declared, row) for row in ROWS]
    get = QueryDict(mutable=True)
    sent_back(builder.Builder(THING, READABLE, []).whole(again), get)
    assert [holds(filters.where(builder.sent(get)), row) for row in ROWS] == [
        holds(declared, row) for row in ROWS
    ]


def sent_back(group: builder.Group, get: QueryDict) -> None:
    """Fill a form as the drawn builder would send it."""
    get[f"mode_{group.path}"] = group.mode
    for item in group.items:
        if isinstance(item, builder.Group):
            sent_back(item, get)
            continue
        for name, value in (("group", item.group), ("row", item.uid), ("field", item.field), ("operator", item.operator), ("value", item.value)):  # fmt: skip
            get.appendlist(name, value)
        if item.takes == "many":
            get.setlist(f"value_{item.uid}", item.value.split(","))


def test_periods_stay_relative() -> None:
    assert where("0.due.within.thismonth") == {
        "due": {"$gte": "{current_month_start}", "$lte": "{current_month_end}"}
    }
    assert where("0.due.within.past") == {"due": {"$lte": "{yesterday}"}}
    assert filters.decode(["0.due.within.someday", "0.size.within.today"], THING, READABLE) == []
    declared = {"due": {"$between": ["{current_month_start}", "{current_month_end}"]}}
    assert filters.from_where(declared) == [filters.Condition("0", "due", "within", "thismonth")]
    assert filters.from_where({"due": {"$gt": "{3_days_ago}"}}) is None, "no words for it"


def test_every_offered_operator_has_words_and_a_test() -> None:
    made = builder.Builder(THING, READABLE, [])
    for name in READABLE - {"id"}:
        row = made.row("0", name)
        assert all(operator.code in OPERATORS for operator in row.operators)


def test_addresses_keep_what_they_say() -> None:
    first = address.read(QueryDict("columns=size,name&sort=-size&f=0.open.yes&q=x"), THING, READABLE, size=25)
    again = address.read(QueryDict(first.query().lstrip("?")), THING, READABLE, size=25)
    assert again == first
    assert first.columns == ("size", "name") and first.sort == (("size", True),)


def test_addresses_leave_out_what_may_not_be_read() -> None:
    found = address.read(
        QueryDict("columns=secret,name&sort=secret&f=0.secret.is.x"), THING, READABLE, size=25
    )
    assert found.columns == ("name",) and not found.conditions
    assert all(name != "secret" for name, _down in found.sort)


def test_previous_walks_back_along_the_trail() -> None:
    first = address.read(QueryDict(""), THING, READABLE, size=25)
    second = address.read(QueryDict(first.next_query("one").lstrip("?")), THING, READABLE, size=25)
    third = address.read(QueryDict(second.next_query("two").lstrip("?")), THING, READABLE, size=25)
    back = address.read(QueryDict(third.previous_query().lstrip("?")), THING, READABLE, size=25)
    assert (second.cursor, third.cursor, back.cursor) == ("one", "two", "one")
    assert "after" not in QueryDict(back.previous_query().lstrip("?"))
