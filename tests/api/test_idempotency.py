"""`Idempotency-Key`: one effect and one answer, whatever a nervous client and a dying server do."""

import datetime as dt
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections
from django.urls import path
from django.utils import timezone

from apps.api import answers, idempotency
from apps.api.door import Door
from apps.api.models import IdempotencyAnswer
from apps.audit import ledger
from apps.core.errors import Invalid
from apps.core.scope import platform_scope, tenant_scope
from tests.api.conftest import caller

EFFECT = "test.effect"
inside = threading.Event()
go_on = threading.Event()


class Effect(Door):
    """Leaves one ledger row a call; says which."""

    def post(self, call):
        if call.body.get("wait"):
            inside.set()
            go_on.wait(10)
        if call.body.get("refuse"):
            raise Invalid("No.")
        ledger.record(EFFECT, by=call.actor, target=f"test:{call.body['mark']}")
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id()::text")
            number = cursor.fetchone()[0]
        return answers.send({"number": number}, status=201, headers={"ETag": f'"{number}"', "X-Other": "no"})


class Deaf(Effect):
    """The control: a door that does not listen to the key."""

    replays = False


urlpatterns = [path("api/effect", Effect.as_view()), path("api/deaf", Deaf.as_view())]


@pytest.fixture(autouse=True)
def routes(serving):
    inside.clear()
    go_on.clear()
    with serving(urlpatterns):
        yield


def effects(ref, mark):
    with tenant_scope(ref), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM public.audit_pending WHERE target = %s", [f"test:{mark}"])
        return cursor.fetchone()[0]


def post(who, mark, key="k-1", path_="/api/effect", **more):
    headers = {"HTTP_IDEMPOTENCY_KEY": key} if key else {}
    return who.post(path_, {"mark": mark, **more}, **headers)


def test_the_second_call_gets_the_first_answer(owner, acme):
    first, second = post(owner, "twice"), post(owner, "twice")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert second["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert second["ETag"] == first["ETag"]
    assert "X-Other" not in second.headers
    assert effects(acme, "twice") == 1


def test_without_a_key_there_are_two_effects(owner, acme):
    post(owner, "plain", key=None)
    post(owner, "plain", key=None)
    assert effects(acme, "plain") == 2


def test_a_door_that_does_not_listen_has_two_effects(owner, acme):
    post(owner, "deaf", path_="/api/deaf")
    post(owner, "deaf", path_="/api/deaf")
    assert effects(acme, "deaf") == 2


def test_the_key_with_another_body_is_refused(owner, acme):
    post(owner, "body", key="k-body")
    answer = owner.post("/api/effect", {"mark": "other"}, HTTP_IDEMPOTENCY_KEY="k-body")
    assert (answer.status_code, answer.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    again = owner.post("/api/effect?x=1", {"mark": "body"}, HTTP_IDEMPOTENCY_KEY="k-body")
    assert again.status_code == 422
    assert effects(acme, "other") == 0


def test_keys_of_others_are_others(owner, sales, keys, acme, globex):
    other = caller("globex", keys["owner@globex"])
    numbers = {post(who, "others", key="shared").json()["number"] for who in (owner, sales, other)}
    assert len(numbers) == 3
    assert effects(acme, "others") == 2
    assert effects(globex, "others") == 1


def test_a_refusal_is_not_kept(owner, acme):
    refused = post(owner, "later", key="k-refused", refuse=True)
    assert refused.status_code == 400
    assert post(owner, "later", key="k-refused", refuse=True).status_code == 400
    assert post(owner, "later", key="k-refused").status_code == 201
    assert effects(acme, "later") == 1


def test_a_call_while_the_first_runs_is_told_to_wait(owner, acme):
    def slow():
        try:
            return post(owner, "slow", key="k-slow", wait=True)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(slow)
        assert inside.wait(10)
        second = post(owner, "slow", key="k-slow", wait=True)
        go_on.set()
        assert first.result().status_code == 201
    assert (second.status_code, second.json()["code"]) == (409, "IDEMPOTENCY_IN_FLIGHT")
    assert int(second["Retry-After"]) >= 1
    assert post(owner, "slow", key="k-slow", wait=True).content == first.result().content
    assert effects(acme, "slow") == 1


def test_fifty_at_once_have_one_effect(owner, acme):
    start = threading.Barrier(16)

    def one(index):
        try:
            if index < 16:
                start.wait(10)
            return post(owner, "fifty", key="k-fifty")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(one, range(50)))
    assert {answer.status_code for answer in found} <= {201, 409}
    assert len({answer.content for answer in found if answer.status_code == 201}) == 1
    assert effects(acme, "fifty") == 1


def test_fifty_at_once_without_the_key_have_fifty_effects(owner, acme):
    def one(_):
        try:
            return post(owner, "fifty-control", key=None)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(one, range(50)))
    assert effects(acme, "fifty-control") == 50


def test_after_a_day_the_key_is_free_again(owner, acme):
    first = post(owner, "day", key="k-day")
    with tenant_scope(acme):
        IdempotencyAnswer.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))
    assert post(owner, "day", key="k-day").content != first.content
    assert effects(acme, "day") == 2


def test_the_sweep_removes_what_is_over_and_nothing_else(owner, acme):
    post(owner, "sweep", key="k-old")
    with tenant_scope(acme):
        IdempotencyAnswer.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))
    post(owner, "sweep", key="k-new")
    assert idempotency.sweep() >= 1
    with platform_scope("test"):
        left = IdempotencyAnswer.objects.filter(expires_at__lte=timezone.now())
        assert not left.exists()
    assert post(owner, "sweep", key="k-new")["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("key", ["", " ", "x" * 201, "ü", "a b", "a\tb"])
def test_a_key_that_is_none_is_refused(owner, acme, key):
    answer = owner.post("/api/effect", {"mark": "bad"}, HTTP_IDEMPOTENCY_KEY=key or '""')
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")


def test_the_other_tenant_sees_no_answers(owner, acme, globex):
    post(owner, "wall", key="k-wall")
    with tenant_scope(globex):
        assert not IdempotencyAnswer.objects.filter(tenant_id=acme.id).exists()
    with tenant_scope(acme):
        assert IdempotencyAnswer.objects.filter(tenant_id=acme.id).exists()


def test_an_answer_is_json(owner, acme):
    post(owner, "json", key="k-json")
    assert json.loads(post(owner, "json", key="k-json").content)
