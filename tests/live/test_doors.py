"""Both doors alike: every address of the sockets' process, behind TLS, without a database."""

import pytest
from asgiref.sync import async_to_sync
from django.db import OperationalError

from apps.api.live import look
from apps.core.ids import uuid7
from config import sockets
from tests.live.following import Socket, headers, make_job, session, set_row, streamed
from tests.live.test_events import DOORS as EVENT_DOORS

ACME, GLOBEX = "acme.localhost", "globex.localhost"


def over_socket(job, sent):
    """Return the first thing a socket says: a code, or 200 for a state."""

    async def ask():
        socket = Socket(job, sent)
        assert await socket.open()
        message = await socket._line.receive_output(timeout=10)
        if message["type"] == "websocket.close":
            return message["code"] - 4000
        await socket.leave()
        return 200

    return async_to_sync(ask)()


def over_stream(job, sent):
    return async_to_sync(streamed)(job, sent)[0]


DOORS = {"ws/jobs/<uuid:job_id>": over_socket, "events/jobs/<uuid:job_id>": over_stream}
every_door = pytest.mark.parametrize("ask", DOORS.values(), ids=DOORS)


@pytest.fixture
def cookie(people, acme):
    return session(people.users["sales@acme"], acme, ACME)[0]


@pytest.fixture
def done(people, acme):
    job = make_job(acme, people.actor("sales"))
    set_row(job, state="done")
    return job


QUERY_DOORS = {"ws/graphql", "api/v1/graphql/stream"}  # tests/live/test_queries.py, the same questions


def test_no_address_is_left_out_here():
    served = {str(item.pattern) for item in (*sockets.sockets, *sockets.streams)} - {""}
    assert served == {*DOORS, *EVENT_DOORS, *QUERY_DOORS}


@every_door
def test_isolation(ask, people, globex, done, cookie):
    stranger = session(people.users["owner@globex"], globex, GLOBEX)[0]
    assert (
        ask(done, headers(GLOBEX, cookie=stranger)) == ask(uuid7(), headers(GLOBEX, cookie=stranger)) == 404
    )
    assert ask(done, headers(ACME, cookie=stranger)) == 401
    assert ask(done, headers(GLOBEX, cookie=cookie)) == 401
    assert ask(done, headers(ACME)) == 401
    assert ask(done, headers(ACME, cookie=cookie)) == 200  # negative control: its own


@every_door
def test_behind_tls_the_origin_is_https(ask, done, cookie, settings):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    sent = headers(ACME, cookie=cookie, origin=f"https://{ACME}", x_forwarded_proto="https")
    assert ask(done, sent) == 200


@every_door
def test_a_suspended_tenant_is_closed(ask, people, fresh_tenant):
    from apps.core.actor import SYSTEM
    from apps.core.scope import platform_scope
    from apps.identity.models import Membership
    from apps.tenants import lifecycle
    from apps.tenants.middleware import hosts
    from apps.tenants.states import State

    host, user = f"{fresh_tenant.slug}.localhost", people.users["reader@acme"]
    with platform_scope("test"):
        Membership.objects.create(tenant_id=fresh_tenant.id, user=user, role="owner")
    token = session(user, fresh_tenant, host)[0]
    job = make_job(fresh_tenant, SYSTEM)
    set_row(job, state="done")
    assert ask(job, headers(host, cookie=token)) == 200
    with platform_scope("test"):
        lifecycle.move(tenant_id=fresh_tenant.id, to=State.SUSPENDED, by=SYSTEM, reason="test")
    hosts.clear()
    assert ask(job, headers(host, cookie=token)) == 403


@every_door
def test_without_a_database_nothing_is_told(ask, done, cookie, monkeypatch):
    def broken(*_args, **_named):
        raise OperationalError

    monkeypatch.setattr(look, "_look", broken)
    assert ask(done, headers(ACME, cookie=cookie)) == 503
