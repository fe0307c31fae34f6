"""Versions of a record over HTTP: list, look, compare, return."""

import pytest

from tests.api.test_data import LEADS, refused

pytestmark = pytest.mark.usefixtures("api")


@pytest.fixture
def lead(owner):
    made = owner.post(LEADS, {"name": "Ann", "score": 60, "amount": 12345678.91}).json()
    address = f"{LEADS}/{made['id']}"
    owner.send("PATCH", address, {"score": 61, "amount": None})
    owner.send("PATCH", address, {"name": "Anna"})
    return address


def test_versions_newest_first_in_pages(owner, lead):
    body = owner.get(f"{lead}/versions").json()
    assert [item["version"] for item in body["versions"]] == [3, 2, 1]
    assert body["versions"][0]["changes"] == [{"field": "name", "before": "Ann", "after": "Anna"}]
    assert body["nextBefore"] is None
    first = owner.get(f"{lead}/versions?limit=2").json()
    rest = owner.get(f"{lead}/versions?limit=2&before={first['nextBefore']}").json()
    assert [item["version"] for item in first["versions"] + rest["versions"]] == [3, 2, 1]
    for bad in ("limit=0", "limit=x", "limit=201", "before=-1", "before=1e3"):
        refused(owner.get(f"{lead}/versions?{bad}"), 400, "INVALID_QUERY")


def test_a_version_is_the_record_as_it_was(owner, lead):
    answer = owner.get(f"{lead}/versions/1")
    body = answer.json()
    assert (body["record"]["name"], body["record"]["score"]) == ("Ann", 60)
    assert b"12345678.91" in answer.content
    assert body["version"]["action"] == "api_lead.created"
    for number in ("4", "0", "x", "1.5", "9" * 30):
        refused(owner.get(f"{lead}/versions/{number}"), 404, "VERSION_NOT_FOUND")


def test_compare(owner, lead):
    body = owner.get(f"{lead}/compare?from=1&to=3").json()
    found = {item["field"]: (item["from"], item["to"]) for item in body["differences"]}
    assert found == {"name": ("Ann", "Anna"), "score": (60, 61), "amount": (12345678.91, None)}
    newest = owner.get(f"{lead}/compare").json()
    assert (newest["from"]["version"], newest["to"]["version"]) == (2, 3)
    assert [item["field"] for item in newest["differences"]] == ["name"]
    refused(owner.get(f"{lead}/compare?from=one"), 400, "INVALID_QUERY")


def test_return_to_a_version(owner, lead):
    body = owner.post(f"{lead}/versions/1/restore", {"fields": ["score", "amount"]}).json()
    assert (body["record"]["score"], body["record"]["amount"], body["record"]["name"]) == (
        60,
        12345678.91,
        "Anna",
    )
    assert (body["restoredVersion"], body["record"]["version"]) == (1, 4)
    assert owner.get(f"{lead}/versions").json()["versions"][0]["restoredVersion"] == 1
    refused(owner.post(f"{lead}/versions/1/restore", {"field": "score"}), 400, "VALIDATION_FAILED")
    stale = owner.send("POST", f"{lead}/versions/1/restore", {}, HTTP_IF_MATCH='"3"')
    refused(stale, 409, "CONCURRENT_UPDATE")


def test_strangers_and_readers(owner, sales, lead):
    for path in ("versions", "versions/1", "compare"):
        refused(sales.get(f"{lead}/{path}"), 404, "RECORD_NOT_FOUND")
    refused(sales.post(f"{lead}/versions/1/restore"), 404, "RECORD_NOT_FOUND")
