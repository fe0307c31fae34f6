"""Members: who may change whom, the last owner, invitations, and the operators above them."""

import threading

import pytest
from django.core import mail
from django.db import OperationalError, connections
from django.test import override_settings
from django.utils import timezone

from apps.audit.models import Pending
from apps.core.actor import SYSTEM
from apps.core.errors import Problem
from apps.core.scope import platform_scope, tenant_scope
from apps.identity import links, mails, queries, rules
from apps.identity.models import Invitation, Membership, Role, User
from apps.identity.services import invitations, members, operators, sessions, sign_in
from apps.identity.services.first_owner import seed_owner
from apps.tenants.models import Plan, Tenant

PASSWORD = "correct horse battery"


def refused(code, function, **more):
    with pytest.raises(Problem) as caught:
        function(**more)
    assert caught.value.code == code, caught.value
    return caught.value


@pytest.fixture
def team(fresh_tenant):
    """A tenant's owner, admin and member as (user, actor)."""
    with tenant_scope(fresh_tenant):
        made = {}
        for role in Role.values:
            email = f"{role}@{fresh_tenant.slug}.test"
            user = members.create_member(email=email, password=PASSWORD, role=role, by=SYSTEM).user
            made[role] = (user, sign_in.member(user, fresh_tenant))
    return fresh_tenant, made


ACTS = {
    "promote the member": lambda team, by: members.change_role(
        user_id=team["member"][0].id, role="admin", by=by
    ),
    "make the member an owner": lambda team, by: members.change_role(
        user_id=team["member"][0].id, role="owner", by=by
    ),
    "demote the owner": lambda team, by: members.change_role(
        user_id=team["owner"][0].id, role="member", by=by
    ),
    "suspend the member": lambda team, by: members.suspend(user_id=team["member"][0].id, by=by),
    "suspend the owner": lambda team, by: members.suspend(user_id=team["owner"][0].id, by=by),
    "remove the admin": lambda team, by: members.remove(user_id=team["admin"][0].id, by=by),
    "invite a member": lambda team, by: invitations.invite(email="x@y.test", by=by),
    "invite an owner": lambda team, by: invitations.invite(email="x@y.test", role="owner", by=by),
    "create a member": lambda team, by: members.create_member(email="x@y.test", password=PASSWORD, by=by),
    "hand over": lambda team, by: members.transfer_ownership(to=team["admin"][0].id, by=by),
}
TABLE = {  # act → what owner, admin and member get: yes, or the code of the refusal
    "promote the member": ("yes", "yes", "PERMISSION_DENIED"),
    "make the member an owner": ("yes", "PERMISSION_DENIED", "PERMISSION_DENIED"),
    "demote the owner": ("LAST_OWNER", "PERMISSION_DENIED", "PERMISSION_DENIED"),
    "suspend the member": ("yes", "yes", "PERMISSION_DENIED"),
    "suspend the owner": ("LAST_OWNER", "PERMISSION_DENIED", "PERMISSION_DENIED"),
    "remove the admin": ("yes", "yes", "PERMISSION_DENIED"),
    "invite a member": ("yes", "yes", "PERMISSION_DENIED"),
    "invite an owner": ("yes", "PERMISSION_DENIED", "PERMISSION_DENIED"),
    "create a member": ("yes", "yes", "PERMISSION_DENIED"),
    "hand over": ("yes", "PERMISSION_DENIED", "PERMISSION_DENIED"),
}


def test_who_may_do_what(team):
    tenant, people = team
    assert set(TABLE) == set(ACTS)
    wrong = {}
    for act, row in TABLE.items():
        for role, expected in zip(("owner", "admin", "member"), row, strict=True):
            got = _try(tenant, ACTS[act], people, people[role][1])
            if got != expected:
                wrong[act, role] = (got, expected)
    assert not wrong


def _try(tenant, act, people, by):
    class Undo(Exception):
        pass

    try:
        with tenant_scope(tenant):
            act(people, by)
            raise Undo
    except Undo:
        return "yes"
    except Problem as problem:
        return problem.code


def test_a_claimed_role_does_not_count(team):
    tenant, people = team
    _user, actor = people["member"]
    liar = type(actor)(**{**actor.__dict__, "role": "owner"})
    with tenant_scope(tenant):
        refused("PERMISSION_DENIED", members.suspend, user_id=people["admin"][0].id, by=liar)
        refused(
            "PERMISSION_DENIED", members.suspend, user_id=people["admin"][0].id, by=_keyed(people["owner"][1])
        )
        members.suspend(user_id=people["admin"][0].id, by=_keyed(people["owner"][1], "members:write"))


def _keyed(actor, *scopes):
    return type(actor)(**{**actor.__dict__, "kind": "api_key", "scopes": frozenset(scopes or ["data:read"])})


def test_a_member_of_another_tenant_is_absent(team, people):
    tenant, team_people = team
    with tenant_scope(tenant):
        for act in (members.suspend, members.remove, members.reactivate):
            refused(
                "RESOURCE_NOT_FOUND", act, user_id=people.users["sales@acme"].id, by=team_people["owner"][1]
            )
        refused(
            "PERMISSION_DENIED",
            members.suspend,
            user_id=team_people["member"][0].id,
            by=people.actor("owner"),
        )


def test_leaving_and_handing_over(team):
    tenant, people = team
    owner, admin = people["owner"], people["admin"]
    with tenant_scope(tenant):
        refused("LAST_OWNER", members.remove, user_id=owner[0].id, by=owner[1])
        members.transfer_ownership(to=admin[0].id, by=owner[1])
        assert queries.membership_of(admin[0].id).role == "owner"
        assert queries.membership_of(owner[0].id).role == "admin"
        members.remove(user_id=owner[0].id, by=owner[1])
        assert queries.membership_of(owner[0].id) is None
        actions = [row["action"] for row in _entries(tenant)]
    assert {"ownership.transferred", "member.removed"} <= set(actions)


def _entries(tenant):
    import json

    return [json.loads(bytes(row.body)) for row in Pending.objects.filter(tenant_id=tenant.id)]


def test_two_owners_cannot_leave_at_once(team):
    tenant, people = team
    second = people["admin"]
    with tenant_scope(tenant):
        members.change_role(user_id=second[0].id, role="owner", by=SYSTEM)
    barrier, outcomes = threading.Barrier(2), []

    def leave(user, actor):
        barrier.wait(5)
        try:
            with tenant_scope(tenant):
                members.remove(user_id=user.id, by=actor)
            outcomes.append("left")
        except Problem as problem:
            outcomes.append(problem.code)
        except OperationalError:  # a deadlock that the database broke is a refusal too
            outcomes.append("deadlock")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=leave, args=who) for who in (people["owner"], (second[0], second[1]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert outcomes.count("left") == 1, outcomes
    with tenant_scope(tenant):
        assert queries.has_owner()


def test_the_plan_limits_active_members(team):
    tenant, people = team
    with platform_scope("test"):
        plan = Plan.objects.create(code="tiny", name="Tiny", quotas={"members": 4})
        Tenant.objects.filter(pk=tenant.id).update(plan=plan)
    with tenant_scope(tenant):
        members.create_member(email="four@t.test", by=SYSTEM)
        assert refused("QUOTA_EXCEEDED", members.create_member, email="five@t.test", by=SYSTEM).status == 403
        members.suspend(user_id=people["member"][0].id, by=SYSTEM)
        members.create_member(email="five@t.test", by=SYSTEM)
        refused("QUOTA_EXCEEDED", members.reactivate, user_id=people["member"][0].id, by=SYSTEM)


def test_parallel_joins_never_exceed_the_plan(team):
    tenant, _people = team
    with platform_scope("test"):
        plan, _made = Plan.objects.get_or_create(
            code="five", defaults={"name": "Five", "quotas": {"members": 5}}
        )
        Tenant.objects.filter(pk=tenant.id).update(plan=plan)
    barrier, outcomes = threading.Barrier(6), []

    def join(number):
        barrier.wait(5)
        try:
            with tenant_scope(tenant):
                members.create_member(email=f"par{number}@t.test", by=SYSTEM)
            outcomes.append("joined")
        except Problem as problem:
            outcomes.append(problem.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=join, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["QUOTA_EXCEEDED"] * 4 + ["joined"] * 2


class TestInvitations:
    def test_the_link_is_mailed_by_a_job_that_holds_no_secret(self, team):
        tenant, people = team
        with tenant_scope(tenant):
            made = invitations.invite(email=" New@Person.Test ", by=people["owner"][1])
            assert made.link == f"http://{tenant.slug}.localhost:8000/invitation/{made.token}"
            from apps.events.models import Job

            job = Job.objects.get(
                name="identity.mail_invitation", args__invitation_id=str(made.invitation.id)
            )
            assert made.token not in str(job.args)
            assert mails.mail_invitation(None, **job.args) == {"sent": True}
        assert mail.outbox[-1].to == ["new@person.test"]
        assert made.link in mail.outbox[-1].body
        with tenant_scope(tenant):
            invitations.revoke(invitation_id=made.invitation.id, by=people["admin"][1])
            assert mails.mail_invitation(None, **job.args) == {"sent": False}

    def test_a_new_person_joins_once(self, team, at, globex):
        tenant, people = team
        with tenant_scope(tenant):
            token = invitations.invite(email="new@join.test", role="admin", by=people["owner"][1]).token
        with tenant_scope(globex):
            refused("INVALID_TOKEN", invitations.read, token=token)
        with tenant_scope(tenant):
            refused(
                "VALIDATION_FAILED",
                invitations.accept,
                token=token,
                password="password",
                name="N",
                place=at(tenant),
            )
            user = invitations.accept(token=token, password="a long new sentence", name="N", place=at(tenant))
            assert queries.membership_of(user.id).role == "admin"
            refused("INVALID_TOKEN", invitations.accept, token=token, password="x" * 9, place=at(tenant))
        assert (
            sign_in.sign_in(email="new@join.test", password="a long new sentence", place=at(tenant)).user
            == user
        )

    def test_somebody_with_an_account_needs_its_password(self, team, at, people):
        tenant, team_people = team
        with tenant_scope(tenant):
            token = invitations.invite(email=people.email("reader"), by=team_people["owner"][1]).token
            more = {"token": token, "place": at(tenant)}
            refused("INVALID_EMAIL_OR_PASSWORD", invitations.accept, password="a long new sentence", **more)
            refused("PERMISSION_DENIED", invitations.accept_as, token=token, by=people.actor("sales"))
            user = invitations.accept(password=PASSWORD, **more)
            assert user == people.users["reader@acme"]
            assert user.check_password(PASSWORD)

    def test_who_is_signed_in_joins_without_a_password(self, team, people):
        tenant, team_people = team
        with tenant_scope(tenant):
            token = invitations.invite(email=people.email("reader"), by=team_people["owner"][1]).token
            assert (
                invitations.accept_as(token=token, by=people.actor("reader")) == people.users["reader@acme"]
            )

    def test_dead_links_all_look_alike(self, team):
        tenant, people = team
        with tenant_scope(tenant):
            used, old, gone = (
                invitations.invite(email=f"{name}@t.test", by=people["owner"][1])
                for name in ("used", "old", "gone")
            )
            Invitation.objects.filter(pk=used.invitation.id).update(accepted_at=timezone.now())
            Invitation.objects.filter(pk=old.invitation.id).update(expires_at=timezone.now())
            invitations.revoke(invitation_id=gone.invitation.id, by=people["owner"][1])
            told = [
                refused("INVALID_TOKEN", invitations.read, token=token).as_dict()
                for token in (used.token, old.token, gone.token, "guess")
            ]
            assert all(body == told[0] for body in told)
            fresh = invitations.invite(email="old@t.test", by=people["owner"][1])  # replaces the expired one
            assert invitations.read(token=fresh.token).email == "old@t.test"

    def test_a_link_can_be_shown_again_to_who_manages(self, team):
        tenant, people = team
        with tenant_scope(tenant):
            made = invitations.invite(email="again@t.test", by=people["owner"][1])
            more = {"invitation_id": made.invitation.id}
            assert invitations.link_of(**more, by=people["admin"][1]) == made.link
            refused("PERMISSION_DENIED", invitations.link_of, **more, by=people["member"][1])
            with override_settings(SECRET_KEY="another-" + "k" * 60):
                refused("RESOURCE_NOT_FOUND", invitations.link_of, **more, by=people["owner"][1])

    def test_members_are_not_invited_again(self, team):
        tenant, people = team
        with tenant_scope(tenant):
            refused(
                "ALREADY_MEMBER", invitations.invite, email=people["member"][0].email, by=people["owner"][1]
            )


class TestOperators:
    def test_only_superusers_make_operators(self, people, platform):
        root = people.operator()
        made = operators.create_operator(email="op@aibos.test", password=PASSWORD, by=root)
        assert (made.is_staff, made.is_superuser) == (True, False)
        for by in (sign_in.member(made, None), people.actor("owner")):
            refused("PERMISSION_DENIED", operators.create_operator, email="op2@aibos.test", by=by)
        refused("ALREADY_OPERATOR", operators.create_operator, email="op@aibos.test", by=root)

    def test_an_operator_acts_on_granted_tenants_only(self, people, platform, acme, globex):
        root = people.operator()
        made = operators.create_operator(email="op3@aibos.test", password=PASSWORD, by=root)
        actor = sign_in.member(made, None)
        assert actor.kind == "operator"
        assert not rules.may_manage_members(actor, acme.id)
        operators.grant_tenant(user_id=made.id, tenant_id=acme.id, by=root)
        assert rules.may_manage_members(actor, acme.id)
        assert not rules.may_manage_members(actor, globex.id)
        assert rules.may_manage_members(root, globex.id)
        operators.withdraw_tenant(user_id=made.id, tenant_id=acme.id, by=root)
        assert not rules.may_manage_members(actor, acme.id)

    def test_only_superusers_end_other_peoples_sessions(self, people, platform):
        user = people.users["sales@globex"]
        limited = sign_in.member(
            operators.create_operator(email="op5@aibos.test", by=people.operator()), None
        )
        for by in (limited, people.actor("owner"), people.actor("owner", "globex")):
            refused("PERMISSION_DENIED", sessions.end_everywhere, user=user, by=by, reason="x")
        sessions.end_everywhere(user=user, by=people.actor("sales", "globex"), reason="mine")
        sessions.end_everywhere(user=user, by=people.operator(), reason="by a superuser")

    def test_the_last_superuser_stays(self, people, platform):
        root = people.operator()
        User.objects.filter(is_superuser=True).exclude(pk=root.user_id).update(is_active=False)
        refused("LAST_SUPERUSER", operators.dismiss_operator, user_id=root.user_id, by=root)
        second = operators.create_operator(email="op4@aibos.test", superuser=True, by=root)
        operators.dismiss_operator(user_id=second.id, by=root)

    def test_an_operator_signs_in_on_the_platforms_host_only(self, people, at, acme):
        good = {"email": "operator@aibos.test", "password": PASSWORD}
        assert sign_in.sign_in(**good, place=at(None)).tenant is None
        refused("INVALID_EMAIL_OR_PASSWORD", sign_in.sign_in, **good, place=at(acme))
        with platform_scope("test"):
            assert sign_in.verify(**good, place=at(None), operators_only=True).is_staff
            refused(
                "INVALID_EMAIL_OR_PASSWORD",
                sign_in.verify,
                email=people.email("sales"),
                password=PASSWORD,
                place=at(None),
                operators_only=True,
            )


def test_a_new_tenants_first_owner_comes_from_its_order(fresh_tenant):
    with tenant_scope(fresh_tenant):
        tenant = Tenant.objects.get(pk=fresh_tenant.id)
        seed_owner(tenant, {}, SYSTEM)
        seed_owner(tenant, {"owner_email": "asked@t.test"}, SYSTEM)
        assert not queries.has_owner()
        assert [(row.email, row.role) for row in queries.open_invitations()] == [("asked@t.test", "owner")]
        seed_owner(tenant, {"owner_email": "first@t.test", "owner_password": PASSWORD}, SYSTEM)
        assert queries.has_owner()
        assert Membership.objects.get(tenant=fresh_tenant.id).role == "owner"


def test_links_name_the_stored_host_never_the_requests(acme, platform):
    assert links.link(None, links.RESET, "t") == "http://localhost:8000/console/reset/t"
    assert links.origin(acme) == "http://acme.localhost:8000"
