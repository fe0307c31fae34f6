"""Privacy over HTTP: erase, hold, keep for so long; and the ledger for other systems."""

import json

import pytest

from tests.api.test_data import LEADS, refused

pytestmark = pytest.mark.usefixtures("api")
ERASURES, HOLDS, RETENTION = "/api/v1/privacy/erasures", "/api/v1/privacy/holds", "/api/v1/privacy/retention"
EXPORT = "/api/v1/ledger/export"


def test_a_record_is_erased(owner):
    lead = owner.post(LEADS, {"name": "Ann"}).json()["id"]
    answer = owner.post(ERASURES, {"subject": f"api_lead:{lead}", "reason": "asked"})
    assert answer.status_code == 201, answer.content
    assert answer.json()["subject"] == f"api_lead:{lead}"
    refused(owner.get(f"{LEADS}/{lead}"), 404, "RECORD_NOT_FOUND")
    assert owner.get(ERASURES).json()["erasures"][0]["reason"] == "asked"


@pytest.mark.parametrize(
    "body", [{}, {"subject": "x"}, {"subject": 1, "reason": "x"}, {"subject": "x", "reason": "x", "more": 1}]
)
def test_what_is_asked_for_wrongly(owner, body):
    refused(owner.post(ERASURES, body), 400, "VALIDATION_FAILED")


def test_holds(owner):
    lead = owner.post(LEADS, {"name": "Ann"}).json()["id"]
    hold = owner.post(HOLDS, {"subject": f"api_lead:{lead}", "reason": "case 17"})
    assert hold.status_code == 201, hold.content
    body = refused(
        owner.post(ERASURES, {"subject": f"api_lead:{lead}", "reason": "asked"}), 409, "LEGAL_HOLD"
    )
    assert body["holds"] == [hold.json()["id"]]
    refused(owner.post(f"{HOLDS}/{hold.json()['id']}/release", {}), 400, "VALIDATION_FAILED")
    released = owner.post(f"{HOLDS}/{hold.json()['id']}/release", {"reason": "closed"}).json()
    assert released["releasedAt"]
    assert owner.post(ERASURES, {"subject": f"api_lead:{lead}", "reason": "asked"}).status_code == 201
    assert hold.json()["id"] in [item["id"] for item in owner.get(HOLDS).json()["holds"]]


def test_retention(owner):
    assert owner.send("PUT", RETENTION, {"days": 365}).json()["days"] == 365
    assert owner.get(RETENTION).json() == {"days": 365, "removedUntil": 0, "removedAt": None}
    for bad in ({"days": 5}, {"days": "30"}, {"days": True}, {}, {"days": 30, "more": 1}):
        refused(owner.send("PUT", RETENTION, bad), 400, "VALIDATION_FAILED")
    assert owner.send("PUT", RETENTION, {"days": None}).json()["days"] is None


def test_who_may_not(sales):
    for answer in (
        sales.get(ERASURES),
        sales.post(ERASURES, {"subject": "user:x", "reason": "x"}),
        sales.post(HOLDS, {"reason": "x"}),
        sales.send("PUT", RETENTION, {"days": 30}),
        sales.get(EXPORT),
    ):
        assert answer.status_code in (400, 403), answer.content
        assert answer.status_code == 403 or "subject" in str(answer.content)


def test_the_ledger_for_other_systems(owner, acme):
    from tests.audit.settling import settle

    owner.post(LEADS, {"name": "Ann"})
    settle(acme)
    answer = owner.get(f"{EXPORT}?limit=3")
    lines = [json.loads(line) for line in answer.content.splitlines()]
    assert [line["seq"] for line in lines] == [1, 2, 3]
    after = answer["X-Next-After"]
    rest = [json.loads(line) for line in owner.get(f"{EXPORT}?after={after}").content.splitlines()]
    assert rest[0]["seq"] == 4
    made = [line for line in rest if line["action"] == "api_lead.created"][-1]
    assert "label" not in made["actor"]
    opened = [
        json.loads(line) for line in owner.get(f"{EXPORT}?after={after}&personal=true").content.splitlines()
    ]
    assert next(line for line in opened if line["id"] == made["id"])["actor"]["label"]
    assert owner.get(f"{EXPORT}?format=cef&limit=1").content.startswith(b"CEF:0|AI-BOS|")
    assert owner.get(f"{EXPORT}?format=rfc5424&limit=1").content.startswith(b"<109>1 ")
    for bad in ("format=xml", "after=x", "limit=0", "limit=1001"):
        refused(owner.get(f"{EXPORT}?{bad}"), 400, "INVALID_QUERY")
    settle(acme)
    told = owner.get(f"{EXPORT}?after={rest[-1]['seq']}").content
    assert b"ledger.exported" in told
