"""Changing permission sets: judged, recorded, and never beyond what one holds."""

import pytest

from apps.audit.models import Pending
from apps.core.actor import SYSTEM
from apps.core.errors import Conflict, Invalid, NotFound, PermissionDenied
from apps.permissions import queries, services
from apps.permissions.bodies import problems
from apps.permissions.models import Assignment, PermissionSet

POLICY = {"name": "west", "object": "a", "using": {"region": "west"}}
BODY = {"objects": {"qa_lead": {"allowRead": True}}, "fields": {}, "systemPermissions": []}


def actions(target):
    return list(Pending.objects.filter(target=target).order_by("id").values_list("action", flat=True))


def test_the_life_of_a_set(inside):
    by = inside.actor("owner")
    services.create_set(name="readers", label="Readers", body=BODY, by=by)
    assert queries.find_set("readers").body == BODY
    services.update_set(name="readers", label="All readers", by=by)
    assert services.assign(user_id=inside.user("reader"), name="readers", by=by)
    assert not services.assign(user_id=inside.user("reader"), name="readers", by=by)
    assert "readers" in queries.assignments()[inside.user("reader")]
    assert services.unassign(user_id=inside.user("reader"), name="readers", by=by)
    assert not services.unassign(user_id=inside.user("reader"), name="readers", by=by)
    services.assign(user_id=inside.user("reader"), name="readers", by=by)
    services.delete_set(name="readers", by=by)
    assert not Assignment.objects.filter(set_name="readers").exists()
    assert actions("permission_set:readers") == [
        "permission_set.created",
        "permission_set.updated",
        "permission_set.deleted",
    ]
    assert actions(f"user:{inside.user('reader')}")[-3:] == [
        "permission_set.assigned",
        "permission_set.unassigned",
        "permission_set.assigned",
    ]


def test_members_may_not_change_sets(inside):
    for attempt in (
        lambda by: services.create_set(name="mine", label="Mine", body=BODY, by=by),
        lambda by: services.update_set(name="qa_sales", body=BODY, by=by),
        lambda by: services.delete_set(name="qa_sales", by=by),
        lambda by: services.assign(user_id=by.user_id, name="qa_manager", by=by),
        lambda by: services.assign(user_id=by.user_id, name="admin_full_access", by=by),
        lambda by: services.unassign(user_id=by.user_id, name="qa_sales", by=by),
    ):
        with pytest.raises(PermissionDenied):
            attempt(inside.actor("sales"))
    attempt(inside.actor("owner"))  # negative control: the same call succeeds with the right


def test_nobody_grants_more_than_they_hold(inside):
    clerk = inside.actor("reader")
    rights = BODY | {"systemPermissions": ["manage_permissions"]}
    services.create_set(name="clerks", label="Clerks", body=rights, by=SYSTEM)
    services.assign(user_id=clerk.user_id, name="clerks", by=SYSTEM)
    services.create_set(name="fine", label="Fine", body=BODY, by=clerk)
    wide = {"objects": {"qa_lead": {"allowRead": True, "allowDelete": True}}}
    with pytest.raises(PermissionDenied):
        services.create_set(name="wide", label="Wide", body=wide, by=clerk)
    with pytest.raises(PermissionDenied):
        services.update_set(name="fine", body={"systemPermissions": ["manage_members"]}, by=clerk)
    with pytest.raises(PermissionDenied):
        services.assign(user_id=clerk.user_id, name="admin_full_access", by=clerk)
    with pytest.raises(PermissionDenied):
        services.assign(user_id=clerk.user_id, name="qa_manager", by=clerk)


def test_built_in_sets_cannot_change_but_can_be_assigned(inside):
    by = inside.actor("owner")
    for attempt in (
        lambda: services.create_set(name="viewer_readonly", label="x", body=BODY, by=by),
        lambda: services.update_set(name="viewer_readonly", body=BODY, by=by),
        lambda: services.delete_set(name="admin_full_access", by=by),
    ):
        with pytest.raises(Conflict):
            attempt()
    assert services.assign(user_id=inside.user("reader"), name="viewer_readonly", by=by)
    with pytest.raises(NotFound):
        services.assign(user_id=inside.user("reader"), name="no_such_set", by=by)
    with pytest.raises(Invalid):
        services.assign(user_id=inside.user("reader", "globex"), name="viewer_readonly", by=by)


def test_sets_of_modules(inside):
    declared = {"name": "crm_x", "label": "X", "isDefault": False, **BODY}
    assert services.put_declared(declared, module="crm", by=SYSTEM) == "created"
    assert services.put_declared(declared, module="crm", by=SYSTEM) == "unchanged"
    changed = declared | {"objects": {"qa_lead": {"allowRead": True, "allowEdit": True}}}
    assert services.put_declared(changed, module="crm", by=SYSTEM) == "updated"
    assert PermissionSet.objects.get(name="crm_x").module == "crm"
    with pytest.raises(Conflict):
        services.put_declared(declared, module="other", by=SYSTEM)


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ([], "body", "invalid_shape"),
        ({"object": {}}, "object", "unknown_field"),
        ({"objects": {"Qa Lead": {}}}, "objects.Qa Lead", "invalid_value"),
        ({"objects": {"a": {"allowRaed": True}}}, "objects.a.allowRaed", "unknown_field"),
        ({"objects": {"a": {"allowRead": "yes"}}}, "objects.a.allowRead", "invalid_boolean"),
        ({"objects": {"a": {"readScope": "world"}}}, "objects.a.readScope", "invalid_option"),
        ({"objects": {"a": True}}, "objects.a", "invalid_shape"),
        ({"fields": {"a": {}}}, "fields.a", "invalid_value"),
        ({"fields": {"a.b": {"readable": 1}}}, "fields.a.b.readable", "invalid_boolean"),
        ({"fields": {"a.b": {"visible": True}}}, "fields.a.b.visible", "unknown_field"),
        ({"fields": {"a.b": {"readable": False, "editable": True}}}, "fields.a.b", "rule_violation"),
        ({"systemPermissions": ["fly"]}, "systemPermissions", "invalid_option"),
        ({"systemPermissions": "fly"}, "systemPermissions", "invalid_shape"),
        ({"rowLevelSecurity": {}}, None, None),
        ({"rowLevelSecurity": {"a": 1}}, "rowLevelSecurity", "invalid_shape"),
        ({"rowLevelSecurity": [1]}, "rowLevelSecurity.0", "invalid_shape"),
        ({"rowLevelSecurity": [POLICY | {"when": "x"}]}, "rowLevelSecurity.0.when", "unknown_field"),
        (
            {"rowLevelSecurity": [POLICY | {"operation": "x"}]},
            "rowLevelSecurity.0.operation",
            "invalid_option",
        ),
        ({"rowLevelSecurity": [POLICY | {"using": None}]}, "rowLevelSecurity.0.using", "required"),
        ({"rowLevelSecurity": [POLICY | {"using": 1}]}, "rowLevelSecurity.0.using", "invalid_shape"),
        ({"rowLevelSecurity": [POLICY | {"object": ""}]}, "rowLevelSecurity.0.object", "invalid_value"),
        (
            {"rowLevelSecurity": [POLICY | {"positions": "x"}]},
            "rowLevelSecurity.0.positions",
            "invalid_shape",
        ),
        ({"rowLevelSecurity": [POLICY | {"enabled": 1}]}, "rowLevelSecurity.0.enabled", "invalid_boolean"),
    ],
)
def test_bad_bodies_are_named(body, path, code):
    wrong = [(path, code)] if path else []
    assert [(found.field, found.code) for found in problems(body)] == wrong


def test_all_faults_come_at_once(inside):
    body = {"objects": {"a": {"x": 1, "y": 2}}, "systemPermissions": ["fly"]}
    with pytest.raises(Invalid) as refusal:
        services.create_set(name="bad", label="Bad", body=body, by=inside.actor("owner"))
    assert len(refusal.value.fields) == 3
    with pytest.raises(Invalid):
        services.create_set(name="Bad Name", label="Bad", body=BODY, by=inside.actor("owner"))


def test_scopes_of_reading_all(inside):
    assert not problems({"objects": {"a": {"readScope": "org", "writeScope": "own"}}})
