"""The API client's journey: a program with a key, over real HTTP, from discovery to the ledger."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests.journeys.isolation import Side, make_side
from tests.servers import LiveServer

Call = Callable[..., tuple[int, dict[str, str], Any]]


@pytest.fixture(scope="module")
def client_side(database: object) -> Side:
    """The tenant of the client, with the CRM."""
    return make_side("api-client", "harbour")


@pytest.fixture
def call(server: LiveServer, client_side: Side) -> Call:
    """Send JSON with the key to the platform's host: no `*.localhost` name is needed."""

    def send(method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], Any]:
        request = urllib.request.Request(server.url(f"/api/v1{path}"), method=method)
        request.add_header("x-api-key", client_side.key)
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                raw, status, got = answer.read(), answer.status, dict(answer.headers)
        except urllib.error.HTTPError as error:
            raw, status, got = error.read(), error.code, dict(error.headers)
        kind = got.get("content-type", got.get("Content-Type", ""))
        return (
            status,
            {key.lower(): value for key, value in got.items()},
            json.loads(raw) if "json" in kind else raw,
        )

    return send


def test_discovery_names_what_is_served(call: Call) -> None:
    status, headers, body = call("GET", "/discovery")
    assert status == 200
    assert headers["x-request-id"]
    for path in body["routes"].values():
        assert call("GET", path.removeprefix("/api/v1"))[0] != 404 or path.endswith(
            ("/data", "/auth", "/ui", "/i18n", "/analytics")
        )


def test_a_record_from_first_to_last(call: Call) -> None:
    lead = {
        "name": "Zoë Ångström",
        "company": "Ångström AB",
        "expected_value": 12345678.91,
        "interests": ["software"],
    }
    status, _, made = call("POST", "/data/crm_lead", lead, idempotency_key="journey-1")
    assert status == 201
    again = call("POST", "/data/crm_lead", lead, idempotency_key="journey-1")[2]
    assert again == made, "the same key is the same answer, and one record"
    key, record = made["id"], made["record"]
    assert (record["name"], record["expected_value"]) == ("Zoë Ångström", 12345678.91)
    assert call("POST", "/data/crm_lead", {"name": "other"}, idempotency_key="journey-1")[0] == 422

    status, _, changed = call(
        "PATCH", f"/data/crm_lead/{key}", {"city": "Luleå"}, if_match=record["updated_at"]
    )
    assert (status, changed["record"]["city"]) == (200, "Luleå")
    status, _, stale = call("PATCH", f"/data/crm_lead/{key}", {"city": "Umeå"}, if_match=record["updated_at"])
    assert (status, stale["code"]) == (409, "CONCURRENT_UPDATE")
    assert stale["currentRecord"]["city"] == "Luleå"

    status, _, history = call("GET", f"/data/crm_lead/{key}/history")
    assert status == 200
    assert "Luleå" in json.dumps(history, ensure_ascii=False)

    assert call("DELETE", f"/data/crm_lead/{key}")[2]["success"] is True
    assert call("GET", f"/data/crm_lead/{key}")[0] == 404
    assert call("POST", f"/data/crm_lead/{key}/restore")[0] == 200
    assert call("GET", f"/data/crm_lead/{key}")[2]["record"]["city"] == "Luleå"


def test_every_fault_of_a_record_comes_at_once(call: Call) -> None:
    status, _, body = call("POST", "/data/crm_lead", {"name": "", "email": "nonsense", "status": "none"})
    assert (status, body["code"]) == (400, "VALIDATION_FAILED")
    assert {item["field"] for item in body["fields"]} >= {"name", "company", "email", "status"}
    assert call("POST", "/data/crm_lead", {"nope": 1})[2]["code"] == "INVALID_FIELD"
    assert call("GET", "/data/no_such_object")[2]["code"] == "OBJECT_NOT_FOUND"


def test_pages_by_cursor_see_each_record_once(call: Call) -> None:
    rows = [{"full_name": f"Page {number:03}"} for number in range(55)]
    assert call("POST", "/data/crm_contact/createMany", rows)[2]["count"] == 55
    seen: list[str] = []
    after = "*"
    while after:
        ast = {"where": {"full_name": {"$startsWith": "Page "}}, "orderBy": ["full_name"], "limit": 10}
        page = call("POST", "/data/crm_contact/query", ast | {"after": after})[2]
        seen += [row["full_name"] for row in page["records"]]
        after = page.get("nextCursor") if page["hasMore"] else None
    assert seen == [f"Page {number:03}" for number in range(55)]


def test_references_expand_and_groups_count(call: Call, client_side: Side) -> None:
    contact = client_side.ids["crm_contact"]
    record = call("GET", f"/data/crm_contact/{contact}?expand=account")[2]["record"]
    assert record["account"]["name"] == "harbour account"
    ast = {"groupBy": ["status"], "aggregations": [{"function": "count", "alias": "n"}]}
    status, _, body = call("POST", "/data/crm_lead/query", ast)
    assert status == 200
    assert sum(row["n"] for row in body["records"]) >= 1


def test_an_export_is_a_file_without_formulas(call: Call) -> None:
    call("POST", "/data/crm_contact", {"full_name": "=HYPERLINK(1)"})
    status, headers, raw = call("GET", "/data/crm_contact/export?format=csv")
    assert status == 200
    assert "attachment" in headers["content-disposition"]
    assert b"\n=HYPERLINK" not in raw
    assert b",=HYPERLINK" not in raw


def test_what_the_client_did_is_in_the_ledger(call: Call, client_side: Side) -> None:
    from apps.audit import queries
    from apps.audit.sequencer import run_until_empty
    from apps.audit.verify import verify
    from apps.core.scope import tenant_scope

    made = call("POST", "/data/crm_lead", {"name": "Ledger", "company": "Book"})[2]
    with tenant_scope(client_side.ref):
        entry = queries.history(f"crm_lead:{made['id']}")[0]
    assert (entry.action, entry.actor.kind) == ("crm_lead.created", "api_key")
    run_until_empty()
    assert verify(client_side.ref).bad is None


def test_without_a_key_nothing_is_told(server: LiveServer) -> None:
    for path in ("/data/crm_lead", "/meta", "/jobs", "/search?q=a"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(server.url(f"/api/v1{path}"), timeout=30)
        body = json.load(caught.value)
        assert (caught.value.code, body["code"]) == (401, "UNAUTHENTICATED")
