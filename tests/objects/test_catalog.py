"""The catalog is as fresh as the scope that asks: in other threads and processes, and after a rollback."""

import subprocess
import sys
import threading

import pytest
from django.db import connections, transaction

from apps.core.actor import SYSTEM
from apps.core.db.owner import owner_session
from apps.core.errors import NotFound, PermissionDenied, Problem
from apps.core.scope import tenant_scope
from apps.objects.catalog import catalog, load
from apps.objects.models import Definition, DefinitionVersion
from apps.objects.parse import load_body
from apps.objects.publish import publish_in, publish_objects, save_draft


def thing(name="thing", **fields):
    return load_body({"name": name, "fields": {"title": {"type": "text"}} | fields})


def test_unknown_object(in_acme):
    with pytest.raises(NotFound) as refused:
        catalog().object("ghost")
    assert refused.value.code == "OBJECT_NOT_FOUND"


def test_other_threads_see_a_publication_at_once(fresh_tenant):
    publish_in(fresh_tenant, [thing()], by=SYSTEM)
    seen = []

    def look():
        with tenant_scope(fresh_tenant):
            seen.append(sorted(catalog().object("thing").fields))
        connections["default"].close()

    for change in ([thing()], [thing(size={"type": "text"})]):
        publish_in(fresh_tenant, change, by=SYSTEM)
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert seen == [["title"], ["size", "title"]]


def test_another_process_changes_the_definition(fresh_tenant):
    publish_in(fresh_tenant, [thing()], by=SYSTEM)
    with tenant_scope(fresh_tenant):
        assert "size" not in catalog().object("thing").fields
    program = f"""
import django; django.setup()
from uuid import UUID
from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef
from apps.objects.parse import load_body
from apps.objects.publish import publish_in
ref = TenantRef(UUID("{fresh_tenant.id}"), "{fresh_tenant.slug}", "{fresh_tenant.schema}")
publish_in(ref, [load_body({{"name": "thing", "fields": {{"title": {{"type": "text"}}, "size": {{"type": "text"}}}}}})], by=SYSTEM)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    with tenant_scope(fresh_tenant):
        assert "size" in catalog().object("thing").fields


def test_the_same_catalog_serves_until_the_clock_moves(fresh_tenant):
    publish_in(fresh_tenant, [thing()], by=SYSTEM)
    with tenant_scope(fresh_tenant):
        first = catalog()
    with tenant_scope(fresh_tenant):
        assert catalog() is first


def test_an_unchanged_object_stays_the_same_value(fresh_tenant):
    publish_in(fresh_tenant, [thing(), thing("other")], by=SYSTEM)
    with tenant_scope(fresh_tenant):
        first, other = catalog().object("thing"), catalog().object("other")
    publish_in(fresh_tenant, [thing("other", size={"type": "text"})], by=SYSTEM)
    with tenant_scope(fresh_tenant):
        assert catalog().object("thing") is first
        assert catalog().object("other") is not other


def test_a_rolled_back_publication_is_never_cached(acme):
    with owner_session(), tenant_scope(acme):
        publish_objects([thing("phantom")], by=SYSTEM)
        assert "phantom" in catalog()
        transaction.set_rollback(True)
    with tenant_scope(acme):
        assert "phantom" not in catalog()


def test_tenants_have_catalogs_of_their_own(acme, globex):
    publish_in(acme, [thing("only_acme")], by=SYSTEM)
    with tenant_scope(globex):
        assert "only_acme" not in catalog()
    with tenant_scope(acme):
        assert "only_acme" in catalog()
    publish_in(acme, [], by=SYSTEM, drop=["only_acme"])


def test_a_definition_that_cannot_be_read_does_not_take_the_others_down(in_acme):
    good = thing("good")
    for name, body in (
        ("good", dict(good.body)),
        ("bad", {"name": "bad", "fields": {"a": {"type": "gone"}}}),
    ):
        Definition.objects.create(name=name, body=body, checksum=f"test:{name}")
    found = load()
    assert "good" in found
    assert "bad" not in found
    assert "gone" in str(found.broken["bad"])


def test_referrers(in_acme):
    part = load_body(
        {
            "name": "part",
            "fields": {"title": {"type": "text"}, "thing": {"type": "lookup", "reference": "thing"}},
        }
    )
    for definition in (thing(), part):
        Definition.objects.create(
            name=definition.name, body=dict(definition.body), checksum=definition.checksum
        )
    found = load()
    assert [(o.name, f.name) for o, f in found.referrers("thing")] == [("part", "thing")]
    assert found.referrers("part") == ()


def test_versions_are_kept(acme):
    with owner_session(), tenant_scope(acme):
        publish_objects([thing()], by=SYSTEM)
        publish_objects([thing(size={"type": "text"})], by=SYSTEM)
        assert catalog().object("thing").version == 2
        kept = list(DefinitionVersion.objects.filter(name="thing").order_by("version"))
        assert [list(v.body["fields"]) for v in kept] == [["title"], ["title", "size"]]
        transaction.set_rollback(True)


def test_a_draft_is_not_in_force_and_ends_with_the_publication(acme):
    with owner_session(), tenant_scope(acme):
        publish_objects([thing()], by=SYSTEM)
        changed = thing(size={"type": "text"})
        save_draft(changed.body, by=SYSTEM)
        assert "size" not in catalog().object("thing").fields
        publish_objects([changed], by=SYSTEM)
        assert not Definition.objects.filter(state="draft").exists()
        transaction.set_rollback(True)


def test_members_without_the_right_publish_nothing(acme, people):
    with owner_session(), tenant_scope(acme), pytest.raises(PermissionDenied):
        publish_objects([thing()], by=people.actor("sales"))


def test_a_modules_object_is_not_the_tenants_to_change(acme):
    with owner_session(), tenant_scope(acme):
        publish_objects([thing("pack_thing")], by=SYSTEM, module="pack")
        with pytest.raises(Problem) as refused:
            publish_objects([thing("pack_thing", size={"type": "text"})], by=SYSTEM)
        assert refused.value.code == "WRITABLE_PACKAGE_REQUIRED"
        transaction.set_rollback(True)


def test_publishing_writes_ledger_and_event(acme):
    with owner_session(), tenant_scope(acme), connections["default"].cursor() as cursor:
        publish_objects([thing("noted")], by=SYSTEM)
        cursor.execute("SELECT action FROM public.audit_pending WHERE target = 'object:noted'")
        assert cursor.fetchall() == [("object.created",)]
        cursor.execute("SELECT type FROM public.events_outbox WHERE subject = 'object:noted'")
        assert cursor.fetchall() == [("object.published",)]
        transaction.set_rollback(True)


def test_declared_permission_sets_are_made_and_merged(acme):
    from apps.permissions.models import PermissionSet

    def guarded(name):
        rights = {"helpers": {"allowRead": True}}
        return load_body({"name": name, "fields": {"title": {"type": "text"}}, "permission_sets": rights})

    with owner_session(), tenant_scope(acme):
        publish_objects([guarded("one")], by=SYSTEM)
        publish_objects([guarded("two")], by=SYSTEM)
        body = PermissionSet.objects.get(name="helpers").body
        assert set(body["objects"]) == {"one", "two"}
        transaction.set_rollback(True)


def test_walls_stand_under_a_new_table(fresh_tenant, globex):
    """Another tenant's scope reads nothing from a new table; without its wall it would."""
    publish_in(fresh_tenant, [thing()], by=SYSTEM)
    table = f'"{fresh_tenant.schema}".obj_thing'
    with tenant_scope(fresh_tenant), connections["default"].cursor() as cursor:
        cursor.execute("INSERT INTO obj_thing (id, title) VALUES (gen_random_uuid(), 'x')")
    with tenant_scope(globex), connections["default"].cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        assert cursor.fetchone() == (0,)
    with owner_session(), tenant_scope(fresh_tenant), connections["default"].cursor() as cursor:
        cursor.execute("ALTER TABLE obj_thing DISABLE ROW LEVEL SECURITY")
    with tenant_scope(globex), connections["default"].cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        assert cursor.fetchone() == (1,)


def test_a_limit_on_a_field_follows_its_rename(acme, people):
    from apps.permissions import services as permissions
    from apps.permissions.access import access_for

    rights = {"objects": {"thing": {"allowRead": True}}, "fields": {"thing.salary": {"readable": False}}}
    reader = people.actor("reader")
    with owner_session(), tenant_scope(acme):
        publish_objects([thing(salary={"type": "currency"})], by=SYSTEM)
        permissions.create_set(name="clerks", label="Clerks", body=rights, by=SYSTEM)
        permissions.assign(user_id=reader.user_id, name="clerks", by=SYSTEM)
        assert "salary" not in access_for(reader).readable(catalog().object("thing"))
        publish_objects([thing(pay={"type": "currency", "renamedFrom": "salary"})], by=SYSTEM)
        assert "pay" not in access_for(reader).readable(catalog().object("thing"))
        moved = load_body(
            {
                "name": "item",
                "renamedFrom": "thing",
                "fields": {"title": {"type": "text"}, "pay": {"type": "currency", "renamedFrom": "salary"}},
            }
        )
        publish_objects([moved], by=SYSTEM)
        seen = access_for(reader).readable(catalog().object("item"))
        assert "title" in seen
        assert "pay" not in seen
        transaction.set_rollback(True)


def together(count, work):
    """Run `work(number)` in as many threads at once; return what each returned or raised."""
    gate, found = threading.Barrier(count), [None] * count

    def run(number):
        gate.wait()
        try:
            found[number] = work(number)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            found[number] = error
        finally:
            for connection in connections.all():
                connection.close()

    threads = [threading.Thread(target=run, args=[n]) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_two_publications_at_once_happen_one_after_the_other(fresh_tenant):
    with tenant_scope(fresh_tenant):
        catalog()
    done = together(
        4, lambda n: publish_in(fresh_tenant, [thing(**{f"f{n % 2}": {"type": "text"}})], by=SYSTEM)
    )
    assert [d for d in done if isinstance(d, Exception)] == []
    with tenant_scope(fresh_tenant):
        versions = DefinitionVersion.objects.filter(name="thing").order_by("version")
        assert [v.version for v in versions] == list(range(1, len(versions) + 1))
        columns = set(catalog().object("thing").fields)
        with connections["default"].cursor() as cursor:
            cursor.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = 'obj_thing'::regclass AND attnum > 0 AND NOT attisdropped"
            )
            assert columns <= {row[0] for row in cursor.fetchall()}


def test_numbers_are_given_once_however_many_write(fresh_tenant):
    from apps.objects import records

    publish_in(fresh_tenant, [thing(no={"type": "autonumber", "autonumberFormat": "N{000}"})], by=SYSTEM)

    def write(_number):
        return [
            records.create("thing", {"title": "x"}, by=SYSTEM, tenant=fresh_tenant).record()["no"]
            for _ in range(10)
        ]

    numbers = [number for many in together(4, write) for number in many]
    assert sorted(numbers) == [f"N{n:03}" for n in range(1, 41)]
