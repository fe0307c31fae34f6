"""R32: what each credential gives, where, and how fast it stops. Every refusal has its counterpart that works."""

import json
from datetime import timedelta

import pytest
from django.test import override_settings
from django.utils import timezone

from apps.audit.models import Pending
from apps.core.actor import SYSTEM
from apps.core.clock import bump
from apps.core.errors import Problem
from apps.core.scope import platform_scope, tenant_scope
from apps.identity import resolve
from apps.identity.models import ApiKey, Membership, Session, User
from apps.identity.services import keys, members, sessions, sign_in, tokens

PASSWORD = "correct horse battery"


def refused(code, function, *args, **more):
    with pytest.raises(Problem) as caught:
        function(*args, **more)
    assert caught.value.code == code
    return caught.value


@pytest.fixture
def token(people, at):
    """Signs a member in as a program; returns the opaque token."""

    def make(tenant, name="sales", **place):
        email = people.email(name, tenant.slug)
        return sign_in.sign_in(email=email, password=PASSWORD, place=at(tenant, **place)).token

    return make


@pytest.fixture
def key(people):
    def make(tenant, name="sales", **more):
        with tenant_scope(tenant):
            return keys.create_key(name="probe", by=people.actor(name, tenant.slug), **more)

    return make


@pytest.fixture
def web(people, at):
    """Opens a browser's session; returns the cookie's value."""

    def make(tenant, name="sales"):
        with tenant_scope(tenant):
            user = people.users[f"{name}@{tenant.slug}"]
            return sessions.open_session(
                user=user, place=at(tenant), tenant=tenant, kind=Session.Kind.WEB
            ).token

    return make


def test_each_credential_gives_its_member(acme, people, token, key, web, asking, at):
    access = tokens.issue(email=people.email("sales"), password=PASSWORD, place=at(acme)).access
    shown = [
        ("session", {"bearer": token(acme)}, "member"),
        ("key", {"key": key(acme).key}, "api_key"),
        ("key", {"bearer": key(acme).key}, "api_key"),
        ("access", {"bearer": access}, "member"),
        ("cookie", {"cookie": web(acme)}, "member"),
    ]
    for kind, headers, actor_kind in shown:
        for _again in range(2):  # the second one comes from the cache
            identity = resolve.identify(asking(acme, **headers))
            assert identity.kind == kind
            assert identity.actor.kind == actor_kind
            assert identity.actor.user_id == people.users["sales@acme"].id
            assert identity.tenant == acme
            assert identity.role == "member"
            assert identity.from_cookie is (kind == "cookie")


def test_nobody_without_a_credential(acme, asking):
    assert resolve.identify(asking(acme)) is None
    assert resolve.identify(asking(None)) is None


@pytest.mark.parametrize("kind", ["session", "key", "access"])
def test_a_credential_of_one_tenant_is_refused_at_the_other(
    acme, globex, people, token, key, asking, at, kind
):
    email = people.email("sales")
    secret = {
        "session": lambda: token(acme),
        "key": lambda: key(acme).key,
        "access": lambda: tokens.issue(email=email, password=PASSWORD, place=at(acme)).access,
    }[kind]()
    assert resolve.identify(asking(acme, bearer=secret)).tenant == acme  # the negative control
    assert refused("TENANT_MISMATCH", resolve.identify, asking(globex, bearer=secret)).status == 403
    if kind != "session":  # a session is bound to its host besides
        assert resolve.identify(asking(None, bearer=secret)).tenant == acme
        assert resolve.identify(asking(None, bearer=secret, x_tenant="acme")).tenant == acme
        assert resolve.identify(asking(None, bearer=secret, x_tenant=str(acme.id))).tenant == acme
        refused("TENANT_MISMATCH", resolve.identify, asking(None, bearer=secret, x_tenant="globex"))
    refused("TENANT_MISMATCH", resolve.identify, asking(acme, bearer=secret, x_tenant="globex"))
    refused("TENANT_MISMATCH", resolve.identify, asking(acme, bearer=secret, x_tenant="nowhere"))
    with tenant_scope(acme):
        rows = [json.loads(bytes(row.body)) for row in Pending.objects.filter(tenant_id=acme.id)]
    told = [entry["details"] for entry in rows if entry["action"] == "credential.refused"]
    assert told[-1]["host"] == "globex.localhost"
    assert told[-1]["kind"] == kind


def test_inside_a_tenant_scope_another_tenants_credential_is_unknown(acme, globex, token, asking):
    secret = token(acme)
    with tenant_scope(globex):
        refused("INVALID_TOKEN", resolve.identify, asking(globex, bearer=secret))
    with tenant_scope(acme):
        assert resolve.identify(asking(acme, bearer=secret)) is not None


def test_a_session_is_bound_to_its_host(acme, globex, token, web, asking, at):
    cookie, bearer = web(acme), token(acme)
    assert resolve.identify(asking(acme, cookie=cookie)) is not None
    assert resolve.identify(asking(globex, cookie=cookie)) is None
    assert resolve.identify(asking(None, cookie=cookie)) is None
    refused("HOST_MISMATCH", resolve.identify, asking(None, bearer=bearer))


def test_a_cookie_is_no_bearer_token_and_the_other_way_round(acme, token, web, asking):
    refused("INVALID_TOKEN", resolve.identify, asking(acme, bearer=web(acme)))
    assert resolve.identify(asking(acme, cookie=token(acme))) is None


def test_two_headers_at_once_are_refused(acme, token, key, asking):
    refused("AMBIGUOUS_CREDENTIALS", resolve.identify, asking(acme, bearer=token(acme), key=key(acme).key))


@pytest.mark.parametrize("secret", ["osk_abcdefgh_guess", "osk_", "guess", "a.b.c", "x" * 5000, "ey.ey.ey"])
def test_guesses_are_refused(acme, asking, secret):
    with pytest.raises(Problem) as caught:
        resolve.identify(asking(acme, bearer=secret))
    assert caught.value.status == 401


def test_ending_takes_effect_at_the_next_request(acme, people, token, key, asking):
    bearer, made = token(acme), key(acme)
    identity = resolve.identify(asking(acme, bearer=bearer))
    assert resolve.identify(asking(acme, key=made.key)) is not None
    with tenant_scope(acme):
        sessions.end_session(session_id=identity.credential_id, by=identity.actor)
        keys.revoke_key(key_id=made.row.id, by=people.actor("sales"))
    refused("INVALID_TOKEN", resolve.identify, asking(acme, bearer=bearer))
    refused("INVALID_API_KEY", resolve.identify, asking(acme, key=made.key))


def test_without_the_clock_an_ended_session_would_live_on_in_the_cache(acme, token, asking):
    bearer = token(acme)
    identity = resolve.identify(asking(acme, bearer=bearer))
    with tenant_scope(acme):
        Session.objects.filter(pk=identity.credential_id).update(ended_at=timezone.now())
    assert (
        resolve.identify(asking(acme, bearer=bearer)) is not None
    )  # the negative control: nobody moved the clock
    with tenant_scope(acme):
        bump(acme.id)
    refused("INVALID_TOKEN", resolve.identify, asking(acme, bearer=bearer))


def test_nothing_uncommitted_is_cached(acme, token, asking):
    bearer = token(acme)
    identity = resolve.identify(asking(acme, bearer=bearer))
    with pytest.raises(ZeroDivisionError), tenant_scope(acme):
        sessions.end_session(session_id=identity.credential_id, by=identity.actor)
        refused("INVALID_TOKEN", resolve.identify, asking(acme, bearer=bearer))
        raise ZeroDivisionError
    assert resolve.identify(asking(acme, bearer=bearer)) is not None


def test_suspension_and_removal_close_every_door(fresh_tenant, people, at, asking):
    with tenant_scope(fresh_tenant):
        row = members.create_member(email="door@fresh.test", password=PASSWORD, by=SYSTEM)
        actor = sign_in.member(row.user, fresh_tenant)
        key = keys.create_key(name="k", by=actor).key
    place = at(fresh_tenant)
    bearer = sign_in.sign_in(email="door@fresh.test", password=PASSWORD, place=place).token
    access = tokens.issue(email="door@fresh.test", password=PASSWORD, place=place).access
    for secret in (bearer, access, key):
        assert resolve.identify(asking(fresh_tenant, bearer=secret)) is not None
    with tenant_scope(fresh_tenant):
        members.suspend(user_id=row.user_id, by=SYSTEM)
    for secret in (bearer, access, key):
        assert refused_status(asking(fresh_tenant, bearer=secret)) == 401
    with tenant_scope(fresh_tenant):
        members.reactivate(user_id=row.user_id, by=SYSTEM)
    assert resolve.identify(asking(fresh_tenant, bearer=key)) is not None  # keys rest, sessions end
    assert refused_status(asking(fresh_tenant, bearer=bearer)) == 401
    with tenant_scope(fresh_tenant):
        members.remove(user_id=row.user_id, by=SYSTEM)
        members.join(user=row.user, role="member", by=SYSTEM, tenant=fresh_tenant)
    assert (
        refused_status(asking(fresh_tenant, bearer=key)) == 401
    )  # nothing comes back with a second membership


def refused_status(request):
    with pytest.raises(Problem) as caught:
        resolve.identify(request)
    return caught.value.status


def test_expiry_idleness_and_closed_accounts(acme, people, token, key, asking):
    soon = timezone.now() + timedelta(hours=1)
    made = key(acme, expires_at=soon)
    bearer = token(acme, "reader")
    identity = resolve.identify(asking(acme, bearer=bearer))
    assert resolve.identify(asking(acme, key=made.key)).expires_at == soon
    with tenant_scope(acme):
        ApiKey.objects.filter(pk=made.row.id).update(expires_at=timezone.now() - timedelta(seconds=1))
        Session.objects.filter(pk=identity.credential_id).update(
            last_seen_at=timezone.now() - timedelta(days=4)
        )
        bump(acme.id)
    refused("INVALID_API_KEY", resolve.identify, asking(acme, key=made.key))
    refused("INVALID_TOKEN", resolve.identify, asking(acme, bearer=bearer))
    with override_settings(SESSION_IDLE_DAYS=5):
        assert resolve.identify(asking(acme, bearer=bearer)) is not None
    with platform_scope("test"):
        User.objects.filter(pk=identity.user_id).update(is_active=False)
        bump(None)
    with override_settings(SESSION_IDLE_DAYS=5):
        refused("INVALID_TOKEN", resolve.identify, asking(acme, bearer=bearer))
    with platform_scope("test"):
        User.objects.filter(pk=identity.user_id).update(is_active=True)
        bump(None)


def test_a_cached_key_still_expires(acme, key, asking, monkeypatch):
    made = key(acme, expires_at=timezone.now() + timedelta(hours=1))
    assert resolve.identify(asking(acme, key=made.key)) is not None
    later = timezone.now() + timedelta(hours=2)
    monkeypatch.setattr(timezone, "now", lambda: later)
    refused("INVALID_API_KEY", resolve.identify, asking(acme, key=made.key))


def test_several_memberships_choose_by_header_on_the_platforms_host(acme, globex, at, asking):
    with platform_scope("test"):
        user = User.objects.create_user("both@two.test", PASSWORD)
        for tenant in (acme, globex):
            Membership.objects.create(tenant_id=tenant.id, user=user, role="admin")
    made = sign_in.sign_in(email="both@two.test", password=PASSWORD, place=at(None))
    assert made.tenant is None
    assert resolve.identify(asking(None, bearer=made.token)).tenant is None
    assert resolve.identify(asking(None, bearer=made.token, x_tenant="acme")).tenant == acme
    assert resolve.identify(asking(None, bearer=made.token, x_tenant="globex")).tenant == globex
    refused("TENANT_MISMATCH", resolve.identify, asking(acme, bearer=made.token))
    with tenant_scope(globex):
        members.suspend(user_id=user.id, by=SYSTEM)
    refused("TENANT_MISMATCH", resolve.identify, asking(None, bearer=made.token, x_tenant="globex"))
    assert resolve.identify(asking(None, bearer=made.token)).tenant == acme  # the only one left


def test_one_membership_binds_the_session(acme, people, at, asking):
    made = sign_in.sign_in(email=people.email("owner"), password=PASSWORD, place=at(None))
    assert made.tenant == acme
    assert resolve.identify(asking(None, bearer=made.token)).tenant == acme
    refused("TENANT_MISMATCH", resolve.identify, asking(None, bearer=made.token, x_tenant="globex"))


def test_an_operator_belongs_to_no_tenant(acme, people, at, asking):
    made = sign_in.sign_in(email="operator@aibos.test", password=PASSWORD, place=at(None))
    identity = resolve.identify(asking(None, bearer=made.token))
    assert (identity.actor.kind, identity.tenant) == ("operator", None)
    refused("TENANT_MISMATCH", resolve.identify, asking(None, bearer=made.token, x_tenant="acme"))
    refused("TENANT_MISMATCH", resolve.identify, asking(acme, bearer=made.token))


def test_use_is_noted_at_most_once_a_minute(acme, token, key, asking):
    made = key(acme)
    resolve.identify(asking(acme, key=made.key))
    with tenant_scope(acme):
        first = ApiKey.objects.get(pk=made.row.id).last_used_at
    assert first is not None
    resolve.seen.forget()
    resolve.identify(asking(acme, key=made.key))
    with tenant_scope(acme):
        assert ApiKey.objects.get(pk=made.row.id).last_used_at == first
        ApiKey.objects.filter(pk=made.row.id).update(last_used_at=first - timedelta(seconds=61))
    resolve.seen.forget()
    resolve.identify(asking(acme, key=made.key))
    with tenant_scope(acme):
        assert ApiKey.objects.get(pk=made.row.id).last_used_at > first


def test_secrets_are_stored_as_hashes_only(acme, token, key, web):
    secrets = [token(acme), key(acme).key, web(acme)]
    with tenant_scope(acme):
        rows = [*Session.objects.values(), *ApiKey.objects.values()]
    text = str(rows)
    assert all(secret not in text for secret in secrets)
    assert made_prefix(secrets[1]) in text  # the negative control: the prefix is there to be found


def made_prefix(key):
    return key.split("_")[1]
