"""Definitions over HTTP beyond saving: drafts, history, differences, rollback, layers over a module's objects."""

from copy import deepcopy
from typing import Any
from uuid import uuid4

import pytest

from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef
from apps.objects.parse import load_body
from apps.objects.publish import publish_in
from tests.api.conftest import Caller

pytestmark = pytest.mark.usefixtures("api")
META = "/api/v1/meta"
BASE = {
    "name": "pack_item",
    "label": "Item",
    "sharingModel": "public_read_write",
    "fields": {"name": {"type": "text", "label": "Name"}, "price": {"type": "currency", "label": "Price"}},
}


@pytest.fixture
def own(owner: Caller) -> str:
    """An object of the tenant's own, in two versions."""
    name = f"x_{uuid4().hex[:8]}"
    body: dict[str, Any] = {
        "name": name,
        "label": "Own",
        "fields": {"name": {"type": "text", "label": "Name"}},
    }
    put(owner, name, body)
    body["fields"]["size"] = {"type": "number", "label": "Size"}
    put(owner, name, body)
    return name


@pytest.fixture
def item(acme: TenantRef) -> Any:
    """An object of the module pack, without a layer; gone afterwards."""
    publish_in(acme, [load_body(BASE, module="pack")], by=SYSTEM, module="pack")
    yield "pack_item"
    publish_in(acme, [], by=SYSTEM, module="pack", drop=["pack_item"], allow_destructive=True)


def put(
    who: Caller, name: str, body: Any, query: str = "", status: int = 200, **headers: str
) -> dict[str, Any]:
    answer = who.send("PUT", f"{META}/object/{name}{query}", body, **headers)
    assert answer.status_code == status, answer.content
    return dict(answer.json())


def test_history_audit_and_difference_tell_what_happened(owner: Caller, own: str) -> None:
    first, second = owner.get(f"{META}/object/{own}/history").json()["events"]
    assert (first["op"], first["parentHash"], second["op"]) == ("create", None, "update")
    assert second["parentHash"] == first["hash"]
    entries = owner.get(f"{META}/object/{own}/audit").json()["events"]
    assert [entry["operation"] for entry in entries] == ["updated", "created"]
    assert entries[0]["requestId"]
    told = owner.get(f"{META}/object/{own}/diff").json()
    assert (told["fromVersion"], told["toVersion"]) == (1, 2)
    assert told["added"] == [{"path": "fields.size", "value": {"type": "number", "label": "Size"}}]
    whole = owner.get(f"{META}/object/{own}/diff?from=0&to=1").json()
    assert {"path": "label", "value": "Own"} in whole["added"]


def test_a_rollback_is_a_new_version_and_asks_before_values_are_lost(owner: Caller, own: str) -> None:
    record = owner.post(f"/api/v1/data/{own}", {"name": "x", "size": 3}).json()["id"]
    refused = owner.post(f"{META}/object/{own}/rollback", {"toVersion": 1})
    assert (refused.status_code, refused.json()["code"]) == (409, "DESTRUCTIVE_CHANGE")
    made = owner.post(f"{META}/object/{own}/rollback?force=true", {"toVersion": 1}).json()
    assert (made["seq"], made["restoredFromVersion"]) == (3, 1)
    assert "size" not in owner.get(f"/api/v1/data/{own}/{record}").json()["record"]
    assert owner.get(f"{META}/object/{own}/history").json()["events"][-1]["op"] == "revert"
    assert owner.post(f"{META}/object/{own}/rollback", {"toVersion": True}).status_code == 400


def test_a_draft_is_kept_shown_with_its_plan_and_published(owner: Caller, own: str) -> None:
    body = owner.get(f"{META}/object/{own}/published").json()
    body["fields"]["colour"] = {"type": "text", "label": "Colour"}
    assert put(owner, own, body, "?mode=draft")["state"] == "draft"
    assert "colour" not in owner.get(f"{META}/object/{own}").json()["item"]["fields"]
    assert own in {row["name"] for row in owner.get(f"{META}/_drafts").json()["drafts"]}
    draft = owner.get(f"{META}/object/{own}/draft").json()
    assert [(change["kind"], change["path"]) for change in draft["changes"]] == [("added", "fields.colour")]
    assert "colour" in str(draft["plan"]["steps"])
    stale = owner.post(f"{META}/object/{own}/publish", {}, HTTP_IF_MATCH="sha256:old")
    assert (stale.status_code, stale.json()["code"]) == (409, "CONCURRENT_UPDATE")
    made = owner.post(f"{META}/object/{own}/publish", {}).json()
    assert (made["state"], made["seq"]) == ("active", 3)
    assert "colour" in owner.get(f"{META}/object/{own}").json()["item"]["fields"]
    assert owner.post(f"{META}/object/{own}/publish", {}).status_code == 404


def test_a_draft_is_discarded_without_touching_what_is_in_force(owner: Caller, own: str) -> None:
    before = owner.get(f"{META}/object/{own}/published").json()
    put(owner, own, before | {"label": "Other"}, "?mode=draft")
    assert owner.send("DELETE", f"{META}/object/{own}?state=draft").json()["success"] is True
    assert owner.get(f"{META}/object/{own}/published").json() == before
    assert owner.send("DELETE", f"{META}/object/{own}?state=draft").status_code == 404


def test_what_get_answers_of_a_modules_object_can_be_put_back_with_a_field_more(
    owner: Caller, item: str
) -> None:
    shown = owner.get(f"{META}/object/{item}", HTTP_ACCEPT_LANGUAGE="de").json()["item"]
    put(owner, item, shown, HTTP_ACCEPT_LANGUAGE="de")
    assert owner.get(f"{META}/object/{item}/layers").json()["overlay"] == {}  # nothing was wanted
    wider = deepcopy(shown)
    wider["fields"]["shelf"] = {"type": "text", "label": "Shelf"}
    wider["fields"]["price"]["label"] = "Cost"
    put(owner, item, wider)
    layers = owner.get(f"{META}/object/{item}/layers").json()
    assert layers["overlay"] == {
        "fields": {"shelf": {"type": "text", "label": "Shelf"}},
        "changes": {"price": {"label": "Cost"}},
    }
    assert (layers["module"], layers["base"]) == ("pack", BASE)
    made = owner.post(f"/api/v1/data/{item}", {"name": "x", "shelf": "A1"})
    assert made.json()["record"]["shelf"] == "A1"
    del wider["fields"]["price"]
    wider["sharingModel"] = "private"
    issues = put(owner, item, wider, status=422)["issues"]
    assert {issue["path"] for issue in issues} == {"fields.price", "sharingModel"}
    refused = owner.send("DELETE", f"{META}/object/{item}")
    assert (refused.status_code, refused.json()["code"]) == (409, "DESTRUCTIVE_CHANGE")
    gone = owner.send("DELETE", f"{META}/object/{item}?force=true").json()
    assert (gone["success"], gone["reset"]) == (True, True)
    assert "shelf" not in owner.get(f"{META}/object/{item}").json()["item"]["fields"]


def test_a_module_that_took_a_name_shows_in_the_diagnostics(
    owner: Caller, item: str, acme: TenantRef
) -> None:
    assert item not in {entry["name"] for entry in owner.get(f"{META}/diagnostics").json()["entries"]}
    put(owner, item, BASE | {"fields": BASE["fields"] | {"shelf": {"type": "text"}}}, "?mode=draft")  # type: ignore[operator]
    newer = BASE | {"fields": BASE["fields"] | {"shelf": {"type": "number"}}}  # type: ignore[operator]
    publish_in(acme, [load_body(newer, module="pack")], by=SYSTEM, module="pack")
    told = owner.get(f"{META}/diagnostics").json()
    [entry] = [entry for entry in told["entries"] if entry["name"] == item]
    assert entry["diagnostics"]["warnings"][0]["code"] == "field_taken"
    refused = owner.post(f"{META}/object/{item}/publish", {})
    assert (refused.status_code, refused.json()["code"]) == (409, "OVERLAY_CONFLICT")


def test_references_name_fields_and_permission_sets(owner: Caller) -> None:
    rows = owner.get(f"{META}/object/api_account/references").json()["references"]
    assert {"object", "permission"} <= {row["type"] for row in rows}
    assert ("api_lead", "fields.account.reference") in {(row["name"], row["path"]) for row in rows}


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "_drafts"),
        ("GET", "diagnostics"),
        *(
            ("GET", f"object/api_lead/{part}")
            for part in ("history", "audit", "diff", "published", "layers", "draft")
        ),
        ("GET", "object/api_lead/references"),
        ("POST", "object/api_lead/publish"),
        ("POST", "object/api_lead/rollback"),
        ("DELETE", "object/api_lead?state=draft"),
    ],
)
def test_only_who_may_change_definitions_sees_how_they_came_about(
    sales: Caller, verb: str, path: str
) -> None:
    answer = sales.send(verb, f"{META}/{path}", {"toVersion": 1} if "rollback" in path else None)
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
    assert (
        sales.get(f"{META}/object/api_lead").status_code == 200
    )  # the control: the definition itself it may read
