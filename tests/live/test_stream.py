"""Live progress as server-sent events: the same door, for whoever cannot open a WebSocket."""

import json

import pytest
from asgiref.sync import async_to_sync

from apps.core.ids import uuid7
from tests.api.conftest import make_key
from tests.live.following import headers, make_job, session, set_row, streamed

ACME, GLOBEX = "acme.localhost", "globex.localhost"


@pytest.fixture
def cookie(people, acme):
    return session(people.users["sales@acme"], acme, ACME)[0]


@pytest.fixture
def done(people, acme):
    """A job of sales that has ended."""
    job = make_job(acme, people.actor("sales"))
    set_row(job, state="done", done=2, total=2, result='{"rows": 2}')
    return job


def read(job, sent, method="GET"):
    return async_to_sync(streamed)(job, sent, method)


def code(answer):
    return answer[0], json.loads(answer[1])["code"]


def test_it_ends_with_the_job(done, cookie):
    status, text = read(done, headers(ACME, cookie=cookie, origin=None))
    mark, data = text.removesuffix("\n\n").split("\n")
    assert status == 200
    assert json.loads(data.removeprefix("data: ")) == {
        "id": str(done),
        "state": "done",
        "done": 2,
        "total": 2,
        "message": "",
        "result": {"rows": 2},
    }
    again = headers(ACME, cookie=cookie, origin=None, last_event_id=mark.removeprefix("id: "))
    assert read(done, again) == (204, "")
    older = headers(ACME, cookie=cookie, origin=None, last_event_id="older")
    assert read(done, older) == (status, text)


def test_a_foreign_job_is_an_absent_job(people, globex, done):
    key = make_key(globex, people.actor("owner", "globex"))
    sent = headers(GLOBEX, origin=None, x_api_key=key)
    assert code(read(done, sent)) == code(read(uuid7(), sent)) == (404, "RESOURCE_NOT_FOUND")
    own = make_job(globex, people.actor("owner", "globex"))
    set_row(own, state="done")
    assert read(own, sent)[0] == 200


def test_who_is_kept_out(people, globex, done, cookie):
    stranger = session(people.users["owner@globex"], globex, GLOBEX)[0]
    assert read(done, headers(ACME, origin=None))[0] == 401
    assert read(done, headers(ACME, cookie=stranger, origin=None))[0] == 401
    assert read(done, headers(GLOBEX, cookie=cookie, origin=None))[0] == 401
    assert read(done, headers("unknown.localhost", cookie=cookie, origin=None))[0] == 404
    assert read(done, headers(ACME, cookie=cookie), "POST")[0] == 405
    for more in ({"origin": "http://evil.example"}, {"origin": None, "sec_fetch_site": "same-site"}):
        assert code(read(done, headers(ACME, cookie=cookie, **more))) == (403, "ORIGIN_REFUSED")


def test_the_session_that_ends_ends_the_stream(people, acme, cookie, monkeypatch):
    """The job still waits; the second look finds the session gone."""
    from apps.api.live import follow, look

    job, real, looks = make_job(acme, people.actor("sales")), look.identify, []

    def once(request):
        looks.append(request)
        return real(request) if len(looks) == 1 else None

    monkeypatch.setattr(look, "identify", once)
    status, text = read(job, headers(ACME, cookie=cookie, origin=None))
    assert status == 200
    assert text.endswith('event: refused\ndata: {"code":"UNAUTHENTICATED","status":401}\n\n')
    assert follow.crowd._callers.total() == 0
