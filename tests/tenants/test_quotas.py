"""Plans are enforced: every kind of quota at its limit, one below and one above, and for one tenant alone."""

import json
import threading
from dataclasses import dataclass
from uuid import uuid4

import pytest
from django.db import connections, transaction
from django.test import Client, override_settings

from apps.api import limits
from apps.api.buckets import Limiter
from apps.core.actor import SYSTEM
from apps.core.errors import Invalid, PermissionDenied, Problem
from apps.core.scope import ScopeConflict, TenantRef, platform_scope, tenant_scope
from apps.identity.services import members
from apps.identity.services.keys import create_key
from apps.objects import records
from apps.objects.parse import load_body
from apps.objects.publish import publish_in
from apps.objects.records import tally
from apps.objects.transfer import imports
from apps.portal import logos
from apps.tenants import plans, quotas
from apps.tenants.models import Plan

THING = {
    "name": "qa_thing",
    "label": "Thing",
    "sharingModel": "public_read_write",
    "nameField": "name",
    "fields": {"name": {"type": "text", "required": True, "unique": True}},
}
PART = {
    "name": "qa_part",
    "label": "Part",
    "sharingModel": "public_read_write",
    "nameField": "name",
    "fields": {
        "name": {"type": "text", "required": True},
        "thing": {"type": "master_detail", "reference": "qa_thing", "required": True},
    },
}


@dataclass
class House:
    """A tenant of this test alone, whose plan is the test's to write."""

    ref: TenantRef

    @property
    def code(self) -> str:
        return f"p-{self.ref.slug}"

    def plan(self, **limits: int | None) -> None:
        """Write the tenant's plan and put the tenant on it."""
        with platform_scope("test"):
            plans.save_plan(code=self.code, name="Own", quotas=limits, is_default=False, by=SYSTEM)
            plans.assign_plan(tenant_id=self.ref.id, code=self.code, by=SYSTEM)

    def change(self, **limits: int | None) -> None:
        """Write the plan alone; the tenant stays on it."""
        with platform_scope("test"):
            plans.save_plan(code=self.code, name="Own", quotas=limits, is_default=False, by=SYSTEM)

    def used(self, key: str) -> int:
        with tenant_scope(self.ref):
            return {item.kind.key: item.used for item in quotas.usage(self.ref)}[key]

    def make(self, name: str = "", **more: str) -> str:
        data = {"name": name or uuid4().hex} | more
        return records.create("qa_part" if more else "qa_thing", data, by=SYSTEM, tenant=self.ref).id


@pytest.fixture
def house(fresh_tenant):
    made = House(fresh_tenant)
    yield made
    with platform_scope("test is over"):
        plans.assign_plan(tenant_id=made.ref.id, code="standard", by=SYSTEM)
        Plan.objects.filter(pk=made.code).delete()


@pytest.fixture
def things(house):
    publish_in(house.ref, [load_body(THING), load_body(PART)], by=SYSTEM)
    return house


def refused(key, function, *args, status=403, **more):
    with pytest.raises(Problem) as caught:
        function(*args, **more)
    problem = caught.value
    assert (problem.code, problem.status) == ("QUOTA_EXCEEDED", status), problem
    assert problem.details["quota"] == key
    assert "larger plan" in problem.cure
    return problem


def in_parallel(count, work):
    """Run `work(number)` in threads that start together; return what each returned or the Problem's code."""
    barrier, outcomes = threading.Barrier(count), []

    def run(number):
        barrier.wait(10)
        try:
            outcomes.append(work(number))
        except Problem as problem:
            outcomes.append(problem.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


# -- members ---------------------------------------------------------------------------------------


def test_members(house):
    house.plan(members=3)
    join = lambda name: members.create_member(email=f"{name}@{house.ref.slug}.test", by=SYSTEM)  # noqa: E731
    with tenant_scope(house.ref):
        for name in ("one", "two", "three"):
            join(name)
        assert refused("members", join, "four").details == {"quota": "members", "limit": 3, "used": 3}
    house.change(members=4)
    with tenant_scope(house.ref):
        join("four")
        refused("members", join, "five")
    house.change()
    with tenant_scope(house.ref):
        join("five")
    assert house.used("members") == 5


# -- records ---------------------------------------------------------------------------------------


def test_records(things, globex):
    things.plan(records=3)
    made = [things.make() for _ in range(3)]
    assert refused("records", things.make).details == {"quota": "records", "limit": 3, "used": 3}
    records.update("qa_thing", made[0], {"name": "changed"}, by=SYSTEM, tenant=things.ref)
    records.delete("qa_thing", made[0], by=SYSTEM, tenant=things.ref)
    assert things.used("records") == 2
    things.make()
    refused("records", things.make)
    assert things.used("records") == 3
    with tenant_scope(globex):
        assert tally.used(globex) == 0, "another tenant counts for itself"


def test_a_changed_plan_holds_at_once(things):
    things.plan(records=1)
    things.make()
    refused("records", things.make)
    things.change(records=2)
    things.make()
    refused("records", things.make)
    things.change(records=0)
    refused("records", things.make)
    things.change()
    things.make()
    assert things.used("records") == 3


def test_without_a_limit_nothing_is_refused(things):
    """Negative control: it is the plan that refuses."""
    things.plan(members=1)
    for _ in range(5):
        things.make()
    assert things.used("records") == 5


def test_every_way_to_a_record_is_checked(things):
    things.plan(records=4)
    here = {"by": SYSTEM, "tenant": things.ref}
    first = things.make("first")
    rows = [{"name": uuid4().hex} for _ in range(4)]
    assert refused("records", records.create_many, "qa_thing", rows, **here).details["index"] == 3
    with tenant_scope(things.ref):
        tally.correct(things.ref)
    assert things.used("records") == 1, "the chore gives back what was rolled back"
    records.create_many("qa_thing", rows[:2], **here)
    done = records.batch(
        "qa_thing", "create", [{"data": r} for r in rows[2:]], continue_on_error=True, **here
    )
    assert [row.problem and row.problem.code for row in done.rows] == [None, "QUOTA_EXCEEDED"]
    done = records.batch("qa_thing", "upsert", [{"data": {"name": "x"}}], **here)
    assert done.rows[0].problem.code == "QUOTA_EXCEEDED"
    refused("records", records.clone, "qa_thing", first, {"name": "copy"}, **here)
    records.delete("qa_thing", first, **here)
    second = records.clone("qa_thing", things_one(things), {"name": "copy"}, **here).id
    refused("records", records.restore, "qa_thing", first, **here)
    records.delete("qa_thing", second, **here)
    records.restore("qa_thing", first, **here)
    assert things.used("records") == 4
    refused("records", things.make)


def things_one(house):
    from apps.objects import query

    return query.find("qa_thing", {"limit": 1}, by=SYSTEM, tenant=house.ref).records()[0]["id"]


def test_details_go_and_come_back_with_their_master(things):
    things.plan(records=3)
    master = things.make("master")
    for name in "ab":
        things.make(name, thing=master)
    here = {"by": SYSTEM, "tenant": things.ref}
    records.delete("qa_thing", master, **here)
    assert things.used("records") == 0
    filler = things.make()
    refused("records", records.restore, "qa_thing", master, **here)
    records.delete("qa_thing", filler, **here)
    records.restore("qa_thing", master, **here)
    assert things.used("records") == 3
    refused("records", things.make)


def test_parallel_creates_do_not_overspend(things):
    things.plan(records=20)
    outcomes = in_parallel(8, lambda _n: [_code(things.make) for _ in range(5)])
    made = sum(outcome.count("made") for outcome in outcomes)
    assert made == 20, outcomes
    assert {code for outcome in outcomes for code in outcome} == {"made", "QUOTA_EXCEEDED"}
    assert things.used("records") == 20


def test_without_the_tally_parallel_creates_would_overspend(things, monkeypatch):
    """Negative control: each creator asks first and writes then, as a check outside the statement would."""
    things.plan(records=1)
    barrier = threading.Barrier(4)
    monkeypatch.setattr(quotas, "limit_at", lambda *_: (None,))
    monkeypatch.setattr(quotas, "limit_of", lambda *_: None)

    def ask_then_write(_number):
        with tenant_scope(things.ref):
            room = tally.used(things.ref) < 1
        barrier.wait(10)
        return things.make() if room else "QUOTA_EXCEEDED"

    in_parallel(4, ask_then_write)
    assert things.used("records") == 4


def _code(function):
    try:
        function()
    except Problem as problem:
        return problem.code
    return "made"


def test_the_chore_corrects_what_was_rolled_back_or_written_past_the_services(things):
    things.plan(records=100)
    things.make()
    with tenant_scope(things.ref):
        for _ in range(5):
            records.create("qa_thing", {"name": uuid4().hex}, by=SYSTEM)
        transaction.set_rollback(True)
    assert things.used("records") == 6, "too high until the chore has looked"
    tally.correct_all()
    assert things.used("records") == 1
    with tenant_scope(things.ref), connections["default"].cursor() as cursor:
        cursor.execute("INSERT INTO obj_qa_thing (id, name, created_at, updated_at, version)"
                       " SELECT gen_random_uuid(), 'past ' || n, now(), now(), 1 FROM generate_series(1, 7) n")  # fmt: skip
    tally.correct_all()
    assert things.used("records") == 8


def test_a_writer_under_way_is_not_taken_for_a_rolled_back_one(things):
    things.plan(records=100)
    written, looked, done = threading.Event(), threading.Event(), []

    def write():
        try:
            with tenant_scope(things.ref):
                records.create("qa_thing", {"name": "slow"}, by=SYSTEM)
                written.set()
                looked.wait(20)
            done.append(True)
        finally:
            connections.close_all()

    thread = threading.Thread(target=write)
    thread.start()
    assert written.wait(20)
    tally.correct_all()
    looked.set()
    thread.join(20)
    assert done
    assert things.used("records") == 1


# -- storage ---------------------------------------------------------------------------------------

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
LIMIT = 2**20


def image(size, fill=b"x"):
    return PNG + fill * (size - len(PNG))


@pytest.fixture
def folder(tmp_path):
    with override_settings(MEDIA_ROOT=tmp_path):
        yield tmp_path


def test_storage(house, globex, folder):
    house.plan(storage_mb=1)
    half = logos.LIMIT
    with tenant_scope(house.ref):
        logos.keep(image(half))
        logos.keep(image(half - 1, b"y"))
        refused("storage_mb", logos.keep, image(20, b"z") + b"!!")
        logos.keep(image(half)), "the very same file takes no more room"
        (folder / str(house.ref.id) / "other").write_bytes(b"!")
        assert sum(store.used(house.ref) for _name, store in quotas.stores.items()) == LIMIT
        refused("storage_mb", logos.keep, image(20, b"z"))
    assert house.used("storage_mb") == 1
    house.change(storage_mb=2)
    with tenant_scope(house.ref):
        logos.keep(image(half, b"z"))
    with tenant_scope(globex):
        assert quotas.stores["files"].used(globex) == 0


def test_files_of_imports_are_storage(things, folder):
    things.plan(storage_mb=1)
    content = b"name\n" + b"a" * 600_000
    rows = b"name\n" + b"abcdefghi\n" * 60_000
    with tenant_scope(things.ref):
        upload = lambda data: imports.upload(  # noqa: E731
            object_name="qa_thing", file_name="a.csv", content=data, by=SYSTEM
        )
        upload(rows)
        kept = quotas.stores["imports"].used(things.ref)  # the file, and the seal around it
        assert len(rows) < kept < len(rows) + 100
        refused("storage_mb", upload, rows)
        refused("storage_mb", upload, content)
    things.change()
    with tenant_scope(things.ref):
        upload(rows)


def test_a_dry_run_takes_no_room(things, folder):
    from apps.objects.transfer import jobs
    from tests.objects.test_transfer import Job

    things.plan(records=3)
    with tenant_scope(things.ref):
        run = imports.upload(
            object_name="qa_thing", file_name="a.csv", content=b"name\na\nb\nc\nd\n", by=SYSTEM
        )
        imports.check(run_id=run.id, by=SYSTEM)
    assert jobs.check(Job(things.ref, SYSTEM), run_id=str(run.id)) == {"created": 3, "failed": 1}
    assert things.used("records") == 0
    with tenant_scope(things.ref):
        imports.start(run_id=run.id, by=SYSTEM)
    assert jobs.run(Job(things.ref, SYSTEM), run_id=str(run.id)) == {"created": 3, "failed": 1}
    assert things.used("records") == 3


# -- requests --------------------------------------------------------------------------------------


@pytest.fixture
def limiter(monkeypatch):
    fresh = Limiter(None)
    monkeypatch.setattr(limits, "limiter", lambda: fresh)
    return fresh


def caller(ref, name="ann"):
    with tenant_scope(ref):
        member = members.create_member(email=f"{name}-{uuid4().hex[:6]}@{ref.slug}.test", by=SYSTEM).user
        from apps.identity.services.sign_in import member as actor

        key = create_key(name="test", by=actor(member, ref)).key

    def ask():
        return Client().get("/api/v1/jobs", HTTP_HOST=f"{ref.slug}.localhost", HTTP_X_API_KEY=key)

    return ask


def test_requests(house, limiter):
    house.plan(requests_minute=4)
    first, second = caller(house.ref, "ann"), caller(house.ref, "bob")
    with override_settings(RATE_LIMIT_USER="1000/m", RATE_LIMIT_IP="0/m"):
        answers = [first(), second(), first(), second(), first()]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
    assert answers[0]["RateLimit-Policy"] == '"caller";q=1000;w=60, "tenant";q=4;w=60'
    assert '"tenant";r=3;t=' in answers[0]["RateLimit"]
    body = json.loads(answers[4].content)
    assert (body["code"], body["quota"], body["limit"]) == ("QUOTA_EXCEEDED", "requests_minute", 4)
    assert "larger plan" in body["cure"]
    assert int(answers[4]["Retry-After"]) in range(1, 16)
    assert house.used("requests_minute") == 4


def test_a_larger_plan_opens_the_door_at_once(house, limiter):
    house.plan(requests_minute=1)
    ask = caller(house.ref)
    with override_settings(RATE_LIMIT_USER="1000/m", RATE_LIMIT_IP="0/m"):
        assert [ask().status_code for _ in range(3)] == [200, 429, 429]
        house.change(requests_minute=50)
        # A process that believes the bucket empty may go on refusing for the second it is told to.
        limiter._denies_until = 0.0
        assert ask().status_code == 200
        house.change(requests_minute=0)
        assert ask().status_code == 429
        house.change()
        assert [ask().status_code for _ in range(3)] == [200, 200, 200]


def test_one_tenant_at_fifty_times_its_limit_takes_nothing_from_another(house, limiter, globex, monkeypatch):
    """What is over the limit is refused without one statement; the other tenant is served throughout."""
    house.plan(requests_minute=2)
    noisy, calm = caller(house.ref), caller(globex)
    statements = []

    def count(execute, sql, params, many, context):
        statements.append(sql)
        return execute(sql, params, many, context)

    with override_settings(RATE_LIMIT_USER="100000/m", RATE_LIMIT_IP="0/m"):
        noisy(), noisy()
        seen = []
        for _ in range(20):
            with connections["default"].execute_wrapper(count):
                seen += [noisy().status_code for _ in range(5)]
            seen.append(calm().status_code)
    assert seen.count(429) == 100
    assert seen.count(200) == 20
    assert len(statements) <= 5, "the bucket is asked again now and then, no more"


# -- the plan itself -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong", [{"cows": 3}, {"members": -1}, {"members": "3"}, {"members": True}, {"records": 1.5}]
)
def test_a_plan_with_an_unknown_key_or_no_number_is_refused(platform, wrong):
    with pytest.raises(Invalid) as caught:
        plans.save_plan(code="odd", name="Odd", quotas=wrong, is_default=False, by=SYSTEM)
    assert [item.field for item in caught.value.fields] == list(wrong)


def test_only_operators_write_plans(platform, people):
    with pytest.raises(PermissionDenied):
        plans.save_plan(code="odd", name="Odd", quotas={}, is_default=False, by=people.actor("owner"))


def test_every_kind_is_measured_and_shown(house):
    house.plan(members=2, records=10, storage_mb=5, requests_minute=60)
    with platform_scope("test"):
        shown = quotas.usage(house.ref)
    assert [item.kind.key for item in shown] == list(quotas.KINDS)
    assert [item.limit for item in shown] == [2, 10, 5, 60]
    assert {item.percent for item in shown} == {0}


def test_limits_are_asked_for_in_their_tenants_scope(acme, globex):
    with tenant_scope(acme), pytest.raises(ScopeConflict):
        quotas.limit_of(globex, "records")
