"""Packages over HTTP: a manager installs a compiled artifact, sees what does not run, and removes it."""

from typing import Any

import pytest

from tests.api.conftest import Caller

pytestmark = pytest.mark.usefixtures("api")
PACKAGES = "/api/v1/packages"
SHOP = f"{PACKAGES}/com.example.shop"


def artifact(version: str = "1.0.0", **fields: Any) -> dict[str, Any]:
    return {
        "manifest": {
            "id": "com.example.shop",
            "namespace": "shop",
            "version": version,
            "name": "Shop",
            "type": "app",
        },
        "objects": [
            {
                "name": "shop_item",
                "sharingModel": "public_read_write",
                "fields": {"name": {"type": "text"}, **fields},
            }
        ],
        "flows": [{"name": "shop_flow"}],
    }


def test_a_package_is_installed_used_upgraded_and_removed(owner: Caller, sales: Caller) -> None:
    made = owner.post(PACKAGES, artifact())
    assert made.status_code == 201, made.content
    package = made.json()["data"]
    assert (package["manifest"]["id"], package["status"], package["enabled"]) == (
        "com.example.shop",
        "installed",
        True,
    )
    assert [(n["path"], n["outcome"]) for n in package["notices"]] == [("flows.shop_flow", "parked")]
    assert owner.post("/api/v1/data/shop_item", {"name": "Desk"}).status_code == 201
    again = owner.post(PACKAGES, artifact())
    assert (again.status_code, again.json()["code"]) == (409, "RESOURCE_CONFLICT")
    assert owner.post(PACKAGES, artifact("1.1.0", color={"type": "text"})).status_code == 201
    assert owner.get("/api/v1/data/shop_item").json()["records"][0]["color"] is None
    listed = sales.get(PACKAGES).json()["data"]
    assert [row["manifest"]["version"] for row in listed["packages"]] == ["1.1.0"]
    back = owner.send("PATCH", SHOP, {"version": "1.0.0"})
    assert (back.status_code, back.json()["code"]) == (409, "INVALID_STATE")
    assert owner.get(f"{SHOP}/export").json()["data"]["flows"] == [{"name": "shop_flow"}]
    assert owner.send("PATCH", f"{SHOP}/disable").status_code == 501
    kept = owner.send("DELETE", SHOP)
    assert (kept.status_code, kept.json()["code"]) == (409, "DESTRUCTIVE_CHANGE")
    assert owner.send("DELETE", f"{SHOP}?force=true").json()["data"]["success"] is True
    assert owner.get(SHOP).status_code == 404


def test_only_managers_install(sales: Caller) -> None:
    answer = sales.post(PACKAGES, artifact())
    assert (answer.status_code, answer.json()["code"]) == (403, "PERMISSION_DENIED")


def test_a_manifest_may_hold_its_parts(owner: Caller) -> None:
    """As the reference server lists packages: everything inside `manifest`."""
    stack = artifact()
    inside = {**stack.pop("manifest"), **stack}
    assert owner.post(PACKAGES, {"manifest": inside}).status_code == 201
    assert owner.send("DELETE", SHOP).status_code == 200


def test_every_fault_is_told(owner: Caller) -> None:
    stack = artifact(stuff={"type": "text", "maxLength": "many"})
    stack["objects"][0]["sharingModel"] = "everybody"
    answer = owner.post(PACKAGES, stack)
    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_METADATA")
    assert {issue["path"] for issue in answer.json()["issues"]} == {
        "objects.shop_item.fields.stuff.maxLength",
        "objects.shop_item.sharingModel",
    }
