"""Live progress over WebSocket: a job to its end, and whom the door keeps out."""

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from channels.layers import get_channel_layer

from apps.api.live import follow, look
from apps.core.ids import uuid7
from apps.core.scope import tenant_scope
from apps.events.jobs import runner
from apps.events.jobs.herald import group_of, message_of
from apps.identity.services.sessions import end_session
from tests.api.conftest import make_key
from tests.live.following import Socket, headers, later, make_job, session

ACME, GLOBEX = "acme.localhost", "globex.localhost"


@pytest.fixture
def cookie(people, acme):
    """The token of a session of sales at acme's host."""
    return session(people.users["sales@acme"], acme, ACME)[0]


@pytest.fixture
def job(people, acme):
    """A waiting job of sales."""
    return make_job(acme, people.actor("sales"))


def refused(job, sent):
    return async_to_sync(Socket(job, sent).refusal)()


def first_state(job, sent):
    async def ask():
        socket = Socket(job, sent)
        assert await socket.open()
        told = await socket.state()
        await socket.leave()
        return told

    return async_to_sync(ask)()


def test_an_own_job_streams_to_its_end(job, cookie):
    async def watch():
        socket = Socket(job, headers(ACME, cookie=cookie))
        assert await socket.open()
        seen = [await socket.state()]
        await later(job, state="running", done=1, total=4, message="One")
        seen.append(await socket.state())
        await later(job, done=2)
        seen.append(await socket.state())
        await later(job, state="queued", attempt=0)
        seen.append(await socket.state())
        await sync_to_async(runner.drain)(5)
        while seen[-1]["state"] != "done":
            seen.append(await socket.state())
        return seen, await socket.code()

    seen, code = async_to_sync(watch)()
    assert seen[0] == {"id": str(job), "state": "queued", "done": 0, "total": None, "message": ""}
    assert seen[1] | {"id": ""} == {"id": "", "state": "running", "done": 1, "total": 4, "message": "One"}
    assert seen[2]["done"] == 2
    assert seen[-1]["result"] == {"steps": 3}
    assert (seen[-1]["done"], seen[-1]["total"], code) == (3, 3, 1000)


def test_a_call_of_the_herald_makes_it_look_at_once(job, cookie, monkeypatch):
    monkeypatch.setattr(follow, "EVERY", 3600)

    async def watch(*, called):
        socket = Socket(job, headers(ACME, cookie=cookie))
        assert await socket.open()
        await socket.state()
        await later(job, done=7 if called else 8)
        if called:
            await get_channel_layer().group_send(group_of(job), message_of(job))
            told = (await socket.state())["done"]
        else:
            told = await socket.quiet()
        await socket.leave()
        return told

    assert async_to_sync(watch)(called=True) == 7
    assert async_to_sync(watch)(called=False) is True  # negative control: nobody called


def test_a_failure_is_told_with_its_cause(people, acme, job, cookie):
    async def watch():
        socket = Socket(job, headers(ACME, cookie=cookie))
        assert await socket.open()
        await socket.state()
        await later(job, state="failed", error="The file is empty.")
        seen = await socket.state()
        while seen["state"] != "failed" or "error" not in seen:
            seen = await socket.state()
        return seen["error"], await socket.code()

    assert async_to_sync(watch)()[0] == "The file is empty."


def test_a_key_follows_without_an_origin(people, acme, job):
    key = make_key(acme, people.actor("sales"))
    told = first_state(job, headers(ACME, origin=None, x_api_key=key))
    assert told["id"] == str(job)
    assert first_state(job, headers(ACME, origin=None, authorization=f"Bearer {key}")) == told
    narrow = make_key(acme, people.actor("sales"), scopes=("crm_lead:read",))
    assert first_state(job, headers("localhost", origin=None, x_api_key=narrow)) == told


# -- isolation -----------------------------------------------------------------------------------------


def test_a_foreign_job_is_an_absent_job(people, acme, globex, job):
    stranger = session(people.users["owner@globex"], globex, GLOBEX)[0]
    key = make_key(globex, people.actor("owner", "globex"))
    for sent in (headers(GLOBEX, cookie=stranger), headers(GLOBEX, origin=None, x_api_key=key)):
        assert refused(job, sent) == refused(uuid7(), sent) == 4404
    theirs = make_job(globex, people.actor("owner", "globex"))
    assert first_state(theirs, headers(GLOBEX, cookie=stranger))["id"] == str(theirs)


def test_a_colleagues_job_is_an_absent_job_except_for_managers(people, acme, cookie, job):
    reader = session(people.users["reader@acme"], acme, ACME)[0]
    owner = session(people.users["owner@acme"], acme, ACME)[0]
    assert refused(job, headers(ACME, cookie=reader)) == 4404
    assert first_state(job, headers(ACME, cookie=owner))["id"] == str(job)


def test_a_cookie_of_another_host_gives_nothing(people, globex, job, cookie):
    stranger = session(people.users["owner@globex"], globex, GLOBEX)[0]
    assert refused(job, headers(ACME, cookie=stranger)) == 4401
    assert refused(job, headers(GLOBEX, cookie=cookie)) == 4401
    assert refused(job, headers("localhost", cookie=cookie)) == 4401
    assert first_state(job, headers(ACME, cookie=cookie))  # its own host


def test_a_key_of_another_tenant_at_this_host(people, globex, job):
    key = make_key(globex, people.actor("owner", "globex"))
    assert refused(job, headers(ACME, origin=None, x_api_key=key)) == 4403
    assert refused(job, headers(ACME, origin=None, x_api_key="osk_nobody_knows")) == 4401


def test_nobody_and_nowhere(job, cookie):
    assert refused(job, headers(ACME)) == 4401
    assert refused(job, headers("unknown.localhost", cookie=cookie)) == 4404
    assert refused("not-an-id", headers(ACME, cookie=cookie)) == 4404


@pytest.mark.parametrize("origin", ["http://globex.localhost", "https://acme.localhost", "null", None])
def test_a_page_of_another_site_cannot_open_it(job, cookie, origin):
    async def ask():
        return await Socket(job, headers(ACME, cookie=cookie, origin=origin)).open()

    assert async_to_sync(ask)() is False
    assert first_state(job, headers(ACME, cookie=cookie))  # the same cookie from its own page


def test_operators_follow_the_platforms_jobs_and_no_tenants(people, job):
    operator = session(people.users["operator"], None, "localhost")[0]
    sent = headers("localhost", cookie=operator)
    own = make_job(None, people.operator())
    assert first_state(own, sent)["id"] == str(own)
    assert refused(job, sent) == 4404
    assert refused(own, headers(ACME, cookie=operator)) == 4401


def test_a_members_cookie_opens_no_platform_job(people, acme, cookie):
    own = make_job(None, people.operator())
    assert refused(own, headers(ACME, cookie=cookie)) == 4404


def test_a_build_without_its_wall_leaks(people, globex, job, monkeypatch):
    """Negative control: reading in another scope than the caller's, the matrix above turns red."""
    stranger = session(people.users["owner@globex"], globex, GLOBEX)[0]
    wrong = people.tenants["acme"]
    monkeypatch.setattr(look, "tenant_scope", lambda _ref: tenant_scope(wrong))
    assert first_state(job, headers(GLOBEX, cookie=stranger))["id"] == str(job)


def test_a_build_without_its_origin_check_opens(job, cookie, monkeypatch):
    """Negative control."""
    monkeypatch.setattr(look, "check_origin", lambda _request: None)
    assert first_state(job, headers(ACME, cookie=cookie, origin="http://evil.example"))


# -- what ends it --------------------------------------------------------------------------------------


def test_an_ended_session_is_closed(people, acme, job):
    token, session_id = session(people.users["sales@acme"], acme, ACME)

    def end():
        with tenant_scope(acme):
            end_session(session_id=session_id, by=people.actor("sales"))

    async def watch(*, ends):
        socket = Socket(job, headers(ACME, cookie=token))
        assert await socket.open()
        await socket.state()
        if ends:
            await sync_to_async(end)()
            return await socket.code()
        quiet = await socket.quiet()
        await socket.leave()
        return quiet

    assert async_to_sync(watch)(ends=False) is True  # negative control
    assert async_to_sync(watch)(ends=True) == 4401


def test_a_revoked_key_is_closed(people, acme, job):
    from apps.identity.services.keys import create_key, revoke_key

    with tenant_scope(acme):
        made = create_key(name="live", by=people.actor("sales"))

    def revoke():
        with tenant_scope(acme):
            revoke_key(key_id=made.row.id if hasattr(made, "row") else made.id, by=people.actor("sales"))

    async def watch():
        socket = Socket(job, headers(ACME, origin=None, x_api_key=made.key))
        assert await socket.open()
        await socket.state()
        await sync_to_async(revoke)()
        return await socket.code()

    assert async_to_sync(watch)() == 4401


def test_whoever_speaks_is_hung_up_on(job, cookie):
    async def watch():
        socket = Socket(job, headers(ACME, cookie=cookie))
        assert await socket.open()
        await socket.state()
        await socket.say("hello")
        return await socket.code()

    assert async_to_sync(watch)() == 1008


def test_a_quiet_line_beats(job, cookie, monkeypatch):
    monkeypatch.setattr(follow, "HEARTBEAT", 0.0)

    async def watch():
        socket = Socket(job, headers(ACME, cookie=cookie))
        assert await socket.open()
        await socket.state()
        beat = await socket.state()
        await socket.leave()
        return beat

    assert async_to_sync(watch)() == {"heartbeat": True}


def test_only_so_many_at_once_and_places_come_back(job, cookie, monkeypatch):
    monkeypatch.setattr(follow, "MOST_PER_CALLER", 2)
    sent = headers(ACME, cookie=cookie)

    async def crowd():
        held = [Socket(job, sent) for _ in range(2)]
        for socket in held:
            assert await socket.open()
            await socket.state()
        third = await Socket(job, sent).refusal()
        for socket in held:
            await socket.leave()
        return third

    assert async_to_sync(crowd)() == 4429
    assert first_state(job, sent)
    assert follow.crowd._callers.total() == 0


def test_a_dead_layer_only_makes_it_slower(job, cookie, settings):
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": ["redis://127.0.0.1:1/0"]},
        }
    }

    async def watch():
        socket = Socket(job, headers(ACME, cookie=cookie))
        assert await socket.open()
        await socket.state()
        await later(job, done=5)
        told = await socket.state()
        await socket.leave()
        return told["done"]

    assert async_to_sync(watch)() == 5
