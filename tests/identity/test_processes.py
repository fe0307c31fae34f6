"""What one process ends, every other refuses at its next request: a live server beside the test's own process."""

import json
import urllib.error
import urllib.request

import pytest

from apps.core.actor import SYSTEM
from apps.core.scope import tenant_scope
from apps.identity.models import Membership, Session
from apps.identity.services import keys, members, sessions, sign_in, tokens

PASSWORD = "correct horse battery"


def ask(server, tenant, path="auth/me/permissions", **headers):
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}/api/v1/{path}")
    request.add_header("Host", f"{tenant.slug}.localhost")
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@pytest.fixture
def held(acme, at):
    """A member with every credential: headers by name, and what ends each."""
    with tenant_scope(acme):
        user = members.create_member(email="held@acme.test", password=PASSWORD, by=SYSTEM).user
        by = sign_in.member(user, acme)
        key = keys.create_key(name="k", by=by)
        web = sessions.open_session(user=user, place=at(acme), tenant=acme, kind=Session.Kind.WEB)
    place = at(acme)
    api = sign_in.sign_in(email=user.email, password=PASSWORD, place=place)
    pair = tokens.issue(email=user.email, password=PASSWORD, place=place)
    return {
        "by": by,
        "key": ({"x_api_key": key.key}, lambda: keys.revoke_key(key_id=key.row.id, by=by)),
        "session": (
            {"Authorization": f"Bearer {api.token}"},
            lambda: sessions.end_session(session_id=api.session.id, by=by),
        ),
        "cookie": (
            {"Cookie": f"aibos_session={web.token}"},
            lambda: sessions.end_session(session_id=web.session.id, by=by),
        ),
        "access": (
            {"Authorization": f"Bearer {pair.access}"},
            lambda: sessions.end_sessions(user_id=user.id, by=by),
        ),
    }


def test_ending_reaches_every_process_at_once(server, acme, globex, held):
    for name in ("key", "session", "cookie", "access"):
        headers, end = held[name]
        for _ in range(20):  # every thread of the server has it in its cache
            assert ask(server, acme, **headers)[0] == 200, name
        assert ask(server, globex, **headers)[0] in (401, 403), name
        with tenant_scope(acme):
            end()
        assert {ask(server, acme, **headers)[0] for _ in range(20)} == {401}, name


def test_a_role_changes_in_every_process_at_once(server, acme, held):
    headers, _end = held["session"]
    path = "auth/organization/get-active-member"
    assert ask(server, acme, path, **headers)[1]["role"] == "member"
    assert ask(server, acme, "auth/organization/list-invitations", **headers)[0] == 403
    with tenant_scope(acme):
        user = Membership.objects.get(user__email="held@acme.test").user_id
        members.change_role(user_id=user, role="admin", by=SYSTEM)
    assert ask(server, acme, path, **headers)[1]["role"] == "admin"
    assert {ask(server, acme, "auth/organization/list-invitations", **headers)[0] for _ in range(10)} == {200}
