"""Operators, sessions, keys, memberships and invitations: each deed calls its service and leaves an entry."""

import os
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.identity.models import ApiKey, Invitation, Membership, User
from apps.identity.services import invitations, members
from apps.identity.services.keys import create_key
from tests.console.conftest import change_page, deed_page, sign_in
from tests.people import People


@pytest.fixture
def acme(people: People) -> TenantRef:
    return people.tenants["acme"]


@pytest.fixture
def newcomer(acme: TenantRef) -> Membership:
    """A member of this test alone."""
    with tenant_scope(acme):
        email = f"new-{os.urandom(4).hex()}@acme.test"
        made = members.create_member(email=email, name="Nora New", password=People.password, by=SYSTEM)
        return Membership.objects.select_related("user").get(pk=made.pk)


def reload(row: Any) -> Any:
    with platform_scope("tests of the console"):
        return type(row).objects.filter(pk=row.pk).first()


def test_an_operator_is_made_granted_a_tenant_and_dismissed(
    superuser: Client, people: People, entries: Any, work: Any
) -> None:
    email = f"otto-{os.urandom(4).hex()}@aibos.test"
    answer = superuser.post("/console/people/new/", {"email": email, "name": "Otto Operator"})
    assert answer.status_code == 302, answer.context["form"].errors
    work()
    assert [message for message in mail.outbox if email in message.to], "a link to choose a password"
    with platform_scope("tests of the console"):
        otto = User.objects.get(email=email)
        otto.set_password(People.password)
        otto.save()
    assert (otto.is_staff, otto.is_superuser) == (True, False)
    browser = sign_in(email)
    assert b"Globex" not in browser.get("/console/tenants/tenant/").content
    granted = superuser.post(
        deed_page("identity/user", otto.pk, "grant"), {"tenant": people.tenants["globex"].id}
    )
    assert granted.status_code == 302
    assert b"Globex" in browser.get("/console/tenants/tenant/").content
    assert superuser.post(deed_page("identity/user", otto.pk, "dismiss")).status_code == 302
    assert browser.get("/console/").status_code == 302, "the console is closed at once"
    actions = {entry.action for entry in entries(target=f"user:{otto.pk}")}
    assert {"operator.created", "operator.granted", "operator.dismissed"} <= actions


def test_the_last_superuser_stays(superuser: Client, people: People) -> None:
    olga = people.users["operator"]
    answer = superuser.post(deed_page("identity/user", olga.pk, "dismiss"))
    assert "last superuser" in answer.content.decode()
    assert reload(olga).is_superuser


def test_an_account_is_closed_by_its_typed_name_and_opened_again(
    superuser: Client, newcomer: Membership
) -> None:
    close = deed_page("identity/user", newcomer.user_id, "close")
    assert superuser.post(close, {"typed": "nora new"}).context["form"].errors
    assert reload(newcomer.user).is_active
    assert superuser.post(close, {"typed": "Nora New"}).status_code == 302
    assert not reload(newcomer.user).is_active
    assert superuser.post(deed_page("identity/user", newcomer.user_id, "open")).status_code == 302
    assert reload(newcomer.user).is_active


def test_sessions_are_ended_everywhere(superuser: Client, newcomer: Membership) -> None:
    browser = Client(HTTP_HOST="acme.localhost")
    sent = {"email": newcomer.user.email, "password": People.password}
    assert browser.post("/sign-in", sent).status_code == 302
    assert browser.get("/").status_code == 200
    shown = superuser.get(change_page("identity/user", newcomer.user_id)).content.decode()
    assert "acme.localhost" in shown
    assert superuser.post(deed_page("identity/user", newcomer.user_id, "end-sessions")).status_code == 302
    assert browser.get("/").status_code == 302


def test_a_password_link_goes_to_the_person_and_not_to_the_operator(
    superuser: Client, newcomer: Membership, work: Any
) -> None:
    answer = superuser.post(deed_page("identity/user", newcomer.user_id, "reset"), follow=True)
    work()
    (message,) = [each for each in mail.outbox if newcomer.user.email in each.to]
    link = next(word for word in message.body.split() if word.startswith("http"))
    assert link not in answer.content.decode()


def test_members_are_suspended_changed_and_removed(
    superuser: Client, newcomer: Membership, acme: TenantRef, entries: Any
) -> None:
    page = ("identity/membership", newcomer.pk)
    assert superuser.post(deed_page(*page, "suspend")).status_code == 302
    assert reload(newcomer).state == "suspended"
    assert superuser.post(deed_page(*page, "reactivate")).status_code == 302
    assert superuser.post(deed_page(*page, "role"), {"role": "admin"}).status_code == 302
    assert (reload(newcomer).state, reload(newcomer).role) == ("active", "admin")
    assert superuser.post(deed_page(*page, "remove")).status_code == 302
    assert reload(newcomer) is None
    found = entries(acme, target=f"user:{newcomer.user_id}")
    assert {entry.action for entry in found} >= {"member.suspended", "member.role_changed", "member.removed"}
    assert {entry.actor.kind for entry in found if entry.action != "member.joined"} <= {"operator", "system"}


def test_the_last_owner_of_a_tenant_stays(superuser: Client, people: People, acme: TenantRef) -> None:
    with tenant_scope(acme):
        owner = Membership.objects.get(user=people.users["owner@acme"])
    answer = superuser.post(deed_page("identity/membership", owner.pk, "remove"))
    assert answer.status_code == 200
    assert "last owner" in answer.content.decode()
    assert reload(owner) is not None


def test_people_are_invited_the_link_is_shown_once_and_withdrawn(
    superuser: Client, acme: TenantRef, entries: Any
) -> None:
    email = f"guest-{os.urandom(4).hex()}@example.test"
    invite = deed_page("tenants/tenant", acme.id, "invite")
    assert superuser.post(invite, {"email": email, "role": "member"}).status_code == 302
    with tenant_scope(acme):
        invitation = Invitation.objects.get(email=email)
    shown = superuser.post(deed_page("identity/invitation", invitation.pk, "link"))
    assert "no-store" in shown["Cache-Control"]
    link = shown.context["outcome"].secret
    with tenant_scope(acme):
        assert invitations.read(token=link.rstrip("/").rsplit("/", 1)[-1]).pk == invitation.pk
    assert entries(acme, action="invitation.shown")[0].target == f"invitation:{invitation.pk}"
    assert link not in superuser.get(change_page("identity/invitation", invitation.pk)).content.decode()
    assert superuser.post(deed_page("identity/invitation", invitation.pk, "revoke")).status_code == 302
    assert reload(invitation).status == "revoked"


def test_a_key_is_revoked(superuser: Client, people: People, acme: TenantRef, entries: Any) -> None:
    with tenant_scope(acme):
        made = create_key(name="Website", by=people.actor("owner"))
    page = superuser.get(change_page("identity/apikey", made.row.pk)).content.decode()
    assert made.row.prefix in page
    assert made.key not in page
    assert made.row.secret_hash not in page
    assert superuser.post(deed_page("identity/apikey", made.row.pk, "revoke")).status_code == 302
    with tenant_scope(acme):
        assert ApiKey.objects.get(pk=made.row.pk).revoked_at is not None
    assert entries(acme, target=f"api_key:{made.row.pk}")[0].action == "api_key.revoked"


def test_the_own_password_needs_the_old_one_and_ends_the_other_sessions(superuser: Client) -> None:
    email = f"pia-{os.urandom(4).hex()}@aibos.test"
    with platform_scope("tests of the console"):
        user = User.objects.create_user(email, People.password, is_staff=True, is_superuser=True)
    here, there = sign_in(email), sign_in(email)
    new = "a brand new sentence"
    wrong = here.post("/console/password/", {"current": "wrong", "new": new, "again": new})
    assert "current" in wrong.context["form"].errors
    other = here.post("/console/password/", {"current": People.password, "new": new, "again": "another"})
    assert "again" in other.context["form"].errors
    assert (
        here.post("/console/password/", {"current": People.password, "new": new, "again": new}).status_code
        == 302
    )
    assert here.get("/console/").status_code == 200
    assert there.get("/console/").status_code == 302
    with platform_scope("tests of the console"):
        User.objects.filter(pk=user.pk).update(is_superuser=False, is_staff=False)
