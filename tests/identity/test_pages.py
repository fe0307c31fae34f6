"""Sessions of browsers, through the product's own middlewares around a small page."""

import json
from datetime import timedelta

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import RequestFactory, override_settings
from django.utils import timezone

from apps.audit.models import Pending
from apps.core.clock import bump
from apps.core.errors import Problem
from apps.core.http import RequestMiddleware
from apps.core.scope import platform_scope, tenant_scope
from apps.identity import resolve
from apps.identity.devices import cookie_name, read_device, remember_device
from apps.identity.middleware import IdentityMiddleware, SessionMiddleware
from apps.identity.models import Session
from apps.identity.secrets import digest
from apps.identity.services import accounts, sign_in
from apps.identity.session_store import SessionStore
from apps.tenants.middleware import ScopeMiddleware, TenantMiddleware

PASSWORD = "correct horse battery"


def page(request: HttpRequest) -> HttpResponse:
    """Signs in or out, keeps a note in the session, and tells who asks."""
    if request.path.endswith("/in"):
        try:
            sign_in.enter(request, email=request.GET["email"], password=request.GET["password"])
        except Problem as problem:
            return JsonResponse({"code": problem.code}, status=problem.status)
    if request.path.endswith("/out"):
        logout(request)
    if "note" in request.GET:
        request.session["note"] = request.GET["note"]
    who = str(request.actor.kind) if request.actor else None
    role = request.membership.role if request.membership else None
    name = request.user.email if request.user.is_authenticated else None
    return JsonResponse({"who": who, "role": role, "email": name, "note": request.session.get("note")})


class Browser:
    """Keeps cookies, whatever the host: what a browser would not send is sent here on purpose."""

    handler = staticmethod(
        RequestMiddleware(TenantMiddleware(ScopeMiddleware(SessionMiddleware(IdentityMiddleware(page)))))
    )

    def __init__(self):
        self.cookies, self.response = {}, None

    def get(self, host, path="/", **params):
        request = RequestFactory().get(path, params, headers={"Host": host})
        request.COOKIES.update(self.cookies)
        self.response = self.handler(request)
        for name, morsel in self.response.cookies.items():
            self.cookies[name] = morsel.value
        return json.loads(self.response.content)

    def enter(self, host, email, password=PASSWORD):
        return self.get(host, "/in", email=email, password=password)

    @property
    def key(self):
        return self.cookies.get(settings.SESSION_COOKIE_NAME)


def test_signing_in_and_out(people):
    browser = Browser()
    assert browser.get("acme.localhost")["who"] is None
    browser.enter("acme.localhost", people.email("admin"))
    assert browser.get("acme.localhost") == {
        "who": "member",
        "role": "admin",
        "email": people.email("admin"),
        "note": None,
    }
    key = browser.key
    browser.get("acme.localhost", "/out")
    assert browser.get("acme.localhost")["who"] is None
    browser.cookies[settings.SESSION_COOKIE_NAME] = key
    assert browser.get("acme.localhost")["who"] is None  # the old cookie is dead, not only forgotten


def test_a_browser_is_remembered_as_its_persons(people):
    browser = Browser()
    assert (
        browser.enter("acme.localhost", people.email("sales"), "wrong")["code"] == "INVALID_EMAIL_OR_PASSWORD"
    )
    assert cookie_name() not in browser.cookies
    browser.enter("acme.localhost", people.email("sales"))
    device = browser.cookies[cookie_name()]
    browser.get("acme.localhost", "/out")
    browser.enter("acme.localhost", people.email("sales"))
    assert browser.cookies[cookie_name()] == device
    browser.enter("acme.localhost", people.email("admin"))
    assert browser.cookies[cookie_name()] != device


def test_coming_and_going_is_in_the_ledger(people, acme):
    browser = Browser()
    browser.enter("acme.localhost", people.email("manager"))
    browser.get("acme.localhost", "/out")
    with tenant_scope(acme):
        rows = [json.loads(bytes(row.body)) for row in Pending.objects.filter(tenant_id=acme.id)]
    user = str(people.users["manager@acme"].id)
    mine = [entry["action"] for entry in rows if entry["actor"]["id"] == user]
    assert mine[-2:] == ["session.started", "session.ended"]


def test_the_key_changes_at_sign_in(people, acme):
    browser = Browser()
    browser.get("acme.localhost", note="before")
    fixed = browser.key
    assert fixed
    browser.enter("acme.localhost", people.email("sales"))
    assert browser.key != fixed
    attacker = Browser()
    attacker.cookies[settings.SESSION_COOKIE_NAME] = fixed
    assert attacker.get("acme.localhost")["who"] is None
    assert browser.get("acme.localhost")["note"] == "before"
    with tenant_scope(acme):
        assert Session.objects.get(token_hash=digest(browser.key)).user_id == people.users["sales@acme"].id


def test_a_cookie_of_one_host_is_anonymous_at_every_other(people):
    browser = Browser()
    browser.enter("acme.localhost", people.email("sales"))
    assert browser.get("acme.localhost")["who"] == "member"
    key = browser.key
    for host in ("globex.localhost", "localhost"):
        stolen = Browser()
        stolen.cookies[settings.SESSION_COOKIE_NAME] = key
        assert stolen.get(host, note="mine")["who"] is None
        assert stolen.key != key  # what was written went into a session of its own
    assert browser.get("acme.localhost")["note"] is None


def test_operators_enter_on_the_platforms_host_only(people):
    browser = Browser()
    assert browser.enter("acme.localhost", "operator@aibos.test") == {"code": "INVALID_EMAIL_OR_PASSWORD"}
    assert browser.enter("localhost", people.email("owner")) == {"code": "INVALID_EMAIL_OR_PASSWORD"}
    browser.enter("localhost", "operator@aibos.test")
    assert browser.get("localhost")["who"] == "operator"
    assert browser.get("acme.localhost")["who"] is None


def test_a_changed_password_ends_other_browsers_but_not_this_one(people, acme):
    here, there = Browser(), Browser()
    for browser in (here, there):
        browser.enter("acme.localhost", people.email("reader"))
    user = people.users["reader@acme"]
    with tenant_scope(acme):
        keep = Session.objects.get(token_hash=digest(here.key)).id
        by = sign_in.member(user, acme)
        accounts.change_password(by=by, current=PASSWORD, new="a much better one", session_id=keep)
    assert here.get("acme.localhost", note="still here")["who"] == "member"
    assert here.get("acme.localhost")["note"] == "still here"
    assert there.get("acme.localhost")["who"] is None
    with platform_scope("test"):
        user.refresh_from_db()
        user.set_password(PASSWORD)
        user.save()


def test_an_expired_or_idle_session_is_over(people, acme):
    for change in ({"expires_at": timezone.now()}, {"last_seen_at": timezone.now() - timedelta(days=4)}):
        browser = Browser()
        browser.enter("acme.localhost", people.email("sales"))
        assert browser.get("acme.localhost")["who"] == "member"
        with tenant_scope(acme):
            Session.objects.filter(token_hash=digest(browser.key)).update(**change)
            bump(acme.id)
        assert browser.get("acme.localhost")["who"] is None


def test_old_rows_are_cleared(people, acme):
    browser, fresh = Browser(), Browser()
    for one in (browser, fresh):
        one.enter("acme.localhost", people.email("sales"))
    with tenant_scope(acme):
        old = Session.objects.filter(token_hash=digest(browser.key))
        old.update(expires_at=timezone.now() - timedelta(days=31))
    SessionStore.clear_expired()
    with tenant_scope(acme):
        assert not Session.objects.filter(token_hash=digest(browser.key)).exists()
        assert Session.objects.filter(token_hash=digest(fresh.key)).exists()


def test_the_device_cookie_is_signed_and_names_its_person(people):
    user = people.users["sales@acme"]
    response = HttpResponse()
    remember_device(response, user_id=user.id)
    morsel = response.cookies[cookie_name()]
    assert morsel["httponly"]
    assert morsel["samesite"] == "Lax"
    request = RequestFactory().get("/")
    request.COOKIES[cookie_name()] = morsel.value
    assert read_device(request).startswith(str(user.id))
    request.COOKIES[cookie_name()] = morsel.value[:-1] + ("A" if morsel.value[-1] != "A" else "B")
    assert read_device(request) is None


def test_cookies_in_production_are_bound_to_their_host():
    with override_settings(SESSION_COOKIE_SECURE=True):
        assert cookie_name().startswith("__Host-")
        response = HttpResponse()
        remember_device(response, user_id="x")
        morsel = response.cookies[cookie_name()]
        assert (bool(morsel["secure"]), morsel["path"], morsel["domain"]) == (True, "/", "")


def test_the_backend_lets_operators_in_with_the_same_throttle(people, asking, acme):
    from apps.identity.backend import OperatorBackend

    backend, good = OperatorBackend(), {"username": "operator@aibos.test", "password": PASSWORD}
    with tenant_scope(acme):
        assert backend.authenticate(asking(acme), **good) is None
    with platform_scope("test"):
        assert backend.authenticate(asking(None), **good).is_staff
        assert backend.authenticate(asking(None), username=people.email("owner"), password=PASSWORD) is None
        for _ in range(6):
            assert backend.authenticate(asking(None), **good | {"password": "wrong"}) is None
        assert backend.authenticate(asking(None), **good) is None


def test_recall_needs_no_statement_and_tells_its_clocks(people, acme, asking, at):
    token = sign_in.sign_in(email=people.email("sales"), password=PASSWORD, place=at(acme)).token
    request = asking(acme, bearer=token)
    assert resolve.recall(request) is None
    identity = resolve.identify(request)
    recalled = resolve.recall(request)
    assert recalled == identity
    with tenant_scope(acme) as scope:
        assert (recalled.clock, recalled.platform_clock) == (scope.clock, scope.platform_clock)
        bump(acme.id)
    with tenant_scope(acme) as scope:
        assert recalled.clock != scope.clock
