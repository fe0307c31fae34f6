"""Shares, sharing rules, roles, teams and restrictions on real records: through the services and the one statement."""

import datetime as dt

import pytest
from django.utils import timezone

from apps.audit.models import Pending
from apps.core.actor import SYSTEM
from apps.core.errors import Conflict, Invalid, NotFound, PermissionDenied
from apps.core.scope import tenant_scope
from apps.events.models import OutboxEvent
from apps.objects import query, records
from apps.objects.catalog import catalog
from apps.objects.records import judging, sharing
from apps.permissions import emergency, groups, matrix, proposals, services, walls
from apps.permissions import sharing as rules
from apps.permissions.access import access_for, seen
from apps.permissions.explain import as_filter, explain
from apps.permissions.models import Assignment, GroupMember, Level, Share

HOUR = dt.timedelta(hours=1)


def actions(target):
    return list(Pending.objects.filter(target=target).order_by("id").values_list("action", flat=True))


def visible(actor, name="qa_lead"):
    return {row["name"] for row in query.find(name, {"fields": ["name"]}, by=actor).records()}


@pytest.fixture
def desk(inside):
    """Two leads of the manager's; sales may work with leads, and sees their own only."""
    manager = inside.actor("manager")
    for name, status in (("alpha", "new"), ("beta", "won")):
        records.create("qa_lead", {"name": name, "status": status, "secret_note": "s"}, by=manager)
    inside.ids = {row["name"]: row["id"] for row in query.find("qa_lead", {}, by=manager).records()}
    inside.sales, inside.manager = inside.actor("sales"), manager
    return inside


def me(actor):
    return f"user:{actor.user_id}"


def test_a_share_opens_one_record_as_far_as_it_goes(desk):
    assert visible(desk.sales) == set()
    alpha = desk.ids["alpha"]
    made = sharing.share("qa_lead", alpha, principal=me(desk.sales), level=Level.READ, by=desk.manager)
    assert visible(desk.sales) == {"alpha"}
    assert query.count("qa_lead", {}, by=desk.sales) == (1, "exact")
    assert query.get("qa_lead", alpha, by=desk.sales).record()["name"] == "alpha"
    with pytest.raises(PermissionDenied):
        records.update("qa_lead", alpha, {"score": 5}, by=desk.sales)
    sharing.share("qa_lead", alpha, principal=me(desk.sales), level=Level.EDIT, by=desk.manager)
    records.update("qa_lead", alpha, {"score": 5}, by=desk.sales)
    with pytest.raises(PermissionDenied):
        records.delete("qa_lead", alpha, by=desk.sales)
    sharing.share("qa_lead", alpha, principal=me(desk.sales), level=Level.FULL, by=desk.manager)
    records.delete("qa_lead", alpha, by=desk.sales)
    records.restore("qa_lead", alpha, by=desk.sales)
    sharing.unshare("qa_lead", alpha, made.id, by=desk.manager)
    assert visible(desk.sales) == set()
    with pytest.raises(NotFound):
        query.get("qa_lead", alpha, by=desk.sales)
    told = [a for a in actions(f"qa_lead:{alpha}") if "share" in a]
    assert told == ["qa_lead.shared"] * 3 + ["qa_lead.unshared"]


def test_hidden_fields_stay_hidden_on_shared_records(desk):
    sharing.share("qa_lead", desk.ids["alpha"], principal="everyone", level=Level.FULL, by=desk.manager)
    assert "secret_note" not in query.get("qa_lead", desk.ids["alpha"], by=desk.sales).record()
    with pytest.raises(PermissionDenied):
        query.find("qa_lead", {"where": {"secret_note": "s"}}, by=desk.sales)


def test_nobody_shares_further_than_they_may_go(desk):
    alpha = desk.ids["alpha"]
    sharing.share("qa_lead", alpha, principal=me(desk.sales), level=Level.READ, by=desk.manager)
    with pytest.raises(PermissionDenied):
        sharing.share("qa_lead", alpha, principal="everyone", level=Level.READ, by=desk.sales)
    sharing.share("qa_lead", alpha, principal=me(desk.sales), level=Level.EDIT, by=desk.manager)
    sharing.share("qa_lead", alpha, principal="everyone", level=Level.EDIT, by=desk.sales)
    with pytest.raises(PermissionDenied):
        sharing.share("qa_lead", alpha, principal="everyone", level=Level.FULL, by=desk.sales)
    with pytest.raises(NotFound):
        sharing.share("qa_lead", desk.ids["beta"], principal="everyone", level=Level.READ, by=desk.sales)
    with pytest.raises(Invalid):
        stranger = desk.actor("owner", "globex")
        sharing.share("qa_lead", alpha, principal=me(stranger), level=Level.READ, by=desk.manager)
    assert len(sharing.shares("qa_lead", alpha, by=desk.sales)) == 2


def test_shares_have_a_time(desk):
    alpha, now = desk.ids["alpha"], timezone.now()
    made = sharing.share(
        "qa_lead", alpha, principal="everyone", level=Level.READ, by=desk.manager, valid_until=now + HOUR
    )
    assert visible(desk.sales) == {"alpha"}
    Share.objects.filter(id=made.id).update(valid_until=now - HOUR)
    assert visible(desk.sales) == set()
    Share.objects.filter(id=made.id).update(valid_from=now + HOUR, valid_until=None)
    assert visible(desk.sales) == set()
    with pytest.raises(Invalid):
        sharing.share(
            "qa_lead", alpha, principal="everyone", level=Level.READ, by=desk.manager, valid_until=now - HOUR
        )


def test_a_purged_record_leaves_no_share(desk):
    alpha = desk.ids["alpha"]
    sharing.share("qa_lead", alpha, principal="everyone", level=Level.READ, by=desk.manager)
    records.delete("qa_lead", alpha, by=SYSTEM)
    records.purge("qa_lead", alpha, by=SYSTEM)
    assert not Share.objects.filter(record_id=alpha).exists()


def test_sharing_rules_open_what_they_describe(desk):
    owner = desk.actor("owner")
    put = {
        "name": "new_ones",
        "object_name": "qa_lead",
        "principal": me(desk.sales),
        "level": Level.READ,
        "by": owner,
    }
    rules.put_rule(criteria="status == 'new'", **put)
    assert visible(desk.sales) == {"alpha"}
    rules.put_rule(criteria={"status": "won"}, **put)
    assert visible(desk.sales) == {"beta"}
    rules.put_rule(owners=me(desk.manager), **put)
    assert visible(desk.sales) == {"alpha", "beta"}
    rules.put_rule(owners=me(desk.manager), active=False, **put)
    assert visible(desk.sales) == set()
    for wrong in (
        {},
        {"criteria": "status = 1"},
        {"criteria": "nope == 1"},
        {"criteria": {"score": "x"}},
        {"owners": "role:nobody"},
    ):
        with pytest.raises(Invalid):
            rules.put_rule(**put, **wrong)
    with pytest.raises(PermissionDenied):
        rules.put_rule(**put | {"by": desk.manager}, criteria="true")
    rules.delete_rule(name="new_ones", by=owner)
    verbs = ["created", "updated", "updated", "updated", "denied", "deleted"]
    told = [a.split(".")[1] for a in actions("sharing_rule:new_ones")]
    assert told == [verb if verb != "denied" else "changed" for verb in verbs]
    assert judging.matching("qa_lead", "status == 'new'", None) == 1


def test_roles_stand_above_each_other(desk):
    owner, now = desk.actor("owner"), timezone.now()
    groups.put_group(name="head", kind="role", label="Head", by=owner)
    groups.put_group(name="rep", kind="role", label="Rep", parent="head", by=owner)
    groups.join(name="head", user_id=desk.sales.user_id, by=owner)
    groups.join(name="rep", user_id=desk.manager.user_id, by=owner)
    body = {"objects": {"qa_lead": {"allowRead": True, "readScope": "own_and_reports"}}}
    services.create_set(name="deep", label="Deep", body=body, by=owner)
    assert visible(desk.sales) == set()
    groups.put_group(name="head", kind="role", label="Head", sets=["deep"], by=owner)
    assert visible(desk.sales) == {"alpha", "beta"}
    GroupMember.objects.filter(user_id=desk.manager.user_id).update(valid_until=now - HOUR)
    assert visible(desk.sales) == set()
    with pytest.raises(Invalid):
        groups.put_group(name="head", kind="role", label="Head", parent="rep", by=owner)
    with pytest.raises(Invalid):
        groups.put_group(name="head", kind="team", label="Head", by=owner)
    with pytest.raises(Conflict):
        groups.delete_group(name="head", by=owner)
    assert groups.leave(name="head", user_id=desk.sales.user_id, by=owner)
    assert not groups.leave(name="head", user_id=desk.sales.user_id, by=owner)


def test_teams_hold_what_is_shared_with_the_teams_around_them(desk):
    owner = desk.actor("owner")
    groups.put_group(name="europe", kind="team", label="Europe", by=owner)
    groups.put_group(name="iberia", kind="team", label="Iberia", parent="europe", by=owner)
    groups.join(name="iberia", user_id=desk.sales.user_id, by=owner)
    sharing.share("qa_lead", desk.ids["alpha"], principal="team:europe", level=Level.READ, by=desk.manager)
    assert visible(desk.sales) == {"alpha"}
    with pytest.raises(Conflict):
        groups.delete_group(name="europe", by=owner)


def test_roles_cannot_give_more_than_their_maker_holds(desk):
    services.create_set(
        name="clerks", label="Clerks", by=SYSTEM, body={"systemPermissions": ["manage_permissions"]}
    )
    services.assign(user_id=desk.sales.user_id, name="clerks", by=SYSTEM)
    groups.put_group(name="plain", kind="role", label="Plain", by=desk.sales)
    for given in (["admin_full_access"], ["qa_manager"]):
        with pytest.raises(PermissionDenied):
            groups.put_group(name="grand", kind="role", label="Grand", sets=given, by=desk.sales)
    groups.put_group(name="grand", kind="role", label="Grand", sets=["qa_manager"], by=SYSTEM)
    with pytest.raises(PermissionDenied):
        groups.join(name="grand", user_id=desk.sales.user_id, by=desk.sales)
    body = {"objects": {"qa_lead": {"allowRead": True, "readScope": "unit"}}}
    with pytest.raises(PermissionDenied):  # sales holds its own records only
        services.create_set(name="wider", label="Wider", body=body, by=desk.sales)
    bound = {"objects": {"qa_board": {"allowRead": True, "viewAllRecords": True}}}
    policy = {"name": "p", "object": "qa_board", "using": "title == 'x'"}
    services.create_set(name="bound", label="Bound", by=SYSTEM, body=bound | {"rowLevelSecurity": [policy]})
    services.assign(user_id=desk.sales.user_id, name="bound", by=SYSTEM)
    with pytest.raises(PermissionDenied):  # past the policies of what sales holds
        services.create_set(name="unbound", label="Unbound", body=bound, by=desk.sales)


def test_a_restriction_binds_administrators_and_no_grant_widens_it(desk):
    owner = desk.actor("owner")
    assert visible(owner) == {"alpha", "beta"}
    put = {"name": "wall", "object_name": "qa_lead", "by": owner}
    walls.put_restriction(operations=["read"], criteria="status == 'new'", **put)
    assert visible(owner) == visible(desk.manager) == {"alpha"}
    sharing.share("qa_lead", desk.ids["alpha"], principal="everyone", level=Level.READ, by=desk.manager)
    assert visible(desk.sales) == {"alpha"}
    with pytest.raises(PermissionDenied):  # a record must not be written past the wall either
        records.update("qa_lead", desk.ids["alpha"], {"status": "won"}, by=owner)
    walls.put_restriction(operations=["delete"], **put)
    with pytest.raises(PermissionDenied, match="wall"):
        records.delete("qa_lead", desk.ids["alpha"], by=owner)
    walls.put_restriction(operations=["read", "edit"], fields=["email"], **put)
    assert "email" not in query.get("qa_lead", desk.ids["alpha"], by=owner).record()
    with pytest.raises(PermissionDenied):
        query.find("qa_lead", {"orderBy": ["email"]}, by=owner)
    walls.delete_restriction(name="wall", by=owner)
    assert visible(owner) == {"alpha", "beta"}
    for wrong in ({"operations": []}, {"operations": ["fly"]}, {"operations": ["read"], "fields": ["nope"]},
                  {"operations": ["read"], "criteria": "nope"}, {"operations": ["read"], "criteria": "vip", "fields": ["vip"]}):  # fmt: skip
        with pytest.raises(Invalid):
            walls.put_restriction(**put, **wrong)


def test_policies_bound_reading_and_writing(desk):
    owner = desk.actor("owner")
    body = {
        "objects": {"qa_board": {"allowRead": True, "allowCreate": True, "allowEdit": True}},
        "rowLevelSecurity": [
            {"name": "open", "object": "qa_board", "operation": "all", "using": "!title.startsWith('x')"}
        ],
    }
    services.create_set(name="boards", label="Boards", body=body, by=owner)
    services.unassign(user_id=desk.sales.user_id, name="qa_sales", by=owner)
    services.assign(user_id=desk.sales.user_id, name="boards", by=owner)
    hidden = records.create("qa_board", {"title": "xy"}, by=owner).id
    made = records.create("qa_board", {"title": "yz"}, by=desk.sales).id
    assert {row["title"] for row in query.find("qa_board", {}, by=desk.sales).records()} == {"yz"}
    with pytest.raises(NotFound):
        records.update("qa_board", hidden, {"title": "y"}, by=desk.sales)
    for attempt in (
        lambda: records.create("qa_board", {"title": "xx"}, by=desk.sales),
        lambda: records.update("qa_board", made, {"title": "x"}, by=desk.sales),
    ):
        with pytest.raises(PermissionDenied):
            attempt()
    for wrong in ("title ==", "nope == 1", "size(title) > 1"):
        body["rowLevelSecurity"][0]["using"] = wrong
        with pytest.raises(Invalid) as refusal:
            services.update_set(name="boards", body=body, by=owner)
        assert refusal.value.fields[0].field == "rowLevelSecurity.0.using"


def test_assignments_have_a_time(desk):
    owner, now = desk.actor("owner"), timezone.now()
    reader = desk.actor("manager")
    give = {"user_id": desk.sales.user_id, "name": "viewer_readonly", "by": owner}
    assert services.assign(**give, valid_until=now + HOUR, reason="holiday cover")
    assert visible(desk.sales) == {"alpha", "beta"}
    assert not services.assign(**give, valid_until=now + HOUR)
    Assignment.objects.filter(set_name="viewer_readonly").update(valid_until=now - HOUR)
    assert visible(desk.sales) == set()
    assert services.assign(**give, valid_from=now + HOUR)
    assert visible(desk.sales) == set()
    with pytest.raises(Invalid):
        services.assign(**give, valid_from=now + HOUR, valid_until=now)
    assert visible(reader) == {"alpha", "beta"}


def test_what_a_process_remembers_ends_with_its_time(world, wiped):
    """No clock moves when a grant runs out: the remembered rights are those of one time between two turns."""
    sales = world.actor("sales")
    with tenant_scope(world.acme):
        services.assign(
            user_id=sales.user_id,
            name="viewer_readonly",
            by=SYSTEM,
            valid_until=timezone.now() + dt.timedelta(seconds=1.2),
        )
    try:
        lead = {}
        with tenant_scope(world.acme):
            lead["obj"] = catalog().object("qa_note")
            assert matrix.level(access_for(sales), "read", lead["obj"]) == "all"
        remembered = seen(sales, world.acme)
        assert remembered is not None
        assert matrix.level(remembered[1], "read", lead["obj"]) == "all"
        until = timezone.now() + dt.timedelta(seconds=1.3)
        while timezone.now() < until:
            pass
        assert seen(sales, world.acme) is None  # nothing is remembered of the time that has come
        with tenant_scope(world.acme):
            assert matrix.level(access_for(sales), "read", lead["obj"]) == "own"
    finally:
        with tenant_scope(world.acme):
            services.unassign(user_id=sales.user_id, name="viewer_readonly", by=SYSTEM)


def test_a_revocation_is_seen_by_the_next_read_of_every_process(world, wiped):
    """R23: what is remembered is compared with the database's clock in the statement that reads."""
    sales, manager = world.actor("sales"), world.actor("manager")
    made = records.create("qa_lead", {"name": "fresh"}, by=manager, tenant=world.acme).id
    stale = 0
    for _ in range(25):
        with tenant_scope(world.acme):
            services.assign(user_id=sales.user_id, name="viewer_readonly", by=SYSTEM)
        assert query.get("qa_lead", made, by=sales, tenant=world.acme).id == made
        held = seen(sales, world.acme)
        with tenant_scope(world.acme):
            services.unassign(user_id=sales.user_id, name="viewer_readonly", by=SYSTEM)
        assert seen(sales, world.acme) == held  # negative control: the process still remembers the old rights
        try:
            query.get("qa_lead", made, by=sales, tenant=world.acme)
            stale += 1
        except NotFound:
            pass
    assert stale == 0


def test_breaking_the_glass(desk):
    with pytest.raises(PermissionDenied):
        emergency.break_glass(by=desk.sales, reason="The customer is on the phone")
    services.create_set(
        name="wardens", label="Wardens", by=SYSTEM, body={"systemPermissions": ["break_glass"]}
    )
    services.assign(user_id=desk.sales.user_id, name="wardens", by=SYSTEM)
    for wrong in ({"reason": "short"}, {"reason": "a reason long enough", "minutes": 9_999}):
        with pytest.raises(Invalid):
            emergency.break_glass(by=desk.sales, **wrong)
    assert visible(desk.sales) == set()
    emergency.break_glass(by=desk.sales, reason="The customer is on the phone", minutes=5)
    assert visible(desk.sales) == {"alpha", "beta"}
    assert [row.reason for row in emergency.standing()] == ["The customer is on the phone"]
    event = OutboxEvent.objects.get(type=emergency.BROKEN)
    assert b"The customer is on the phone" in bytes(event.body)
    assert emergency.BROKEN in actions(me(desk.sales))
    walls.put_restriction(name="vault", object_name="qa_lead", operations=["read"], by=desk.actor("owner"))
    with pytest.raises(PermissionDenied):
        visible(desk.sales)
    walls.delete_restriction(name="vault", by=desk.actor("owner"))
    emergency.mend_glass(user_id=desk.sales.user_id, by=desk.actor("owner"))
    assert visible(desk.sales) == set()
    with pytest.raises(Conflict):
        emergency.mend_glass(user_id=desk.sales.user_id, by=desk.sales)


def layer(told, name):
    return next(item for item in told.layers if item.name == name)


def test_explain_names_what_decides(desk):
    owner, lead, alpha = desk.actor("owner"), catalog().object("qa_lead"), desk.ids["alpha"]

    def told(op="read"):
        access = access_for(desk.sales)
        return explain(access, op, lead, judging.judge("qa_lead", alpha, by=desk.manager)(access))

    assert not told().allowed
    assert told().layers[-1].verdict == "denies"
    sharing.share("qa_lead", alpha, principal="everyone", level=Level.READ, by=desk.manager)
    assert told().allowed
    assert [part.holds for part in layer(told(), "sharing").parts] == [True]
    assert not told("edit").allowed
    rules.put_rule(
        name="hot",
        object_name="qa_lead",
        criteria="status == 'new'",
        principal="everyone",
        level=Level.EDIT,
        by=owner,
    )
    assert told("edit").allowed
    assert {part.name for part in layer(told("edit"), "sharing").parts if part.holds} == {"hot"}
    walls.put_restriction(
        name="vip_only",
        object_name="qa_lead",
        operations=["read"],
        criteria="vip",
        principal=me(desk.sales),
        by=owner,
    )
    wall = layer(told(), "restriction")
    assert wall.verdict == "denies"
    assert "vip_only" in wall.detail
    assert told().reason == wall.detail
    assert layer(told("edit"), "read").verdict == "denies"
    wire = wall.as_dict()
    assert wire["record"]["rules"] == [{"kind": "restriction", "name": "vip_only", "effect": "excludes"}]
    shown = as_filter(access_for(desk.sales).predicate("read", lead), access_for(desk.sales).subject)
    assert {"owner_id": str(desk.sales.user_id)} in shown["$and"][0]["$or"]
    assert {"vip": True} in shown["$and"]


def test_explain_and_the_compiler_never_disagree(desk):
    """The verdict is the compiler's own; a denial always has a layer that says so, and a permission none."""
    owner, lead = desk.actor("owner"), catalog().object("qa_lead")
    sharing.share("qa_lead", desk.ids["beta"], principal="everyone", level=Level.EDIT, by=desk.manager)
    walls.put_restriction(
        name="w", object_name="qa_lead", operations=["edit"], criteria="status == 'new'", by=owner
    )
    for person in ("owner", "sales", "manager", "reader"):
        access = access_for(desk.actor(person))
        for name in ("alpha", "beta"):
            row = judging.judge("qa_lead", desk.ids[name], by=desk.manager)(access)
            for op in ("read", "edit", "delete", "purge", "transfer", "export"):
                told = explain(access, op, lead, row)
                assert told.allowed == (bool(access.can(op, lead)) and access.holds(op, lead, row))
                assert told.allowed == (not any(item.verdict == "denies" for item in told.layers))


def test_what_if_and_the_smallest_grant(desk):
    owner, lead, alpha = desk.actor("owner"), catalog().object("qa_lead"), desk.ids["alpha"]
    look = judging.judge("qa_lead", alpha, by=desk.manager)
    people = [desk.user(name) for name in ("sales", "manager", "reader")]
    groups.put_group(name="crew", kind="team", label="Crew", by=owner)
    groups.join(name="crew", user_id=desk.sales.user_id, by=owner)
    share = proposals.Proposal("share", principal="team:crew", level=1)
    assert proposals.gains(share, "read", lead, look, people) == [desk.sales.user_id]
    assert proposals.gains(share, "edit", lead, look, people) == []
    give = proposals.Proposal("give", "qa_manager", group="crew")
    assert proposals.gains(give, "delete", lead, look, people) == [desk.sales.user_id]
    found = proposals.suggest(desk.sales.user_id, "read", lead, look, list(catalog()))
    assert found[0].proposal.kind == "share"
    assert [item.cost for item in found] == sorted(item.cost for item in found)
    assert visible(desk.sales) == set()  # nothing was written
    for item in found:  # each suggestion does what it says when it is really made
        if item.proposal.kind == "assign":
            services.assign(user_id=desk.sales.user_id, name=item.proposal.name, by=SYSTEM)
            assert "alpha" in visible(desk.sales)
            services.unassign(user_id=desk.sales.user_id, name=item.proposal.name, by=SYSTEM)


def test_the_matrix_changes_only_when_rights_do(desk):
    def rows():
        return [row.as_dict() for row in matrix.of_members([desk.sales.user_id], list(catalog()))]

    before = rows()
    assert before == rows()
    lead = before[0]["objects"]["qa_lead"]
    assert lead["records"]["read"] == "own"
    assert "secret_note" in lead["hidden"]
    services.assign(user_id=desk.sales.user_id, name="viewer_readonly", by=desk.actor("owner"))
    assert rows()[0]["objects"]["qa_lead"]["records"]["read"] == "all"
    sets = {row.name: row for row in matrix.of_sets(list(catalog()))}
    assert dict(sets["admin_full_access"].cells[0].levels)["purge"] == "all"
