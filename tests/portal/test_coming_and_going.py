"""Entries of what people do to their own accounts, through the pages and the API: each exactly one, each by name."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from apps.audit import queries
from apps.core.actor import SYSTEM
from apps.core.scope import platform_scope, tenant_scope
from apps.identity import confirmations
from apps.identity.models import Session, User
from apps.identity.services import members
from apps.identity.services.invitations import invite
from tests.portal.atelier import PASSWORD, Atelier


@pytest.fixture
def person(atelier: Atelier) -> User:
    """A member of this test alone."""
    with tenant_scope(atelier.ref):
        made = members.create_member(
            email=f"{uuid4().hex[:8]}@atelier.test",
            name="Petra Person",
            password=PASSWORD,
            role="member",
            by=SYSTEM,
        )
    with platform_scope("test"):
        return User.objects.get(pk=made.user_id)


def signed_in(atelier: Atelier, user: User) -> Client:
    browser = atelier.client(None)
    assert browser.post("/sign-in", {"email": user.email, "password": PASSWORD}).status_code == 302
    return browser


def post(browser: Client, path: str, body: dict[str, Any]) -> int:
    answer = browser.post(
        path, json.dumps(body), content_type="application/json", HTTP_ORIGIN="http://atelier.localhost"
    )
    assert answer.status_code < 300, answer.content
    return answer.status_code


def told(atelier: Atelier, action: str, target: str | None = None) -> list[Any]:
    with tenant_scope(atelier.ref):
        return list(queries.browse(queries.Filters(action=action, target=target or ""), limit=200).entries)


def test_signing_out_ends_the_session_in_the_ledger(atelier: Atelier, person: User) -> None:
    browser = signed_in(atelier, person)
    before = len(told(atelier, "session.ended"))
    assert browser.post("/sign-out").status_code == 302
    entries = told(atelier, "session.ended")
    assert len(entries) == before + 1
    assert entries[0].actor.label == "Petra Person"


def test_one_of_several_sessions_is_ended(atelier: Atelier, person: User) -> None:
    browser, other = signed_in(atelier, person), signed_in(atelier, person)
    with platform_scope("test"):
        newest = Session.objects.filter(user=person).order_by("-created_at").first()
    assert newest is not None
    before = len(told(atelier, "session.ended"))
    assert browser.post(f"/profile/sessions/{newest.pk}/end").status_code == 302
    assert len(told(atelier, "session.ended")) == before + 1
    assert other.get("/profile").status_code == 302


def test_a_new_password_by_a_link(atelier: Atelier, person: User) -> None:
    token = confirmations.reset_token(person)
    new = "another horse battery staple"
    answer = atelier.client(None).post(f"/reset/{token}", {"password": new, "again": new})
    assert answer.status_code == 302, answer.content.decode()[-2000:]
    assert len(told(atelier, "password.reset", f"user:{person.pk}")) == 1


def test_a_new_password_over_the_api(atelier: Atelier, person: User) -> None:
    browser = atelier.client(None)
    before = len(told(atelier, "password.reset_requested"))
    post(browser, "/api/v1/auth/request-password-reset", {"email": person.email})
    assert len(told(atelier, "password.reset_requested")) == before + 1
    with platform_scope("test"):
        token = confirmations.reset_token(User.objects.get(pk=person.pk))
    post(
        browser,
        "/api/v1/auth/reset-password",
        {"token": token, "newPassword": "another horse battery staple"},
    )
    assert len(told(atelier, "password.reset", f"user:{person.pk}")) == 1


def test_a_new_address_is_asked_for_and_confirmed(atelier: Atelier, person: User) -> None:
    browser = signed_in(atelier, person)
    wanted = f"{uuid4().hex[:8]}@elsewhere.test"
    post(browser, "/api/v1/auth/change-email", {"password": PASSWORD, "newEmail": wanted})
    assert len(told(atelier, "email.change_requested", f"user:{person.pk}")) == 1
    with platform_scope("test"):
        token = confirmations.email_token(User.objects.get(pk=person.pk), wanted)
    post(atelier.client(None), "/api/v1/auth/verify-email", {"token": token})
    (entry,) = told(atelier, "email.changed", f"user:{person.pk}")
    assert wanted not in str(entry), "addresses are not told"


def test_tokens_of_a_program_are_revoked(atelier: Atelier, person: User) -> None:
    browser = atelier.client(None)
    pair = browser.post(
        "/api/v1/auth/token",
        json.dumps({"email": person.email, "password": PASSWORD}),
        content_type="application/json",
    ).json()
    before = len(told(atelier, "session.*"))
    post(browser, "/api/v1/auth/token/revoke", {"refreshToken": pair["refreshToken"]})
    assert len(told(atelier, "session.*")) == before + 1


def test_an_invitation_is_withdrawn(atelier: Atelier) -> None:
    with tenant_scope(atelier.ref):
        made = invite(email=f"{uuid4().hex[:8]}@guest.test", by=atelier.actor("owner"))
    key = made.invitation.pk
    assert atelier.client("owner").post(f"/settings/invitations/{key}/revoke").status_code == 302
    (entry,) = told(atelier, "invitation.revoked", f"invitation:{key}")
    assert entry.actor.label == "Olivia Owner"
