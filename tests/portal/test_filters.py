"""The filter builder: what an address means, and what it never lets through."""

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
    for condition in (filters.Condition(2, "name", "has", "x.y"), filters.Condition(0, "open", "no")):
        assert filters.decode([condition.encoded()], THING, READABLE) == [condition]


def test_a_sent_builder_becomes_conditions() -> None:
    get = QueryDict(
        "group=0&field=name&operator=has&value=ann&group=0&field=size&operator=between&value=..&low_0_size=1&high_0_size=9"
        "&group=1&field=state&operator=in&value=*&value_1_state=new&value_1_state=old&group=1&field=&operator=is&value="
    )
    assert [c.encoded() for c in builder.sent(get)] == [
        "0.name.has.ann",
        "0.size.between.1..9",
        "1.state.in.new,old",
    ]


def test_every_offered_operator_has_words_and_a_test() -> None:
    made = builder.Builder(THING, READABLE, [])
    for name in READABLE - {"id"}:
        row = made.row(0, name)
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
