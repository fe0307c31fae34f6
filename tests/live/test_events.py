"""Live events: what happens in a tenant, told to whoever may know of it, from where they stopped."""

import datetime as dt
import json
import threading
from contextlib import asynccontextmanager

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.db import connections

from apps.api.live import events as live
from apps.api.live import follow, look, tap
from apps.core.actor import SYSTEM
from apps.core.ids import uuid7
from apps.core.scope import platform_scope, tenant_scope
from apps.events import audience, cursor, log, outbox
from apps.events.log import Place
from apps.events.registry import EventType, event_types, register
from apps.identity.services.sessions import end_session
from apps.objects import records
from config.sockets import application
from tests.api.conftest import make_key
from tests.events.working import clear, until
from tests.live.following import PEERS, Socket, headers, session
from tests.objects.world import published, world  # noqa: F401
from tests.settling import settled

PATIENCE = 40
ACME, GLOBEX = "acme.localhost", "globex.localhost"
PATH = "/api/v1/events/stream"


class Stream:
    """One event stream, read event by event: dicts with id, event and data."""

    def __init__(self, sent, query="", method="GET"):
        scope = {"type": "http", "method": method, "path": PATH, "scheme": "http"}
        self._line = ApplicationCommunicator(
            application, PEERS | scope | {"headers": sent, "query_string": query.encode()}
        )
        self._text = ""

    async def open(self):
        await self._line.send_input({"type": "http.request", "body": b"", "more_body": False})
        return (await self._line.receive_output(timeout=PATIENCE))["status"]

    async def next(self):
        """Return the next event or comment; None at the end."""
        while "\n\n" not in self._text:
            part = await self._line.receive_output(timeout=PATIENCE)
            self._text += part.get("body", b"").decode()
            if not part.get("more_body") and "\n\n" not in self._text:
                return json.loads(self._text) if self._text else None
        block, self._text = self._text.split("\n\n", 1)
        pairs = [line.partition(": ") for line in block.split("\n")]
        found = {name or "comment": value for name, _, value in pairs}
        return found | ({"data": json.loads(found["data"])} if "data" in found else {})

    async def quiet(self):
        return await self._line.receive_nothing(timeout=0.6)

    async def leave(self):
        await self._line.send_input({"type": "http.disconnect"})
        await self._line.wait(timeout=PATIENCE)


@asynccontextmanager
async def following(sent, query=""):
    stream = Stream(sent, query)
    assert await stream.open() == 200
    try:
        yield stream
    finally:
        await stream.leave()


def over_socket(sent, query=""):
    """Return the first thing a socket of events says: a status, or 200 for where it begins."""

    async def ask():
        socket = Socket(None, sent, events=query)
        assert await socket.open()
        message = await socket._line.receive_output(timeout=PATIENCE)
        if message["type"] == "websocket.close":
            return message["code"] - 4000
        await socket.leave()
        return 200

    return async_to_sync(ask)()


def over_stream(sent, query=""):
    async def ask():
        stream = Stream(sent, query)
        status = await stream.open()
        if status == 200:
            await stream.next()
            await stream.leave()
        return status

    return async_to_sync(ask)()


DOORS = {"ws/events": over_socket, "api/v1/events/stream": over_stream}
every_door = pytest.mark.parametrize("ask", DOORS.values(), ids=DOORS)


@pytest.fixture(autouse=True)
def quick(world, monkeypatch):  # noqa: F811
    clear()
    monkeypatch.setattr(live, "EVERY", 0.05)
    monkeypatch.setattr(live, "GAP", 0.0)
    yield
    assert follow.crowd._callers.total() == 0
    assert tap.tap._followers == {}
    until(lambda: not any(thread.name == "event tap" for thread in threading.enumerate()))


@pytest.fixture
def manager(people, acme):
    return headers(ACME, cookie=session(people.users["manager@acme"], acme, ACME)[0], origin=None)


@pytest.fixture
def sales(people, acme):
    return headers(ACME, cookie=session(people.users["sales@acme"], acme, ACME)[0], origin=None)


def create(ref, by, name="A lead", obj="qa_lead", **data):
    key = "title" if obj == "qa_board" else "name"
    with tenant_scope(ref):
        return records.create(obj, {key: name, **data}, by=by).id


def update(ref, by, record, obj="qa_lead", **data):
    with tenant_scope(ref):
        records.update(obj, record, data, by=by)


def told(item):
    """Return what an event says: verb, record, changed fields."""
    data = item["data"]
    return data["type"].rpartition(".")[2], data["data"]["id"], data["data"]["changed"]


def heard(sent, act, count, query=""):
    """Follow, act, and return the next `count` events; then nothing more may come."""
    settled()

    async def ask():
        async with following(sent, query) as stream:
            assert (await stream.next())["event"] == "open"
            await sync_to_async(act)()
            found = [await stream.next() for _ in range(count)]
            await sync_to_async(settled)()
            assert await stream.quiet()
            return found

    return async_to_sync(ask)()


# -- what is told --------------------------------------------------------------------------------------


def test_a_change_is_told_as_a_cloud_event_with_its_cursor(acme, people, manager):
    made = []

    def act():
        made.append(create(acme, people.actor("manager"), company="Sea"))
        update(acme, people.actor("manager"), made[0], company="Land")

    first, second = heard(manager, act, 2)
    assert told(first)[:2] == ("created", made[0])
    assert told(second) == ("updated", made[0], ["company"])
    assert first["data"]["specversion"] == "1.0"
    assert first["data"]["subject"] == f"qa_lead:{made[0]}"
    assert first["data"]["tenant"] == str(acme.id)
    assert first["id"] != second["id"]
    place = cursor.unseal(acme.id, second["id"])
    assert place.id == uuid_of(second)


def uuid_of(item):
    from uuid import UUID

    return UUID(item["data"]["id"])


def test_the_socket_tells_the_same_in_an_envelope(acme, people, manager):
    sent = [*manager, (b"origin", f"http://{ACME}".encode())]

    async def ask():
        socket = Socket(None, sent, events="subject=qa_lead:*")
        assert await socket.open()
        first = await socket.state()
        made = await sync_to_async(create)(acme, people.actor("manager"))
        told = await socket.state()
        await socket.leave()
        return first, made, told

    first, made, item = async_to_sync(ask)()
    assert first["open"]["heartbeat"] == live.HEARTBEAT
    assert cursor.unseal(acme.id, first["cursor"]) is not None
    assert item["event"]["data"]["id"] == made
    assert cursor.unseal(acme.id, item["cursor"]) is not None


def test_only_what_is_asked_for_is_told(acme, people, manager):
    boss = people.actor("manager")
    one = create(acme, boss)

    def act():
        create(acme, boss)
        create(acme, boss, "Board", "qa_board")
        update(acme, boss, one, company="X")

    assert [told(item)[0] for item in heard(manager, act, 1, "types=*.updated")] == ["updated"]
    assert len(heard(manager, lambda: create(acme, boss), 1, "types=*.updated,*.created")) == 1


def test_one_record_or_one_kind(acme, people, manager):
    boss = people.actor("manager")
    one, two = create(acme, boss), create(acme, boss)

    def act(value):
        update(acme, boss, one, company=value)
        update(acme, boss, two, company=value)
        create(acme, boss, "Board", "qa_board")

    assert [told(item)[1] for item in heard(manager, lambda: act("X"), 1, f"subject=qa_lead:{two}")] == [two]
    assert [told(item)[1] for item in heard(manager, lambda: act("Y"), 2, "subject=qa_lead:*")] == [one, two]


@pytest.mark.parametrize(
    "query",
    [
        "subject=qa_lead",
        "subject=qa_lead:1",
        "subject=qa_lead:zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz",
        "types=A",
        "types=" + ",".join(["a"] * 21),
        "types=a&types=b",
        "limit=3",
    ],
)
@every_door
def test_what_cannot_be_meant_is_refused(ask, people, acme, manager, query):
    assert ask([*manager, (b"origin", f"http://{ACME}".encode())], query) == 400


# -- who may know of it --------------------------------------------------------------------------------


def test_a_hidden_record_is_not_told_of(acme, people, sales):
    """Leads are private: sales hears of their own and of none of the manager's; the cursor does not tell either."""
    boss, own = people.actor("manager"), people.actor("sales")

    def act():
        create(acme, boss)
        create(acme, own, "Mine")
        create(acme, boss)

    (item,) = heard(sales, act, 1)
    assert item["data"]["actor"].endswith(own.id)


def test_a_build_without_its_rows_rule_tells(acme, people, sales, monkeypatch):
    """Negative control: without the predicate the hidden records are told of."""
    monkeypatch.setattr("apps.objects.audience._visible", lambda _obj, ids, _access: ids)
    assert len(heard(sales, lambda: create(acme, people.actor("manager")), 1)) == 1


def test_a_hidden_field_is_not_told_of(acme, people, sales):
    own, boss = people.actor("sales"), people.actor("owner")
    lead = create(acme, own)

    def act():
        update(acme, boss, lead, secret_note="nobody's business")
        update(acme, boss, lead, secret_note="still not", company="Seen")

    (item,) = heard(sales, act, 1)
    assert told(item) == ("updated", lead, ["company"])
    assert "secret_note" not in json.dumps(item)


def test_a_build_that_cuts_nothing_tells_hidden_fields(acme, people, sales, monkeypatch):
    """Negative control."""
    own, boss = people.actor("sales"), people.actor("owner")
    lead = create(acme, own)
    monkeypatch.setattr("apps.objects.audience._cut", lambda event, _name, _access: event)
    (item,) = heard(sales, lambda: update(acme, boss, lead, secret_note="x"), 1)
    assert told(item)[2] == ["secret_note"]


def test_rights_are_asked_anew_for_every_event(acme, people, sales):
    own, boss = people.actor("sales"), people.actor("owner")
    lead = create(acme, own)

    def act():
        update(acme, boss, lead, company="Seen")
        update(acme, boss, lead, owner_id=str(boss.user_id))
        update(acme, boss, lead, company="Unseen")

    async def ask():
        async with following(sales) as stream:
            await stream.next()
            await sync_to_async(update)(acme, boss, lead, company="Seen")
            first = told(await stream.next())
            await sync_to_async(update)(acme, boss, lead, owner_id=str(boss.user_id))
            await sync_to_async(update)(acme, boss, lead, company="Unseen")
            return first, await stream.quiet()

    assert async_to_sync(ask)() == (("updated", lead, ["company"]), True)


def test_a_deleted_record_is_told_to_those_who_could_read_it(acme, people, sales):
    own, boss = people.actor("sales"), people.actor("owner")
    mine, theirs = create(acme, own), create(acme, boss)

    def act():
        with tenant_scope(acme):
            records.delete("qa_lead", theirs, by=boss)
            records.delete("qa_lead", mine, by=own)

    (item,) = heard(sales, act, 1)
    assert told(item)[:2] == ("deleted", mine)


def test_data_beyond_the_plain_facts_are_for_readers_of_the_ledger(acme, people, sales, manager, own_types):
    own = people.actor("sales")
    lead = create(acme, own)

    def act():
        with tenant_scope(acme):
            outbox.emit("qa.lead.scored", subject=f"qa_lead:{lead}", data={"secret_note": "x"}, by=SYSTEM)

    assert heard(sales, act, 0) == []
    owner = headers(ACME, cookie=session(people.users["owner@acme"], acme, ACME)[0], origin=None)
    (item,) = heard(owner, act, 1)
    assert item["data"]["data"] == {"secret_note": "x"}


@pytest.fixture
def own_types():
    before = dict(event_types._values)
    register(EventType("qa.lead.scored", "A score.", {"type": "object"}))
    yield
    event_types._values.clear()
    event_types._values.update(before)


def test_what_nobody_judges_is_nobodys(acme, people, own_types, monkeypatch):
    monkeypatch.delitem(audience.audiences._values, "*")
    owner = headers(ACME, cookie=session(people.users["owner@acme"], acme, ACME)[0], origin=None)

    def act():
        with tenant_scope(acme):
            outbox.emit("qa.lead.scored", data={}, by=SYSTEM)

    assert heard(owner, act, 0) == []


def test_causes_that_may_be_hidden_are_not_named(acme, people, manager):
    def act():
        token = outbox.cause.set(uuid7())
        try:
            create(acme, people.actor("manager"))
        finally:
            outbox.cause.reset(token)

    (item,) = heard(manager, act, 1)
    assert "causationid" not in item["data"]


def test_a_key_hears_only_of_what_the_api_serves_and_its_scopes_allow(acme, people):
    boss = people.actor("manager")
    key = make_key(acme, boss, scopes=("qa_board:read",))
    wide = make_key(acme, boss)

    def act():
        create(acme, boss)
        create(acme, boss, "Board", "qa_board")

    assert len(heard(headers(ACME, origin=None, x_api_key=wide), act, 2)) == 2
    (item,) = heard(headers(ACME, origin=None, x_api_key=key), act, 1)
    assert item["data"]["subject"].startswith("qa_board:")


# -- tenants -------------------------------------------------------------------------------------------


def test_isolation(acme, globex, people, manager):
    boss, stranger = people.actor("manager"), people.actor("owner", "globex")

    def act():
        create(globex, stranger)
        create(acme, boss, "Ours")
        create(globex, stranger)

    (item,) = heard(manager, act, 1)
    assert item["data"]["tenant"] == str(acme.id)


def test_a_build_without_its_wall_leaks(acme, globex, people, manager, monkeypatch):
    """Negative control: reading another tenant's log, the follower hears of it."""
    real = log.after
    monkeypatch.setattr(live.log, "after", lambda _ref, place, **more: real(globex, place, **more))
    monkeypatch.setattr(live, "_seen", lambda _tenant, events, _identity: events)
    (item,) = heard(manager, lambda: create(globex, people.actor("owner", "globex")), 1)
    assert item["data"]["tenant"] == str(globex.id)


@every_door
def test_who_is_kept_out(ask, people, acme, globex):
    cookie = session(people.users["sales@acme"], acme, ACME)[0]
    stranger = session(people.users["owner@globex"], globex, GLOBEX)[0]
    operator = session(people.users["operator"], None, "localhost")[0]
    assert ask(headers(ACME)) == 401
    assert ask(headers(ACME, cookie=stranger)) == 401
    assert ask(headers(GLOBEX, cookie=cookie)) == 401
    assert ask(headers("unknown.localhost", cookie=cookie)) == 404
    assert ask(headers("localhost", cookie=operator)) == 400  # no tenant
    assert ask(headers(ACME, origin=None, x_api_key=make_key(globex, people.actor("owner", "globex")))) == 403
    assert ask(headers(ACME, cookie=cookie)) == 200  # negative control: its own


@every_door
def test_a_suspended_tenant_is_closed(ask, people, fresh_tenant):
    from apps.identity.models import Membership
    from apps.tenants import lifecycle
    from apps.tenants.middleware import hosts
    from apps.tenants.states import State

    host, user = f"{fresh_tenant.slug}.localhost", people.users["reader@acme"]
    with platform_scope("test"):
        Membership.objects.create(tenant_id=fresh_tenant.id, user=user, role="owner")
    token = session(user, fresh_tenant, host)[0]
    assert ask(headers(host, cookie=token)) == 200
    with platform_scope("test"):
        lifecycle.move(tenant_id=fresh_tenant.id, to=State.SUSPENDED, by=SYSTEM, reason="test")
    hosts.clear()
    assert ask(headers(host, cookie=token)) == 403


@every_door
def test_a_page_of_another_site_cannot_open_it(ask, people, acme):
    cookie = session(people.users["sales@acme"], acme, ACME)[0]
    sent = headers(ACME, cookie=cookie, origin="http://evil.example")
    if ask is over_stream:
        assert ask(sent) == 403
    else:
        assert async_to_sync(Socket(None, sent, events="").open)() is False


@every_door
def test_without_a_database_nothing_is_told(ask, people, acme, monkeypatch):
    from django.db import OperationalError

    def broken(*_args, **_named):
        raise OperationalError

    monkeypatch.setattr(live, "_view", broken)
    assert ask(headers(ACME, cookie=session(people.users["sales@acme"], acme, ACME)[0])) == 503


def test_the_session_that_ends_ends_the_stream(acme, people):
    token, session_id = session(people.users["sales@acme"], acme, ACME)

    def end():
        with tenant_scope(acme):
            end_session(session_id=session_id, by=people.actor("sales"))

    async def ask(*, ends):
        stream = Stream(headers(ACME, cookie=token, origin=None))
        assert await stream.open() == 200
        await stream.next()
        if not ends:
            quiet = await stream.quiet()
            await stream.leave()
            return quiet
        await sync_to_async(end)()
        return await stream.next()

    assert async_to_sync(ask)(ends=False) is True  # negative control
    said = async_to_sync(ask)(ends=True)
    assert said == {"event": "refused", "data": {"code": "UNAUTHENTICATED", "status": 401}}


# -- going on where it ended ---------------------------------------------------------------------------


def resumed(sent, last, count):
    """Return the first event of a stream that goes on from `last`, and `count` more."""

    async def ask():
        async with following([*sent, (b"last-event-id", last.encode())]) as stream:
            return [await stream.next() for _ in range(count + 1)]

    return async_to_sync(ask)()


def test_nothing_is_lost_or_told_twice_between_two_connections(acme, people, manager):
    boss = people.actor("manager")
    made = []
    (first,) = heard(manager, lambda: made.append(create(acme, boss)), 1)
    made += [create(acme, boss) for _ in range(3)]
    settled()
    opened, *rest = resumed(manager, first["id"], 3)
    assert opened["event"] == "open"
    assert [told(item)[1] for item in rest] == made[1:]
    assert async_to_sync(_quiet_after)(manager, rest[-1]["id"])


async def _quiet_after(sent, last):
    async with following([*sent, (b"last-event-id", last.encode())]) as stream:
        await stream.next()
        return await stream.quiet()


def test_an_event_of_a_slow_transaction_is_not_passed_over(acme, people, manager):
    """The follower goes by what is settled: an event with a lower id that commits later is told all the same."""
    from concurrent.futures import ThreadPoolExecutor
    from threading import Event as Flag

    boss, written, go = people.actor("manager"), Flag(), Flag()

    def slow():
        try:
            with tenant_scope(acme):
                made = records.create("qa_lead", {"name": "Slow"}, by=boss).id
                written.set()
                go.wait(20)
                return made
        finally:
            connections.close_all()

    async def ask():
        async with following(manager) as stream:
            await stream.next()
            with ThreadPoolExecutor(1) as pool:
                late = pool.submit(slow)
                await sync_to_async(written.wait)(10)
                quick = await sync_to_async(create)(acme, boss, "Quick")
                held = await stream.quiet()
                go.set()
                found = {told(await stream.next())[1], told(await stream.next())[1]}
                return held, found == {quick, await sync_to_async(late.result)()}

    assert async_to_sync(ask)() == (True, True)


def test_a_heartbeat_moves_the_cursor_and_dispatches_nothing(acme, people, sales, monkeypatch):
    monkeypatch.setattr(live, "HEARTBEAT", 0.1)

    async def ask():
        async with following(sales) as stream:
            opened = await stream.next()
            await sync_to_async(create)(acme, people.actor("manager"))  # hidden from sales
            beats = [await stream.next() for _ in range(12)]
            return opened, beats

    opened, beats = async_to_sync(ask)()
    assert all(set(beat) <= {"comment", "id", ""} for beat in beats)
    before, after = (cursor.unseal(acme.id, text) for text in (opened["id"], beats[-1]["id"]))
    assert after > before


@pytest.mark.parametrize("kind", ["old", "foreign", "garbage", "another tenant's", "another cluster's"])
def test_a_cursor_that_leads_nowhere_asks_to_read_again(acme, globex, people, manager, settings, kind):
    old = Place(3, _id_at(dt.datetime.now(dt.UTC) - dt.timedelta(days=settings.EVENTS_KEEP_DAYS, hours=1)))
    text = {
        "old": cursor.seal(acme.id, old),
        "foreign": "x" * 54,
        "garbage": "a/b?",
        "another tenant's": cursor.seal(globex.id, log.now(globex)),
        "another cluster's": cursor.seal(acme.id, Place(1 << 60, uuid7())),
    }[kind]

    async def ask():
        async with following([*manager, (b"last-event-id", text.encode())]) as stream:
            first = await stream.next()
            made = await sync_to_async(create)(acme, people.actor("manager"))
            return first, made, await stream.next()

    first, made, then = async_to_sync(ask)()
    assert first["event"] == "reload"
    assert (first["data"]["code"], first["data"]["status"]) == ("CURSOR_EXPIRED", 410)
    assert told(then)[1] == made  # and it goes on from now
    fresh = cursor.seal(acme.id, log.now(acme))
    assert resumed(manager, fresh, 0)[0]["event"] == "open"  # negative control


def _id_at(moment):
    from uuid import UUID

    return UUID(int=(int(moment.timestamp() * 1000) << 80) | (7 << 76))


def test_a_cursor_tells_nothing(acme):
    place = Place(4711, uuid7())
    text = cursor.seal(acme.id, place)
    assert cursor.unseal(acme.id, text) == place
    assert str(place.xid) not in text
    for index in range(0, len(text), 7):
        changed = text[:index] + ("A" if text[index] != "A" else "B") + text[index + 1 :]
        assert cursor.unseal(acme.id, changed) is None


def test_a_slow_caller_holds_a_place_in_the_log_and_no_queue(acme, people, manager, monkeypatch):
    """Three hundred events wait; the follower has read no more pages than it could send."""
    monkeypatch.setattr(live, "PAGE", 10)
    pages, real = [], live.log.after

    def counted(*args, **named):
        page = real(*args, **named)
        pages.append(len(page.events))
        return page

    monkeypatch.setattr(live.log, "after", counted)
    boss = people.actor("manager")
    start = cursor.seal(acme.id, log.now(acme))

    def fill():
        for _ in range(60):
            create(acme, boss)

    fill()
    settled()
    sent, go = [], None

    async def ask():
        import asyncio

        nonlocal go
        go = asyncio.Event()

        async def receive():
            await asyncio.sleep(3600)

        async def send(message):
            sent.append(message)
            if len(sent) == 15:
                await go.wait()  # the caller does not read on

        scope = {"type": "http", "method": "GET", "path": PATH, "scheme": "http", "headers": manager}
        scope |= PEERS | {"query_string": f"after={start}".encode(), "headers": manager}
        task = asyncio.create_task(application(scope, receive, send))
        while len(sent) < 15:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        stuck = sum(pages)
        go.set()
        while len(sent) < 62:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return stuck

    assert async_to_sync(ask)() == 20
    assert sum(pages) == 60


def test_only_so_many_at_once(acme, people, manager, monkeypatch):
    monkeypatch.setattr(follow, "MOST_PER_CALLER", 1)

    async def ask():
        async with following(manager):
            other = Stream(manager)
            status = await other.open()
            await other.next()
            return status

    assert async_to_sync(ask)() == 429


def test_the_bell_makes_it_look_at_once(acme, people, manager, monkeypatch):
    monkeypatch.setattr(live, "EVERY", 3600)
    assert len(heard(manager, lambda: create(acme, people.actor("manager")), 1)) == 1


def test_without_the_tap_it_looks_by_the_clock(acme, people, manager, monkeypatch):
    monkeypatch.setattr(tap.tap, "_wake", lambda _tenants: None)
    assert len(heard(manager, lambda: create(acme, people.actor("manager")), 1)) == 1
    monkeypatch.setattr(live, "EVERY", 3600)
    assert heard(manager, lambda: create(acme, people.actor("manager")), 0) == []  # negative control


def test_other_methods_are_refused(manager):
    async def ask():
        stream = Stream(manager, method="POST")
        return await stream.open(), (await stream.next())["code"]

    assert async_to_sync(ask)() == (405, "METHOD_NOT_ALLOWED")


def test_look_is_shared_with_jobs():
    assert live.arrive is look.arrive
