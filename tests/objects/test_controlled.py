"""`controlled_by_parent`: who may see or change a part is decided by the whole, on every surface and over two levels."""

import itertools

import pytest
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext

from apps.core.actor import SYSTEM
from apps.core.errors import Problem
from apps.core.scope import tenant_scope
from apps.objects import catalog, query, records
from apps.objects.audience import visible_records
from apps.objects.parse import DefinitionErrors, load_body
from apps.objects.publish import publish_in
from apps.permissions import rules, services
from apps.permissions.access import access_for
from apps.permissions.predicates import to_sql

TITLE = {"title": {"type": "text", "required": True}}
EVERY = {"allowRead": True, "allowCreate": True, "allowEdit": True, "allowDelete": True}
ALL = EVERY | {"viewAllRecords": True, "modifyAllRecords": True}


def part(name, of):
    field = {"of": {"type": "master_detail", "reference": of}}
    return {"name": name, "sharingModel": "controlled_by_parent", "fields": {**TITLE, **field}}


WHOLE = {"name": "cp_order", "sharingModel": "private", "fields": TITLE}
OPEN = {"name": "cp_open", "sharingModel": "public_read", "fields": TITLE}
BODIES = (WHOLE, OPEN, part("cp_line", "cp_order"), part("cp_item", "cp_line"), part("cp_page", "cp_open"))
SETS = {
    "sales": dict.fromkeys(("cp_order", "cp_line", "cp_item", "cp_open", "cp_page"), EVERY),
    "manager": {"cp_order": ALL, "cp_line": EVERY, "cp_item": EVERY, "cp_open": EVERY, "cp_page": EVERY},
    "reader": {
        "cp_order": {"allowRead": True, "viewAllRecords": True},
        "cp_line": EVERY,
        "cp_item": EVERY,
        "cp_page": EVERY,
    },
}
PEOPLE = ("sales", "manager", "reader")


@pytest.fixture(scope="module")
def tenant(database, people):
    ref = database["acme"]
    publish_in(ref, [load_body(body) for body in BODIES], by=SYSTEM)
    with tenant_scope(ref):
        for name, objects in SETS.items():
            services.create_set(name=f"cp_{name}", label=name, body={"objects": objects}, by=SYSTEM)
            services.assign(user_id=people.actor(name).user_id, name=f"cp_{name}", by=SYSTEM)
    return ref


@pytest.fixture
def world(tenant, people, clean_connection):
    """Orders of two people with lines and items, and an open object of each; rolled back."""
    with tenant_scope(tenant):
        made = {}
        for owner in ("sales", "manager"):
            by = people.actor(owner)
            order, page = make("cp_order", by), make("cp_open", by)
            line = make("cp_line", SYSTEM, of=order)
            made[owner] = {
                "cp_order": order,
                "cp_line": line,
                "cp_item": make("cp_item", SYSTEM, of=line),
                "cp_open": page,
                "cp_page": make("cp_page", SYSTEM, of=page),
            }
        yield made, people
        transaction.set_rollback(True)


def make(name, by, **values):
    return records.create(name, {"title": "x", **values}, by=by).id


def tried(call, *args, **options):
    try:
        with transaction.atomic():
            call(*args, **options)
    except Problem as problem:
        return problem.code
    return None


def expected(person, op, name, owner):
    """What is right, said of people and orders alone."""
    if name == "cp_page":
        return person != "reader" and (op == "read" or person == owner)
    if person == "manager":
        return True
    if person == "reader":
        return op == "read"
    return person == owner


@pytest.mark.parametrize(
    ("person", "name"), list(itertools.product(PEOPLE, ("cp_line", "cp_item", "cp_page")))
)
def test_the_whole_decides(world, person, name):
    made, people = world
    by = people.actor(person)
    visible = {owner for owner in made if expected(person, "read", name, owner)}
    rows = query.find(name, {"fields": ["id"]}, by=by).records()
    assert {row["id"] for row in rows} == {made[owner][name] for owner in visible}
    assert query.count(name, {}, by=by)[0] == len(visible)
    access = access_for(by)
    wanted = {(name, made[owner][name]) for owner in made}
    assert len(visible_records(wanted, access)) == len(visible)
    for owner in made:
        identity, may = made[owner][name], expected(person, "edit", name, owner)
        assert (tried(query.get, name, identity, by=by) is None) == (owner in visible)
        for act in (
            lambda: records.update(name, identity, {"title": "y"}, by=by),  # noqa: B023
            lambda: records.delete(name, identity, by=by),  # noqa: B023
        ):
            refused = tried(act)
            assert (refused is None) == may
            assert may or refused in ("RECORD_NOT_FOUND", "PERMISSION_DENIED")


@pytest.mark.parametrize("person", PEOPLE)
def test_parts_are_made_and_moved_where_the_whole_may_be_edited(world, person):
    made, people = world
    by = people.actor(person)
    for owner in made:
        may = expected(person, "edit", "cp_line", owner)
        assert (tried(make, "cp_line", by, of=made[owner]["cp_order"]) is None) == may
        mine = made.get(person)
        if mine and person != owner:
            moved = tried(records.update, "cp_line", mine["cp_line"], {"of": made[owner]["cp_order"]}, by=by)
            assert (moved is None) == may


def test_a_part_out_of_the_bin(world):
    made, people = world
    mine, by = made["sales"], people.actor("sales")
    records.delete("cp_order", mine["cp_order"], by=by)
    binned = query.find("cp_item", {"deleted": True, "fields": ["id"]}, by=by).records()
    assert binned == [{"id": mine["cp_item"]}]
    assert query.find("cp_item", {"deleted": True}, by=people.actor("sales", "acme")).total == 1
    records.restore("cp_order", mine["cp_order"], by=by)
    assert query.get("cp_item", mine["cp_item"], by=by).record()["title"] == "x"


def test_expanding_reaches_what_the_whole_shows(world):
    _made, people = world
    tree = {"of": {"expand": {"of": {"fields": ["title"]}}}}
    found = query.find("cp_item", {"expand": tree}, by=people.actor("sales")).records()
    assert [row["of"]["of"]["title"] for row in found] == ["x"]


def test_no_statement_more(world):
    """The rule of the whole is part of the very statement: a part costs as many as a record with an owner."""
    _made, people = world
    by, counted = people.actor("sales"), {}
    for name in ("cp_order", "cp_item"):
        query.find(name, {}, by=by)
        with CaptureQueriesContext(connections["default"]) as seen:
            query.find(name, {}, by=by)
        counted[name] = len(seen)
    assert counted["cp_item"] == counted["cp_order"]


def test_without_masters_nothing_is_true(world):
    """The negative control: whoever compiles the rule without knowing masters sees nothing, and not everything."""
    made, people = world
    access = access_for(people.actor("manager"))
    line = catalog.catalog().object("cp_line")
    rule = access.predicate("read", line)
    assert rule == rules.MasterAllows("cp_order", "of", "read")
    assert to_sql(rule, "r", []).as_string(None) == "false"
    assert not rules.holds(rule, {"of": made["manager"]["cp_order"]}, access.subject)
    assert rules.holds(rule, {rule: True}, access.subject)
    assert rules.implies(rules.MasterAllows("cp_order", "of", "edit"), rule)
    assert not rules.implies(rule, rules.MasterAllows("cp_order", "of", "edit"))


@pytest.mark.parametrize("masters", [(), ("cp_order", "cp_open")], ids=["none", "two"])
def test_the_master_is_one(masters):
    fields = {f"of_{name}": {"type": "master_detail", "reference": name} for name in masters}
    with pytest.raises(DefinitionErrors, match="one master_detail"):
        load_body({"name": "cp_x", "sharingModel": "controlled_by_parent", "fields": {**TITLE, **fields}})
