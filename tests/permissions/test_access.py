"""What sets grant together: the union, fields, scopes, owners, and how fast a change is seen."""

import random
from dataclasses import dataclass, field
from types import SimpleNamespace
from uuid import UUID

import pytest

from apps.core.actor import SYSTEM, Actor
from apps.core.errors import PermissionDenied
from apps.core.scope import tenant_scope
from apps.identity.models import Membership
from apps.permissions import services
from apps.permissions.access import Access, access_for, bundle, seen
from apps.permissions.bodies import SYSTEM_PERMISSIONS, compiled
from apps.permissions.builtin import ADMIN, READER
from apps.permissions.explain import explain
from apps.permissions.models import PermissionSet
from apps.permissions.queries import effective
from apps.permissions.rights import KEYS, NEEDED, Allowed, Bits, Denied
from apps.permissions.rules import CURRENT_USER, Always, Never, OwnerIs

ME, OTHER = UUID(int=1), UUID(int=2)


def plain(visible_to=None, editable_by=None):
    return SimpleNamespace(visible_to=visible_to, editable_by=editable_by, masking=None)


@dataclass
class Thing:
    name: str = "thing"
    sharing_model: str = "private"
    owner_field: str | None = "owner_id"
    all_fields: dict = field(default_factory=lambda: {"id": plain(), "title": plain(), "pay": plain()})


def access(*bodies, scopes=None):
    sets = tuple(compiled(f"set{n}", body) for n, body in enumerate(bodies))
    return Access(ME, bundle(sets, scopes))


def on(obj="thing", fields=None, **rights):
    return {"objects": {obj: rights}, "fields": fields or {}}


READ = {"allowRead": True}


def test_nothing_is_granted_by_default():
    mine, thing = access({}), Thing()
    for op in NEEDED:
        answer = mine.can(op, thing)
        assert not answer
        assert isinstance(answer, Denied)
        assert answer.reason
    assert mine.readable(thing) == {"id"}
    assert mine.predicate("read", thing) == Never()
    assert Access(ME, bundle(())).can("read", thing).layer == "principal"


def test_a_grant_names_its_set():
    answer = access(on(**READ)).can("read", Thing())
    assert isinstance(answer, Allowed)
    assert "set0" in answer.reason


def test_a_named_object_replaces_the_wildcard_in_one_set_and_adds_across_sets():
    wild = {"objects": {"*": READ | {"allowEdit": True}, "thing": READ}}
    assert access(wild).can("read", Thing())
    assert not access(wild).can("edit", Thing())
    assert access(wild).can("edit", Thing(name="other"))
    assert access(wild, on("*", allowEdit=True, **READ)).can("edit", Thing())


def test_modify_all_brings_view_edit_and_delete():
    mine = access(on(modifyAllRecords=True))
    assert all(mine.can(op, Thing()) for op in ("read", "edit", "delete"))
    assert not mine.can("create", Thing())
    assert mine.predicate("delete", Thing()) == Always()


@pytest.mark.parametrize(
    ("model", "op", "rule"),
    [
        ("private", "read", OwnerIs(CURRENT_USER)),
        ("private", "edit", OwnerIs(CURRENT_USER)),
        ("public_read", "read", Always()),
        ("public_read", "export", Always()),
        ("public_read", "edit", OwnerIs(CURRENT_USER)),
        ("public_read_write", "edit", Always()),
        ("public_read_write", "delete", OwnerIs(CURRENT_USER)),
        ("something_new", "read", OwnerIs(CURRENT_USER)),
    ],
)
def test_sharing_model(model, op, rule):
    rights = dict.fromkeys(("allowRead", "allowEdit", "allowDelete", "allowExport"), True)
    assert access(on(**rights)).predicate(op, Thing(sharing_model=model)) == rule


def test_scopes_of_reading_and_writing():
    assert access(on(readScope="org")).predicate("read", Thing()) == Always()
    assert access(on(readScope="own", allowRead=True)).predicate("read", Thing()) == OwnerIs(CURRENT_USER)
    assert access(on(writeScope="org")).predicate("delete", Thing()) == Always()
    assert access(on(writeScope="own", allowRead=True)).predicate("edit", Thing()) == Never()


def test_objects_without_owners_are_shared():
    mine = access(on(allowRead=True, allowDelete=True))
    assert mine.predicate("delete", Thing(owner_field=None)) == Always()


def test_write_without_read_touches_nothing():
    assert access(on(allowEdit=True)).predicate("edit", Thing()) == Never()


def test_owner_rule_on_records():
    mine = access(on(allowRead=True, allowEdit=True))
    assert mine.holds("edit", Thing(), {"owner_id": ME})
    assert not mine.holds("edit", Thing(), {"owner_id": OTHER})
    assert not mine.holds("edit", Thing(), {"owner_id": None})


def test_fields_are_withheld_and_a_second_set_gives_them_back():
    hides = on(fields={"thing.pay": {"readable": False}}, allowRead=True, allowEdit=True)
    shows = on(fields={"thing.pay": {"readable": True}}, **READ)
    assert access(hides).readable(Thing()) == {"id", "title"}
    assert access(hides).editable(Thing()) == {"id", "title"}
    assert "pay" in access(hides, shows).readable(Thing())
    assert "pay" not in access(hides, shows).editable(Thing())
    assert "pay" in access(hides, on(**READ)).readable(Thing())


def test_a_field_mentioned_is_read_only_unless_said_otherwise():
    mine = access(on(fields={"thing.pay": {}}, allowRead=True, allowEdit=True))
    assert "pay" in mine.readable(Thing())
    assert "pay" not in mine.editable(Thing())


def test_a_set_without_the_object_grants_no_field():
    shows_only = {"objects": {}, "fields": {"thing.pay": {"readable": True, "editable": True}}}
    assert access(shows_only).readable(Thing()) == {"id"}


def test_visible_to_names_sets():
    thing = Thing(all_fields={"id": plain(), "pay": plain(frozenset({"set1"}), frozenset())})
    body = on(allowRead=True, allowEdit=True)
    assert "pay" not in access(body).readable(thing)
    assert "pay" in access(body, body).readable(thing)
    assert "pay" not in access(body, body).editable(thing)
    admin = Access(ME, bundle((ADMIN.grant,)))
    assert "pay" in admin.editable(thing)
    assert "pay" not in Access(ME, bundle((READER.grant,))).readable(thing)


def random_body(chance):
    def rights():
        return {key: chance.random() < 0.4 for key in KEYS}

    fields = {
        f"thing.{name}": {"readable": chance.random() < 0.5, "editable": False}
        for name in ("title", "pay")
        if chance.random() < 0.4
    }
    objects = {name: rights() for name in ("thing", "*") if chance.random() < 0.7}
    return {"objects": objects, "fields": fields}


def test_a_further_set_never_takes_away():
    chance = random.Random(3)
    for _ in range(2_000):
        bodies = [random_body(chance) for _ in range(chance.randint(0, 3))]
        thing = Thing(sharing_model=chance.choice(["private", "public_read", "public_read_write"]))
        before, after = access(*bodies), access(*bodies, random_body(chance))
        assert before.readable(thing) <= after.readable(thing)
        assert before.editable(thing) <= after.editable(thing)
        for op in NEEDED:
            assert not before.can(op, thing) or after.can(op, thing)
            for record in ({"owner_id": ME}, {"owner_id": OTHER}, {"owner_id": None}):
                assert not before.holds(op, thing, record) or after.holds(op, thing, record)


def test_edit_is_never_wider_than_read():
    chance = random.Random(4)
    for _ in range(2_000):
        thing = Thing(sharing_model=chance.choice(["private", "public_read", "public_read_write"]))
        mine = access(*[random_body(chance) for _ in range(2)])
        assert mine.editable(thing) <= mine.readable(thing)
        for op in ("edit", "delete", "transfer", "export", "purge"):
            for record in ({"owner_id": ME}, {"owner_id": OTHER}, {"owner_id": None}):
                assert not mine.holds(op, thing, record) or mine.holds("read", thing, record)


@pytest.mark.parametrize(
    ("scopes", "read", "edit"),
    [
        ({"*"}, True, True),
        ({"data:read"}, True, False),
        ({"data:write"}, True, True),
        ({"thing:read"}, True, False),
        ({"thing:*"}, True, True),
        ({"other:write"}, False, False),
        ({"members:write"}, False, False),
        ({"nonsense"}, False, False),
        (set(), False, False),
    ],
)
def test_scopes_only_narrow(scopes, read, edit):
    wide = on(allowRead=True, allowEdit=True)
    mine = access(wide, scopes=frozenset(scopes))
    assert bool(mine.can("read", Thing())) is read
    assert bool(mine.can("edit", Thing())) is edit
    assert not access({}, scopes=frozenset({"*"})).can("read", Thing())
    if not read:
        assert mine.can("read", Thing()).layer in ("scopes", "object")


def test_scopes_narrow_system_permissions():
    assert access({"systemPermissions": ["manage_members", "view_audit"]}).has_system("manage_members")
    narrowed = access(
        {"systemPermissions": ["manage_members", "view_audit"]}, scopes=frozenset({"audit:read"})
    )
    assert narrowed.has_system("view_audit")
    assert not narrowed.has_system("manage_members")
    assert not access({}, scopes=frozenset({"members:*"})).has_system("manage_members")


def test_equal_rights_share_one_bundle():
    one, two = access(on(**READ)), access(on(**READ))
    assert one.grants is two.grants
    assert access(on(allowEdit=True)).grants is not one.grants
    assert access(on(**READ), scopes=frozenset({"*"})).grants.fingerprint != one.grants.fingerprint


# -- with a tenant ---------------------------------------------------------------------------------


def test_roles_imply_built_in_sets(inside):
    assert access_for(inside.actor("owner")).has_system("manage_permissions")
    assert access_for(inside.actor("admin")).can("purge", Thing())
    assert not access_for(inside.actor("reader")).has_system("manage_permissions")
    assert [s.name for s in access_for(inside.actor("reader")).grants.sets] == ["member_default", "qa_reader"]


def test_a_change_is_seen_at_once(inside):
    by, sales = inside.actor("owner"), inside.actor("sales")
    thing = Thing(name="qa_secret")
    assert not access_for(sales).can("read", thing)
    services.create_set(name="extra", label="Extra", body=on("qa_secret", **READ), by=by)
    services.assign(user_id=sales.user_id, name="extra", by=by)
    assert access_for(sales).can("read", thing)
    services.update_set(name="extra", body=on("qa_secret"), by=by)
    assert not access_for(sales).can("read", thing)
    services.update_set(name="extra", body=on("qa_secret", **READ), by=by)
    services.unassign(user_id=sales.user_id, name="extra", by=by)
    assert not access_for(sales).can("read", thing)


def test_a_suspended_or_foreign_person_has_nothing(inside):
    sales = inside.actor("sales")
    assert access_for(sales).can("read", Thing(name="qa_lead"))
    foreign = access_for(inside.actor("owner", "globex"))
    assert not foreign.can("read", Thing())
    assert not foreign.has_system("manage_members")
    stranger = Actor(
        kind="member", id="x", label="x", tenant_id=inside.acme.id, user_id=inside.user("owner", "globex")
    )
    assert "not a member" in access_for(stranger).can("read", Thing()).reason
    Membership.objects.filter(user_id=sales.user_id).update(state="suspended")
    services.create_set(name="tick", label="Moves the clock", body={}, by=SYSTEM)
    assert "suspended" in access_for(sales).can("read", Thing(name="qa_lead")).reason


@pytest.mark.parametrize(
    "body", [[], "x", {"objects": [1]}, {"objects": {"qa_secret": {"allowRead": "yes"}}}, {"object": {}}]
)
def test_a_broken_set_grants_nothing(inside, body, caplog):
    """A body that was damaged past the services is reported, and the actor's other sets still count."""
    sales = inside.actor("sales")
    services.create_set(name="extra", label="Extra", body=on("qa_secret", **READ), by=SYSTEM)
    services.assign(user_id=sales.user_id, name="extra", by=SYSTEM)
    assert access_for(sales).can("read", Thing(name="qa_secret"))
    PermissionSet.objects.filter(name="extra").update(body=body)
    assert not access_for(sales).can("read", Thing(name="qa_secret"))
    assert access_for(sales).can("read", Thing(name="qa_lead"))
    assert "permission set ignored" in caplog.text


def test_operators_and_modules_read_no_records(inside):
    operator = access_for(inside.people.operator())
    assert operator.has_system("manage_modules")
    assert not operator.can("read", Thing())
    module = Actor(kind="module", id="crm", label="CRM", tenant_id=inside.acme.id)
    assert not access_for(module).can("read", Thing())
    assert access_for(SYSTEM).can("purge", Thing())


def test_what_a_process_remembers_carries_its_clock(world):
    sales = world.actor("sales")
    with tenant_scope(world.acme) as scope:
        access_for(sales)
    clock, remembered = seen(sales, world.acme)
    assert clock == scope.clock
    assert remembered.can("read", Thing(name="qa_lead"))
    assert seen(SYSTEM, world.acme)[0] is None
    assert seen(sales, world.globex) == (
        None,
        Access(None, bundle(()), "The actor belongs to another tenant."),
    )


def test_require_raises_with_the_reason(inside):
    mine = access_for(inside.actor("reader"))
    with pytest.raises(PermissionDenied) as refusal:
        mine.require("edit", Thing())
    assert refusal.value.code == "PERMISSION_DENIED"
    with pytest.raises(PermissionDenied) as refusal:
        mine.require("export", Thing())
    assert refusal.value.code == "EXPORT_NOT_PERMITTED"
    with pytest.raises(PermissionDenied):
        mine.require_system("manage_members")
    assert not mine.has_system("everything")


def test_explain_tells_layer_by_layer(inside):
    mine = access_for(inside.actor("sales"))
    thing = Thing(name="qa_lead", all_fields={"id": plain(), "secret_note": plain()})
    told = explain(mine, "read", thing, {"owner_id": inside.user("manager")})
    assert not told.allowed
    names = ["principal", "object", "fields", "owd_baseline", "rls", "record"]
    assert [layer.name for layer in told.layers] == names
    assert told.layers[1].contributors == ("qa_sales",)
    assert "secret_note" in told.layers[2].detail
    assert told.layers[-1].verdict == "denies"
    assert told.reason == told.layers[-1].detail
    assert explain(mine, "read", thing, {"owner_id": mine.user_id}).allowed
    denied = explain(mine, "purge", thing)
    assert not denied.allowed
    assert denied.layers[-1].verdict == "denies"
    assert denied.layers[-1].as_dict()["layer"] == "object"


def test_effective_rights_as_the_protocol_shows_them(inside):
    shown = effective(inside.actor("sales"), [Thing(name="qa_lead")])
    assert shown["objects"]["qa_lead"]["allowRead"] is True
    assert shown["objects"]["qa_lead"]["viewAllRecords"] is False
    assert set(shown["objects"]["qa_lead"]) == set(KEYS)
    owner = effective(inside.actor("owner"), [Thing()])
    assert owner["systemPermissions"] == sorted(SYSTEM_PERMISSIONS)


def test_bits_are_distinct():
    assert len({int(bit) for bit in Bits if bit}) == len(KEYS)
