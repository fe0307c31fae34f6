"""Live queries: a subscription tells its answer at once and again when it has changed, and nothing beyond the rights."""

import json

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from asgiref.testing import ApplicationCommunicator

from apps.api.live import queries
from apps.core.scope import tenant_scope
from apps.identity.services.sessions import end_session
from apps.objects import records
from config.sockets import application
from tests.api.conftest import make_key
from tests.live.following import PEERS, headers, session
from tests.objects.world import published, world  # noqa: F401

PATIENCE = 20
ACME, GLOBEX = "acme.localhost", "globex.localhost"
PROTOCOL = "graphql-transport-ws"
MINE = 'subscription { qa_lead_list(where: {name: {startsWith: "%s"}}, orderBy: [{name: ASC}]) { nodes { name } } }'

pytestmark = pytest.mark.usefixtures("published")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(queries, "EVERY", 0.1)
    monkeypatch.setattr(queries, "GAP", 0.02)


@pytest.fixture
def manager(world, acme):  # noqa: F811
    return headers(ACME, origin=None, x_api_key=make_key(acme, world.actor("manager")))


class Line:
    """One WebSocket that speaks the protocol."""

    def __init__(self, sent, protocols=(PROTOCOL,)):
        scope = {"type": "websocket", "path": "/ws/graphql", "scheme": "ws", "subprotocols": list(protocols)}
        self._line = ApplicationCommunicator(application, PEERS | scope | {"headers": sent})

    async def open(self):
        await self._line.send_input({"type": "websocket.connect"})
        return await self._line.receive_output(timeout=PATIENCE)

    async def ready(self):
        opened = await self.open()
        assert (opened["type"], opened.get("subprotocol")) == ("websocket.accept", PROTOCOL)
        await self.say({"type": "connection_init"})
        assert await self.next() == {"type": "connection_ack"}
        return self

    async def say(self, message):
        text = message if isinstance(message, str) else json.dumps(message)
        await self._line.send_input({"type": "websocket.receive", "text": text})

    async def ask(self, name, query, **payload):
        await self.say({"type": "subscribe", "id": name, "payload": {"query": query, **payload}})

    async def next(self):
        message = await self._line.receive_output(timeout=PATIENCE)
        return json.loads(message["text"]) if message["type"] == "websocket.send" else message["code"]

    async def names(self):
        told = await self.next()
        assert told["type"] == "next", told
        return [row["name"] for row in told["payload"]["data"]["qa_lead_list"]["nodes"]]

    async def quiet(self):
        return await self._line.receive_nothing(timeout=0.6)

    async def leave(self):
        await self._line.send_input({"type": "websocket.disconnect", "code": 1000})
        await self._line.wait(timeout=PATIENCE)


def create(world, name, by="manager"):  # noqa: F811
    with tenant_scope(world.acme):
        return records.create("qa_lead", {"name": name}, by=world.actor(by)).id


def delete(world, record_id):  # noqa: F811
    with tenant_scope(world.acme):
        records.delete("qa_lead", record_id, by=world.actor("manager"))


later, gone = sync_to_async(create), sync_to_async(delete)


def test_an_answer_is_told_again_when_it_has_changed(world, manager):  # noqa: F811
    async def watch():
        line = await Line(manager).ready()
        await line.ask("a", MINE % "Live")
        assert await line.names() == []
        made = await later(world, "Live 1")
        assert await line.names() == ["Live 1"]
        await later(world, "Other")
        assert await line.quiet(), "an answer that is the same is not told"
        await gone(world, made)
        assert await line.names() == []
        await line.say({"type": "complete", "id": "a"})
        await later(world, "Live 2")
        assert await line.quiet()
        await line.leave()

    async_to_sync(watch)()


def test_a_subscription_shows_only_what_its_caller_may_read(world, acme):  # noqa: F811
    """`qa_lead` belongs to its owners: sales hears of their own; the manager, who sees all, is the control."""
    sales = headers(ACME, origin=None, x_api_key=make_key(acme, world.actor("sales")))
    boss = headers(ACME, origin=None, x_api_key=make_key(acme, world.actor("manager")))

    async def watch():
        mine, all_of_it = await Line(sales).ready(), await Line(boss).ready()
        for line in (mine, all_of_it):
            await line.ask("a", MINE % "Seen")
            assert await line.names() == []
        await later(world, "Seen by few")
        assert await all_of_it.names() == ["Seen by few"]
        assert await mine.quiet()
        await later(world, "Seen by sales", "sales")
        assert await mine.names() == ["Seen by sales"]
        for line in (mine, all_of_it):
            await line.leave()

    async_to_sync(watch)()


def test_an_ended_session_hears_no_more(world, acme, people):  # noqa: F811
    token, session_id = session(people.users["owner@acme"], acme, ACME)

    def end():
        with tenant_scope(acme):
            end_session(session_id=session_id, by=people.actor("owner"))

    async def watch():
        line = await Line(headers(ACME, cookie=token)).ready()
        await line.ask("a", MINE % "Ended")
        assert await line.names() == []
        await sync_to_async(end)()
        told = await line.next()
        assert (told["type"], told["payload"][0]["extensions"]["code"]) == ("error", "UNAUTHENTICATED")
        await line.leave()

    async_to_sync(watch)()


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("subscription { nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ me {", "GRAPHQL_PARSE_FAILED"),
        ('mutation { qa_lead_create(data: {name: "x"}) { id } }', "GRAPHQL_MUTATION_ELSEWHERE"),
        ("subscription { " + " ".join(f"a{i}: qa_lead_list {{ totalCount }}" for i in range(21)) + " }", ""),
    ],
)
def test_what_cannot_be_followed_is_an_error_and_the_socket_stays(manager, document, code):
    async def watch():
        line = await Line(manager).ready()
        await line.ask("a", document)
        told = await line.next()
        await line.ask("b", "query { me { name } }")
        after = [await line.next(), await line.next()]
        await line.leave()
        return told, after

    told, after = async_to_sync(watch)()
    assert (told["type"], told["id"]) == ("error", "a")
    assert told["payload"][0]["extensions"]["code"].startswith(code)
    assert [item["type"] for item in after] == ["next", "complete"]


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        (["no json"], 4400),
        ([{"type": "nonsense"}], 4400),
        (["x" * 200_000], 4400),
        ([{"type": "subscribe", "id": "a", "payload": {"query": "{ me { id } }"}}], 4401),
        ([{"type": "connection_init"}, {"type": "connection_init"}], 4429),
        (
            [
                {"type": "connection_init"},
                *[{"type": "subscribe", "id": "a", "payload": {"query": MINE % "x"}}] * 2,
            ],
            4409,
        ),
    ],
)
def test_who_does_not_keep_the_protocol_is_hung_up_on(manager, messages, code):
    async def watch():
        line = Line(manager)
        await line.open()
        for message in messages:
            await line.say(message)
        told = await line.next()
        while isinstance(told, dict):
            told = await line.next()
        return told

    assert async_to_sync(watch)() == code


def test_whom_the_door_keeps_out(world, acme, globex, people):  # noqa: F811
    async def first(sent, protocols=(PROTOCOL,)):
        line = Line(sent, protocols)
        opened = await line.open()
        return opened["type"], opened.get("code") or await line.next()

    token, _ = session(people.users["owner@acme"], acme, ACME)
    key = make_key(globex, people.actor("owner", "globex"))
    asked = {
        "nobody": (headers(ACME), ("websocket.accept", 4401)),
        "a stranger": (headers(ACME, origin=None, x_api_key=key), ("websocket.accept", 4403)),
        "another site": (headers(ACME, cookie=token, origin="http://evil.test"), ("websocket.close", 4403)),
    }
    for sent, expected in asked.values():
        assert async_to_sync(first)(sent) == expected
    assert async_to_sync(first)(headers(ACME, cookie=token), ()) == ("websocket.accept", 4406)


async def streamed(sent, method, query="", body=b""):
    scope = {"type": "http", "method": method, "path": "/api/v1/graphql/stream", "scheme": "http"}
    line = ApplicationCommunicator(
        application, PEERS | scope | {"headers": sent, "query_string": query.encode()}
    )
    await line.send_input({"type": "http.request", "body": body, "more_body": False})
    start = await line.receive_output(timeout=PATIENCE)
    return line, start["status"]


async def part(line):
    return (await line.receive_output(timeout=PATIENCE)).get("body", b"").decode()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_same_as_server_sent_events(world, manager, method):  # noqa: F811
    document = MINE % f"Streamed {method}"

    async def watch():
        query, body = "", b""
        if method == "GET":
            query = f"query={document.replace(' ', '%20')}"
        else:
            body = json.dumps({"query": document}).encode()
        sent = [*manager, (b"content-type", b"application/json")]
        line, status = await streamed(sent, method, query, body)
        assert status == 200
        assert (await part(line)).startswith('event: next\ndata: {"data":{"qa_lead_list":{"nodes":[]}}}')
        await later(world, f"Streamed {method} 1")
        assert f"Streamed {method} 1" in await part(line)
        await line.send_input({"type": "http.disconnect"})
        await line.wait(timeout=PATIENCE)

    async_to_sync(watch)()


def test_a_plain_query_over_a_stream_is_answered_and_complete(manager):
    async def watch():
        line, status = await streamed(manager, "GET", "query={me{name}}")
        parts = [await part(line) for _ in range(3)]
        return status, parts

    status, parts = async_to_sync(watch)()
    assert status == 200
    assert [piece.split("\n")[0] for piece in parts] == ["event: next", "event: complete", ""]


def test_a_stream_that_cannot_begin_is_refused(manager):
    async def ask(method, query="", sent=manager):
        return (await streamed(sent, method, query))[1]

    assert async_to_sync(ask)("GET", "query={nope}") == 400
    assert async_to_sync(ask)("PUT", "query={me{id}}") == 405
    assert async_to_sync(ask)("GET", "query={me{id}}", headers(ACME)) == 401
