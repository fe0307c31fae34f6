"""Definitions become tables, and changed definitions change them without losing a value."""

import pytest
from django.db import connections, transaction, utils

from apps.core.actor import SYSTEM
from apps.core.db.owner import owner_session
from apps.core.errors import Conflict, Problem
from apps.core.scope import tenant_scope
from apps.objects.catalog import catalog
from apps.objects.models import Definition, DefinitionVersion
from apps.objects.parse import DefinitionErrors, load_body
from apps.objects.publish import plan_objects, publish_in, publish_objects
from apps.objects.schema import plan

pytestmark = pytest.mark.usefixtures("database")


def thing(name="thing", **more):
    """A small object; `fields` are added to its name."""
    fields = {"title": {"type": "text", "required": True}} | more.pop("fields", {})
    return load_body({"name": name, "fields": fields, **more})


def rows(query, params=()):
    with connections["default"].cursor() as cursor:
        cursor.execute(query, params)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def here(acme):
    """Acme's scope on the owner's login; all of it is rolled back."""
    with owner_session(), tenant_scope(acme) as scope:
        yield scope
        transaction.set_rollback(True)


def publish(*definitions, **options):
    return publish_objects(list(definitions), by=SYSTEM, **options)


def insert(table, **values):
    columns = ", ".join(f'"{c}"' for c in ("id", *values))
    marks = ", ".join(["%s"] * len(values))
    query = f'INSERT INTO "{table}" ({columns}) VALUES (gen_random_uuid(), {marks}) RETURNING id'
    return rows(query, list(values.values()))[0][0]


def test_create_gives_a_table_with_system_columns(here):
    done = publish(thing(fields={"amount": {"type": "currency"}}))
    assert [s.risk for s in done.plan.steps] == ["safe"]
    columns = dict(
        rows(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = 't_acme' AND table_name = 'obj_thing'"
        )
    )
    assert columns["amount"] == "numeric"
    assert columns["id"] == columns["owner_id"] == columns["created_by"] == "uuid"
    assert columns["deleted_at"] == "timestamp with time zone"
    assert rows("SELECT to_regclass('public.obj_thing')") == [(None,)]


def test_publishing_the_same_again_changes_nothing(here):
    publish(thing())
    again = publish(thing())
    assert again.plan.empty
    assert again.unchanged == ("thing",)
    assert Definition.objects.get(name="thing").version == 1


def test_rename_keeps_data(here):
    publish(thing(fields={"size": {"type": "text", "maxLength": 20, "unique": True}}))
    insert("obj_thing", title="a", size="big")
    renamed = {"extent": {"type": "text", "maxLength": 30, "unique": True, "renamedFrom": "size"}}
    done = publish(thing(fields=renamed))
    assert not done.plan.destructive
    assert rows("SELECT extent FROM obj_thing") == [("big",)]
    with pytest.raises(utils.IntegrityError), transaction.atomic():
        insert("obj_thing", title="b", extent="big")
    assert publish(thing(fields=renamed)).plan.empty


def test_without_renamed_from_a_new_name_is_a_loss(here):
    publish(thing(fields={"size": {"type": "text"}}))
    insert("obj_thing", title="a", size="big")
    with pytest.raises(Conflict) as refused:
        publish(thing(fields={"extent": {"type": "text"}}))
    assert refused.value.code == "DESTRUCTIVE_CHANGE"
    assert refused.value.details["losses"][0]["rows"] == 1
    assert rows("SELECT size FROM obj_thing") == [("big",)]


def test_object_rename_keeps_data(here):
    other = load_body(
        {
            "name": "part",
            "fields": {"title": {"type": "text"}, "thing": {"type": "lookup", "reference": "thing"}},
        }
    )
    publish(thing(fields={"no": {"type": "autonumber", "autonumberFormat": "T-{000}"}}), other)
    kept = insert("obj_thing", title="a")
    insert("obj_part", title="p", thing=kept)
    part = load_body(
        {
            "name": "part",
            "fields": {"title": {"type": "text"}, "thing": {"type": "lookup", "reference": "item"}},
        }
    )
    item = thing(
        name="item", renamedFrom="thing", fields={"no": {"type": "autonumber", "autonumberFormat": "T-{000}"}}
    )
    done = publish(item, part)
    assert not done.plan.destructive
    assert rows("SELECT id, no FROM obj_item") == [(kept, "T-001")]
    insert("obj_item", title="b")
    assert rows("SELECT no FROM obj_item ORDER BY no") == [("T-001",), ("T-002",)]
    assert "thing" not in catalog()
    assert publish(item, part).plan.empty


def test_destructive_is_refused_and_allowed(here):
    publish(thing(fields={"size": {"type": "text"}}))
    insert("obj_thing", title="a", size="big")
    with pytest.raises(Conflict, match="1 records"):
        publish(thing())
    publish(thing(), allow_destructive=True)
    assert rows(
        "SELECT count(*) FROM information_schema.columns WHERE table_schema='t_acme' AND table_name='obj_thing' AND column_name='size'"
    ) == [(0,)]


def test_dropping_an_empty_column_is_no_loss(here):
    publish(thing(fields={"size": {"type": "text"}}))
    assert not publish(thing()).plan.destructive


def test_drop_object(here):
    publish(thing())
    insert("obj_thing", title="a")
    with pytest.raises(Conflict):
        publish(drop=["thing"])
    publish(drop=["thing"], allow_destructive=True)
    assert "thing" not in catalog()
    assert DefinitionVersion.objects.filter(name="thing", operation="drop").exists()


def test_drop_is_refused_while_another_object_refers_to_it(here):
    other = load_body(
        {
            "name": "part",
            "fields": {"title": {"type": "text"}, "thing": {"type": "lookup", "reference": "thing"}},
        }
    )
    publish(thing(), other)
    with pytest.raises(DefinitionErrors):
        publish(drop=["thing"])


def test_required_with_default_fills_existing_records(here):
    publish(thing())
    insert("obj_thing", title="a")
    done = publish(thing(fields={"rank": {"type": "number", "required": True, "defaultValue": 3}}))
    assert done.plan.risk == "backfill"
    assert rows("SELECT rank FROM obj_thing") == [(3,)]
    assert rows(
        "SELECT column_default FROM information_schema.columns WHERE table_schema='t_acme' AND table_name='obj_thing' AND column_name='rank'"
    ) == [(None,)]


def test_required_without_default_is_refused_while_there_are_records(here):
    publish(thing())
    insert("obj_thing", title="a")
    definition = thing(fields={"rank": {"type": "number", "required": True}})
    assert plan_objects([definition]).risk == "breaking"
    with pytest.raises(Conflict) as refused, transaction.atomic():
        publish(definition)
    assert refused.value.code == "SCHEMA_CONFLICT"
    rows("DELETE FROM obj_thing")
    assert publish(definition).plan.risk == "safe"


def test_becoming_required_backfills(here):
    publish(thing(fields={"rank": {"type": "number"}}))
    insert("obj_thing", title="a")
    done = publish(thing(fields={"rank": {"type": "number", "required": True, "defaultValue": 7}}))
    assert done.plan.risk == "backfill"
    assert rows("SELECT rank FROM obj_thing") == [(7,)]


def test_plan_classes(here):
    publish(
        thing(fields={"size": {"type": "text"}, "amount": {"type": "number", "precision": 10, "scale": 4}})
    )
    insert("obj_thing", title="a", size="big", amount=1)

    def risk(**fields):
        base = {"size": {"type": "text"}, "amount": {"type": "number", "precision": 10, "scale": 4}}
        return plan_objects([thing(fields=base | fields)])

    assert risk(more={"type": "text"}).risk == "safe"
    assert risk(more={"type": "autonumber"}).risk == "backfill"
    assert risk(size={"type": "number"}).risk == "breaking"
    assert risk(size={"type": "text", "maxLength": 300}).risk == "safe"
    assert risk(size={"type": "text", "maxLength": 100}).risk == "breaking"
    assert risk(amount={"type": "number", "precision": 12, "scale": 4}).destructive == ()
    assert risk(amount={"type": "number", "precision": 10, "scale": 2}).destructive
    assert risk(amount={"type": "text"}).risk == "backfill"
    sql = " ".join(risk(more={"type": "text"}).sql)
    assert "ALTER TABLE" in sql and '"more"' in sql


def test_a_plan_needs_no_database():
    made = plan({}, {"thing": thing()})
    assert [s.sentence for s in made.steps] == ["Create the object thing with 1 fields."]


def test_type_change_converts_values(here):
    publish(thing(fields={"size": {"type": "text"}}))
    insert("obj_thing", title="a", size="12.50")
    publish(thing(fields={"size": {"type": "number"}}))
    assert str(rows("SELECT size FROM obj_thing")[0][0]) == "12.50"


def test_type_change_that_no_value_survives_is_refused(here):
    publish(thing(fields={"size": {"type": "text"}}))
    insert("obj_thing", title="a", size="big")
    with pytest.raises(Conflict, match="Existing records"), transaction.atomic():
        publish(thing(fields={"size": {"type": "number"}}))
    assert rows("SELECT size FROM obj_thing") == [("big",)]


def test_options_may_grow_and_not_lose_a_value_in_use(here):
    def with_options(*values):
        return thing(fields={"state": {"type": "select", "options": list(values)}})

    publish(with_options("open", "won"))
    insert("obj_thing", title="a", state="won")
    assert publish(with_options("open", "won", "lost")).plan.risk == "safe"
    with pytest.raises(Conflict), transaction.atomic():
        publish(with_options("open", "lost"))


def test_lookup_is_a_foreign_key(here):
    publish(thing(fields={"parent": {"type": "lookup", "reference": "thing"}}))
    with pytest.raises(utils.IntegrityError), transaction.atomic():
        insert("obj_thing", title="a", parent="00000000-0000-7000-8000-000000000000")
    indexes = rows("SELECT indexname FROM pg_indexes WHERE schemaname='t_acme' AND tablename='obj_thing'")
    assert ("thing__parent__idx",) in indexes


def test_delete_behaviour(here):
    def with_rule(name, rule):
        return load_body(
            {
                "name": name,
                "fields": {
                    "title": {"type": "text"},
                    "thing": {"type": "lookup", "reference": "thing", "deleteBehavior": rule},
                },
            }
        )

    publish(
        thing(),
        with_rule("a_null", "set_null"),
        with_rule("b_cascade", "cascade"),
        with_rule("c_keep", "restrict"),
    )
    one = insert("obj_thing", title="one")
    insert("obj_a_null", title="x", thing=one)
    insert("obj_b_cascade", title="x", thing=one)
    kept = insert("obj_c_keep", title="x", thing=one)
    with pytest.raises(utils.IntegrityError), transaction.atomic():
        rows("DELETE FROM obj_thing")
    rows("DELETE FROM obj_c_keep WHERE id = %s", [kept])
    rows("DELETE FROM obj_thing")
    assert rows("SELECT thing FROM obj_a_null") == [(None,)]
    assert rows("SELECT count(*) FROM obj_b_cascade") == [(0,)]


def test_reference_to_nothing_is_refused(here):
    with pytest.raises(DefinitionErrors, match="no object 'ghost'"):
        publish(thing(fields={"parent": {"type": "lookup", "reference": "ghost"}}))


def test_unique_counts_living_records_only(here):
    publish(thing(fields={"code": {"type": "text", "unique": True}}))
    insert("obj_thing", title="a", code="x")
    with pytest.raises(utils.IntegrityError), transaction.atomic():
        insert("obj_thing", title="b", code="x")
    rows("UPDATE obj_thing SET deleted_at = now()")
    insert("obj_thing", title="b", code="x")


def test_external_id_is_unique(here):
    publish(thing(fields={"code": {"type": "text", "externalId": True}}))
    insert("obj_thing", title="a", code="x")
    with pytest.raises(utils.IntegrityError), transaction.atomic():
        insert("obj_thing", title="b", code="x")


def test_declared_indexes(here):
    definition = thing(
        fields={"a": {"type": "text"}, "b": {"type": "number"}},
        indexes=[{"fields": ["a", "b"]}, {"fields": ["b", "a"], "unique": True}],
    )
    publish(definition)
    insert("obj_thing", title="x", a="1", b=1)
    with pytest.raises(utils.IntegrityError), transaction.atomic():
        insert("obj_thing", title="x", a="1", b=1)
    assert publish(definition).plan.empty


def test_autonumber(here):
    publish(thing(fields={"no": {"type": "autonumber", "autonumberFormat": "ACC-{YYYY}-{000}"}}))
    insert("obj_thing", title="x")
    rows("SELECT setval('thing__no__seq', 99998)")
    insert("obj_thing", title="y")
    numbers = [r[0] for r in rows("SELECT no FROM obj_thing ORDER BY created_at, no")]
    assert numbers[0].endswith("-001") and numbers[1].endswith("-99999")
    assert numbers[0][:4] == "ACC-" and numbers[0][4:8].isdigit()


def test_autonumber_added_later_numbers_what_is_there(here):
    publish(thing())
    insert("obj_thing", title="x")
    insert("obj_thing", title="y")
    publish(thing(fields={"no": {"type": "autonumber"}}))
    assert {r[0] for r in rows("SELECT no FROM obj_thing")} == {"0001", "0002"}


def test_failure_midway_leaves_nothing(acme, monkeypatch):
    from apps.objects import publish as module

    def fail(*args, **kwargs):
        raise Problem("TEST", "The ledger is out of paper.")

    monkeypatch.setattr(module.ledger, "record", fail)
    with pytest.raises(Problem):
        publish_in(acme, [thing(name="halfway")], by=SYSTEM)
    with tenant_scope(acme):
        assert rows("SELECT to_regclass('obj_halfway')") == [(None,)]
        assert "halfway" not in catalog()
        assert not Definition.objects.filter(name="halfway").exists()


def test_busy_table_is_a_clear_refusal(fresh_tenant, superuser_url, monkeypatch):
    import psycopg

    from apps.objects.schema import applying as module

    monkeypatch.setattr(module, "PATIENCE", 0.3)
    publish_in(fresh_tenant, [thing()], by=SYSTEM)
    with psycopg.connect(superuser_url) as other:
        other.execute(f'LOCK TABLE "{fresh_tenant.schema}".obj_thing IN ACCESS SHARE MODE')
        with pytest.raises(Conflict) as refused:
            publish_in(fresh_tenant, [thing(fields={"a": {"type": "text"}})], by=SYSTEM)
    assert refused.value.code == "SCHEMA_BUSY"
    publish_in(fresh_tenant, [thing(fields={"a": {"type": "text"}})], by=SYSTEM)


def test_outside_the_owners_session_nothing_is_published(in_acme):
    from apps.core.scope import ScopeConflict

    with pytest.raises(ScopeConflict):
        publish(thing())
