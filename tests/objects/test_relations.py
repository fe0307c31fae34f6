"""Relations: lists of references, trees and cascades hold in the database, and every question obeys the rights."""

import itertools
import threading
import time

import psycopg
import pytest
from django.db import connections, transaction

from apps.core.actor import SYSTEM
from apps.core.db.owner import owner_session
from apps.core.errors import Problem
from apps.core.scope import tenant_scope
from apps.objects import query, records
from apps.objects.parse import DefinitionErrors, load_body
from apps.objects.publish import publish_in, publish_objects
from apps.permissions import services as permissions

TITLE = {"title": {"type": "text", "required": True}}


def link(reference, **more):
    return {"type": "lookup", "reference": reference, **more}


TAG = {"name": "re_tag", "sharingModel": "private", "fields": {**TITLE, "note": {"type": "text"}}}
POST = {
    "name": "re_post",
    "sharingModel": "public_read_write",
    "fields": {
        **TITLE,
        "tags": link("re_tag", multiple=True),
        "kept": link("re_tag", multiple=True, deleteBehavior="restrict"),
        "readers": {"type": "user", "multiple": True},
        "main": link("re_tag"),
    },
}
PLACE = {
    "name": "re_place",
    "sharingModel": "private",
    "fields": {**TITLE, "up": {"type": "tree"}, "near": link("re_place", deleteBehavior="cascade")},
}
EVERY = {"allowRead": True, "allowCreate": True, "allowEdit": True, "allowDelete": True}
NAMES = ("re_post", "re_tag", "re_place")


@pytest.fixture(scope="module")
def tenant(database, people):
    ref = database["acme"]
    publish_in(ref, [load_body(body) for body in (TAG, POST, PLACE)], by=SYSTEM)
    with tenant_scope(ref):
        permissions.create_set(
            name="re", label="re", body={"objects": dict.fromkeys(NAMES, EVERY)}, by=SYSTEM
        )
        for name in ("sales", "manager"):
            permissions.assign(user_id=people.actor(name, "acme").user_id, name="re", by=SYSTEM)
    return ref


@pytest.fixture
def inside(tenant, clean_connection):
    with tenant_scope(tenant):
        yield tenant
        transaction.set_rollback(True)


@pytest.fixture
def wiped(tenant, clean_connection):
    yield tenant
    with tenant_scope(tenant), connections["default"].cursor() as cursor:
        for name in NAMES:
            cursor.execute(f'DELETE FROM "obj_{name}"')


def make(name, by=SYSTEM, **values):
    return records.create(f"re_{name}", {"title": "x", **values}, by=by).id


def read(name, identity, by=SYSTEM, **more):
    return query.get(f"re_{name}", identity, by=by, **more).record()


def ids(name, where, by=SYSTEM):
    return {
        row["id"] for row in query.find(f"re_{name}", {"where": where, "fields": ["id"]}, by=by).records()
    }


def refusal(call, *args, **options):
    with pytest.raises(Problem) as caught, transaction.atomic():
        call(*args, **options)
    return caught.value


def raw(text, *params):
    with connections["default"].cursor() as cursor:
        cursor.execute(text, params)
        return cursor.fetchall() if cursor.description else []


# -- lists of references -------------------------------------------------------------------------------


def test_a_list_is_kept_as_written(inside):
    one, two = make("tag"), make("tag")
    post = make("post", tags=[two, one, two])
    assert read("post", post)["tags"] == [two, one]
    records.update("re_post", post, {"tags": [one]}, by=SYSTEM)
    assert read("post", post)["tags"] == [one]
    records.update("re_post", post, {"tags": []}, by=SYSTEM)
    assert read("post", post)["tags"] is None
    assert records.update("re_post", post, {"tags": two}, by=SYSTEM).record()["tags"] == [two]


def test_what_a_list_refuses(inside, people):
    ghost = "00000000-0000-7000-8000-000000000001"
    tag = make("tag")
    for values, code in (
        ({"tags": [tag, ghost]}, "reference_not_found"),
        ({"tags": ["nonsense"]}, "reference_not_found"),
        ({"tags": [7]}, "invalid_type"),
        ({"tags": {"id": tag}}, "invalid_type"),
        ({"tags": [tag] * 1001}, "max_items"),
        ({"readers": [ghost]}, "reference_not_found"),
        ({"readers": [str(people.actor("sales", "globex").user_id)]}, "reference_not_found"),
    ):
        (fault,) = refusal(make, "post", **values).fields
        assert fault.code == code, values
    records.delete("re_tag", tag, by=SYSTEM)
    assert refusal(make, "post", tags=[tag]).fields[0].code == "reference_not_found"


def test_a_list_of_members(inside, people):
    users = [str(people.actor(name, "acme").user_id) for name in ("sales", "manager")]
    post = make("post", readers=users)
    assert read("post", post)["readers"] == users
    shown = read("post", post, expand="readers")["readers"]
    assert [item["id"] for item in shown] == users and shown[0]["name"]
    assert ids("post", {"readers": {"$contains": users[1]}}) == {post}


def test_filters_over_a_list(inside):
    one, two = make("tag"), make("tag")
    both, second, none = make("post", tags=[one, two]), make("post", tags=[two]), make("post")
    assert ids("post", {"tags": {"$contains": one}}) == {both}
    assert ids("post", {"tags": {"$notContains": one}}) == {second, none}
    assert ids("post", {"tags": {"$null": True}}) == {none}
    assert ids("post", {"$and": [{"tags": {"$contains": one}}, {"tags": {"$contains": two}}]}) == {both}
    for operator in ("$eq", "$gt", "$startsWith"):
        assert refusal(ids, "post", {"tags": {operator: one}}).code == "INVALID_FILTER"


def test_expanding_a_list_obeys_the_rights(inside, people):
    """Records of others stay ids, as a single reference does; the order stays."""
    sales, manager = people.actor("sales", "acme"), people.actor("manager", "acme")
    mine, theirs = make("tag", by=sales, note="mine"), make("tag", by=manager, note="secret")
    post = make("post", tags=[theirs, mine])
    found = read("post", post, by=sales, expand={"tags": {"fields": ["note"]}})["tags"]
    assert found == [theirs, {"note": "mine"}]
    assert [item["note"] for item in read("post", post, expand="tags")["tags"]] == ["secret", "mine"]
    page = query.find("re_post", {"expand": {"tags": {"where": {"note": "mine"}}}}, by=SYSTEM).records()
    assert page[0]["tags"][0] == theirs and page[0]["tags"][1]["id"] == mine


def test_only_what_is_added_must_be_visible(inside, people):
    """Somebody who sees one of two tags may change the rest of the list, and add none that they do not see."""
    sales, manager = people.actor("sales", "acme"), people.actor("manager", "acme")
    mine, theirs, other = make("tag", by=sales), make("tag", by=manager), make("tag", by=manager)
    post = make("post", tags=[theirs])
    records.update("re_post", post, {"tags": [theirs, mine]}, by=sales)
    problem = refusal(records.update, "re_post", post, {"tags": [theirs, mine, other]}, by=sales)
    assert problem.fields[0].code == "reference_not_found"


def test_removing_what_a_list_holds(inside):
    one, two = make("tag"), make("tag")
    post = make("post", tags=[one, two], kept=[two])
    assert refusal(records.delete, "re_tag", two, by=SYSTEM).code == "DELETE_RESTRICTED"
    records.delete("re_tag", one, by=SYSTEM)
    assert read("post", post)["tags"] == [one, two]  # the bin gives back
    records.purge("re_tag", one, by=SYSTEM)
    assert read("post", post)["tags"] == [two]
    records.update("re_post", post, {"kept": None}, by=SYSTEM)
    records.delete("re_tag", two, by=SYSTEM)
    records.purge("re_tag", two, by=SYSTEM)
    assert read("post", post)["tags"] is None


def test_the_table_itself_holds_the_list(inside):
    """Plain SQL meets the same rules."""
    tag = make("tag")
    post = make("post", kept=[tag])
    for statement, params in (
        ("UPDATE obj_re_post SET tags = ARRAY[gen_random_uuid()] WHERE id = %s", [post]),
        ("UPDATE obj_re_post SET tags = ARRAY[%s, NULL]::uuid[] WHERE id = %s", [tag, post]),
        ("UPDATE obj_re_post SET tags = ARRAY[%s, %s]::uuid[] WHERE id = %s", [tag, tag, post]),
        ("DELETE FROM obj_re_tag WHERE id = %s", [tag]),
    ):
        with pytest.raises(Exception, match=r"stands for no record|still listed"), transaction.atomic():
            raw(statement, *params)


def test_writer_and_remover_meet(wiped, superuser_url):
    """Whoever comes second waits for the first, and then sees what it did; without the triggers both would win."""
    assert race(wiped, superuser_url) == "refused"
    with psycopg.connect(superuser_url, autocommit=True) as admin:
        admin.execute(f"ALTER TABLE {wiped.schema}.obj_re_post DISABLE TRIGGER USER")
        try:
            assert race(wiped, superuser_url) == "dangling"
        finally:
            admin.execute(f"ALTER TABLE {wiped.schema}.obj_re_post ENABLE TRIGGER USER")


def race(tenant, url):
    """Remove a tag in one transaction while another lists it; say what became of the second."""
    with tenant_scope(tenant):
        tag, post = make("tag"), make("post")
    with psycopg.connect(url) as remover, psycopg.connect(url) as writer:
        for connection in (remover, writer):
            connection.execute(f"SET search_path = {tenant.schema}, public")
            connection.commit()
        remover.execute("DELETE FROM obj_re_tag WHERE id = %s", [tag])
        outcome = []

        def write():
            try:
                writer.execute("UPDATE obj_re_post SET tags = ARRAY[%s]::uuid[] WHERE id = %s", [tag, post])
                writer.commit()
                outcome.append("dangling")
            except psycopg.errors.ForeignKeyViolation:
                outcome.append("refused")

        thread = threading.Thread(target=write)
        thread.start()
        while thread.is_alive() and not waits(url, writer):
            time.sleep(0.01)
        remover.commit()
        thread.join(20)
    return outcome[0]


def waits(url, connection):
    with psycopg.connect(url, autocommit=True) as watch:
        query_ = "SELECT count(*) FROM pg_locks WHERE pid = %s AND NOT granted"
        return watch.execute(query_, [connection.info.backend_pid]).fetchone()[0]


# -- trees ---------------------------------------------------------------------------------------------


def grown(by=SYSTEM):
    """world > europe > germany > berlin, and world > asia."""
    found = {"world": make("place", by=by)}
    for name, above in (("europe", "world"), ("germany", "europe"), ("berlin", "germany"), ("asia", "world")):
        found[name] = make("place", by=by, up=found[above])
    return found


def test_under_and_above(inside):
    at = grown()
    assert ids("place", {"up": {"$under": at["europe"]}}) == {at["germany"], at["berlin"]}
    assert ids("place", {"up": {"$under": at["world"]}}) == set(at.values()) - {at["world"]}
    assert ids("place", {"up": {"$above": at["berlin"]}}) == {at["world"], at["europe"], at["germany"]}
    assert ids("place", {"$not": {"up": {"$under": at["europe"]}}}) == {at["world"], at["europe"], at["asia"]}
    assert ids("place", ["up", "under", at["germany"]]) == {at["berlin"]}
    total = query.find(
        "re_place",
        {"aggregations": [{"function": "count", "alias": "n", "filter": {"up": {"$under": at["europe"]}}}]},
        by=SYSTEM,
    ).records()
    assert total == [{"n": 2}]
    assert refusal(ids, "place", {"up": {"$under": "nonsense"}}).code == "INVALID_FILTER"
    assert refusal(ids, "place", {"near": {"$under": at["europe"]}}).code == "INVALID_FILTER"


def test_a_hidden_record_ends_the_walk(inside, people):
    """What hangs below a record of somebody else does not tell where that one hangs."""
    sales = people.actor("sales", "acme")
    top = make("place", by=sales)
    hidden = make("place", up=top)
    leaf = make("place", by=sales)
    records.update("re_place", leaf, {"up": hidden}, by=SYSTEM)
    assert ids("place", {"up": {"$under": top}}) == {hidden, leaf}
    assert ids("place", {"up": {"$under": top}}, by=sales) == set()
    assert ids("place", {"up": {"$above": leaf}}, by=sales) == set()


def test_nothing_is_below_itself(inside):
    at = grown()
    for child, above in (("world", "berlin"), ("europe", "europe"), ("germany", "berlin")):
        problem = refusal(records.update, "re_place", at[child], {"up": at[above]}, by=SYSTEM)
        (fault,) = problem.fields
        assert (fault.field, fault.code) == ("up", "invalid_value") and "below itself" in fault.message
    records.update("re_place", at["germany"], {"up": at["asia"]}, by=SYSTEM)
    assert ids("place", {"up": {"$under": at["asia"]}}) == {at["germany"], at["berlin"]}


def test_two_moves_that_close_a_circle(wiped, superuser_url):
    """Each move is right by itself; the second waits, looks again and is refused."""
    assert moves(wiped, superuser_url) == "refused"
    with psycopg.connect(superuser_url, autocommit=True) as admin:
        admin.execute(f"ALTER TABLE {wiped.schema}.obj_re_place DISABLE TRIGGER USER")
        try:
            assert moves(wiped, superuser_url) == "circle"
        finally:
            admin.execute(f"ALTER TABLE {wiped.schema}.obj_re_place ENABLE TRIGGER USER")
            admin.execute(f"UPDATE {wiped.schema}.obj_re_place SET up = NULL")


def moves(tenant, url):
    with tenant_scope(tenant):
        one, two = make("place"), make("place")
    move = "UPDATE obj_re_place SET up = %s WHERE id = %s"
    with psycopg.connect(url) as first, psycopg.connect(url) as second:
        for connection in (first, second):
            connection.execute(f"SET search_path = {tenant.schema}, public")
            connection.commit()
        first.execute(move, [two, one])
        outcome = []

        def other():
            try:
                second.execute(move, [one, two])
                second.commit()
                outcome.append("circle")
            except psycopg.errors.CheckViolation:
                outcome.append("refused")

        thread = threading.Thread(target=other)
        thread.start()
        while thread.is_alive() and not waits(url, second):
            time.sleep(0.01)
        first.commit()
        thread.join(20)
    return outcome[0]


# -- cascades and definitions --------------------------------------------------------------------------


def test_a_circle_of_cascades_ends(inside):
    """Two records that go along with each other go once each, and come back."""
    one = make("place")
    two = make("place", near=one)
    records.update("re_place", one, {"near": two}, by=SYSTEM)
    assert records.delete("re_place", one, by=SYSTEM).also == 1
    assert ids("place", {}) == set()
    records.restore("re_place", one, by=SYSTEM)
    assert ids("place", {}) == {one, two}


@pytest.fixture
def here(acme):
    with owner_session(), tenant_scope(acme) as scope:
        yield scope
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def seats(tenant):
    fields = {**TITLE, "post": link("re_post"), "row": {"type": "number"}}
    body = {"name": "rc_seat", "fields": fields, "indexes": [{"fields": ["post", "row"], "unique": True}]}
    publish_in(tenant, [load_body(body)], by=SYSTEM)


def master(name, *others):
    fields = {f"of_{other[-1]}": {"type": "master_detail", "reference": other} for other in others}
    return load_body({"name": name, "fields": {**TITLE, **fields}})


@pytest.mark.parametrize(
    "names",
    [("rc_a", "rc_a"), ("rc_a", "rc_b", "rc_a"), ("rc_a", "rc_b", "rc_c", "rc_a")],
    ids=["one", "two", "three"],
)
def test_masters_in_a_circle_are_refused(here, names):
    bodies = [master(name, other) for name, other in itertools.pairwise(names)]
    with pytest.raises(DefinitionErrors, match="part of itself"):
        publish_objects(bodies, by=SYSTEM)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"type": "tree", "reference": "re_tag"}, "records of the object itself"),
        ({"type": "tree", "required": True}, "nothing above it"),
        ({"type": "tree", "multiple": True}, "has no 'multiple'"),
        (
            {"type": "lookup", "reference": "re_tag", "multiple": True, "deleteBehavior": "cascade"},
            "does not go with one",
        ),
        ({"type": "lookup", "reference": "re_tag", "multiple": True, "unique": True}, "cannot be unique"),
        ({"type": "master_detail", "reference": "re_tag", "multiple": True}, "has no 'multiple'"),
    ],
    ids=["tree elsewhere", "required tree", "several trees", "cascade", "unique", "masters"],
)
def test_what_a_relation_cannot_be(field, message):
    with pytest.raises(DefinitionErrors, match=message):
        load_body({"name": "re_x", "fields": {**TITLE, "f": field}})


def test_one_becomes_several_and_back(here):
    """The machines come and go with the definition; a list does not become one id in silence."""
    one = {"name": "rc_one", "fields": {**TITLE, "other": link("rc_one")}}
    several = {"name": "rc_one", "fields": {**TITLE, "others": link("rc_one", multiple=True)}}
    publish_objects([load_body(one)], by=SYSTEM)
    publish_objects([load_body(several)], by=SYSTEM, allow_destructive=True)
    count = "SELECT count(*) FROM pg_proc WHERE proname LIKE 'rc_one__%%' AND pronamespace = 't_acme'::regnamespace"
    assert raw(count) == [(2,)]
    first = records.create("rc_one", {"title": "a"}, by=SYSTEM).id
    assert records.create("rc_one", {"title": "b", "others": [first]}, by=SYSTEM).record()["others"] == [
        first
    ]
    publish_objects([load_body(one)], by=SYSTEM, allow_destructive=True)
    assert raw(count) == [(0,)]
    publish_objects([], by=SYSTEM, drop=["rc_one"], allow_destructive=True)


def test_a_key_of_several_fields(seats, inside):
    """The combination is refused by name, found again by an upsert, and free while its record is in the bin."""
    one, two = make("post"), make("post")
    seat = {"title": "a", "post": one, "row": 1}
    records.create("rc_seat", seat, by=SYSTEM)
    problem = refusal(records.create, "rc_seat", seat, by=SYSTEM)
    assert (problem.code, [fault.field for fault in problem.fields]) == ("UNIQUE_VIOLATION", ["post", "row"])
    rows = [
        {"data": seat | {"title": "b"}},
        {"data": seat | {"post": two}},
        {"data": seat | {"row": 2, "title": "c"}},
    ]
    assert records.batch("rc_seat", "upsert", rows, by=SYSTEM).succeeded == 3
    found = query.find("rc_seat", {"fields": ["title"], "orderBy": ["title"]}, by=SYSTEM).records()
    assert [row["title"] for row in found] == ["a", "b", "c"]


def test_a_history_of_lists(inside):
    """Versions know a list as one value: compared, and brought back."""
    one, two = make("tag"), make("tag")
    post = make("post", tags=[one])
    records.update("re_post", post, {"tags": [one, two]}, by=SYSTEM)
    from apps.objects.records import versions

    (change,) = [
        d for d in versions.compare("re_post", post, 1, 2, by=SYSTEM).differences if d.field == "tags"
    ]
    assert (change.before, change.after) == ([one], [one, two])
    versions.restore_version("re_post", post, 1, by=SYSTEM)
    assert read("post", post)["tags"] == [one]
