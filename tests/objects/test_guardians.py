"""Guardians: who holds a breaking change, and that docs/schema-changes.md says it as it is."""

import datetime as dt
import re

import pytest
from django.conf import settings
from django.db import connections

from apps.core.actor import SYSTEM
from apps.core.errors import Conflict
from apps.core.scope import tenant_scope
from apps.objects import records
from apps.objects.parse import load_body
from apps.objects.publish import plan_objects, publish_in
from apps.objects.schema import ahead, applying, locking
from apps.objects.schema.guardians import Guardian, guardians

PAGE = (settings.BASE_DIR / "docs" / "schema-changes.md").read_text(encoding="utf-8")
BODY = {"name": "qg_thing", "label": "Thing", "nameField": "name"}
WIDE = load_body(BODY | {"fields": {"name": {"type": "text"}, "size": {"type": "number"}}})
NARROW = load_body(BODY | {"fields": {"name": {"type": "text"}}})
WIDER = load_body(BODY | {"fields": dict(WIDE.body["fields"]) | {"more": {"type": "text"}}})


class Broken(Guardian):
    def objection(self, plan, *, by):
        raise RuntimeError("no answer")


class Asks(Guardian):
    def __init__(self):
        self.asked = []

    def objection(self, plan, *, by):
        self.asked.append((plan.risk, by.kind))
        return "Wait for the review." if len(self.asked) == 1 else None


@pytest.fixture
def thing(fresh_tenant, monkeypatch):
    monkeypatch.setattr(guardians, "_values", {})
    publish_in(fresh_tenant, [WIDE], by=SYSTEM)
    records.create("qg_thing", {"name": "a", "size": 1}, by=SYSTEM, tenant=fresh_tenant)
    return fresh_tenant


def columns(tenant):
    with tenant_scope(tenant), connections["default"].cursor() as cursor:
        cursor.execute('SELECT * FROM "obj_qg_thing" LIMIT 0')
        return {column.name for column in cursor.description}


def test_a_guardian_holds_a_breaking_change_until_it_agrees(thing):
    guardian = guardians.register("review", Asks())
    with pytest.raises(Conflict) as held:
        publish_in(thing, [NARROW], by=SYSTEM, allow_destructive=True)
    assert held.value.code == "SCHEMA_HELD"
    assert held.value.details["guardians"] == {"review": "Wait for the review."}
    assert "size" in columns(thing)
    publish_in(thing, [NARROW], by=SYSTEM, allow_destructive=True)
    assert guardian.asked == [("breaking", "system")] * 2 and "size" not in columns(thing)


def test_one_that_does_not_answer_holds_too(thing):
    guardians.register("broken", Broken())
    with pytest.raises(Conflict) as held:
        publish_in(thing, [NARROW], by=SYSTEM, allow_destructive=True)
    assert held.value.details["guardians"] == {"broken": "It did not answer."}
    publish_in(thing, [WIDER], by=SYSTEM)
    assert "more" in columns(thing), "negative control: a safe change asks nobody"


def test_the_example_of_the_page_is_a_guardian(thing):
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1]
    exec(code, {"Guardian": Guardian, "guardians": guardians, "dt": dt})
    assert [name for name, _guardian in guardians.items()] == ["quiet hours"]


def test_the_figures_of_the_page_are_the_codes():
    assert f"waits {applying.LOCK_TIMEOUT_MS} ms" in PAGE
    assert f"for {applying.PATIENCE:.0f} seconds" in PAGE
    low, high = (round(pause * 1000) for pause in applying.PAUSE)
    assert f"pauses {low} to {high} ms" in PAGE
    assert f"{ahead.BIG:,} records and more" in PAGE
    rates = [f"{locking.PER_SECOND[name]:,}" for name in ("scan", "write", "rewrite")]
    assert f"{rates[0]} records a second to look at, {rates[1]} to index, {rates[2]} to rewrite" in PAGE


def test_the_plan_says_how_long_people_may_wait(thing):
    with tenant_scope(thing):
        told = plan_objects([WIDER]).as_dict()
        text = load_body(BODY | {"fields": {"name": {"type": "text"}, "size": {"type": "text"}}})
        rewriting = plan_objects([text]).as_dict()
    step = told["steps"][0]
    assert (step["class"], step["lock"], step["lockMs"]) == ("safe", "brief", locking.BRIEF_MS)
    assert told["lockMs"] == sum(found["lockMs"] for found in told["steps"])
    assert "rewrite" in {step["lock"] for step in rewriting["steps"]}
    assert locking._milliseconds("rewrite", 500_000) == 10_000 + locking.BRIEF_MS
