"""Metadata over HTTP: what is there, what of it a caller may see, and changing it."""

import pytest

pytestmark = pytest.mark.usefixtures("api")
META = "/api/v1/meta"


def test_kinds(owner):
    body = owner.get(META).json()
    assert body["types"] == ["object", "view", "permission"]
    assert {"type", "label", "filePatterns", "allowRuntimeCreate", "loadOrder", "domain"} <= set(
        body["entries"][0]
    )
    assert owner.get(f"{META}/types").json() == body


def test_an_unknown_kind_is_refused(owner):
    answer = owner.get(f"{META}/nope")
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")


def test_an_object_with_every_default_written_out(owner):
    body = owner.get(f"{META}/object/api_lead").json()
    assert (body["type"], body["name"]) == ("object", "api_lead")
    fields = body["item"]["fields"]
    flags = {"required", "searchable", "multiple", "unique", "hidden", "readonly", "sortable", "externalId"}
    assert flags <= set(fields["name"])
    assert fields["name"]["required"] is True
    assert fields["id"]["system"] is True
    assert {"created_at", "updated_at", "created_by", "updated_by", "owner_id"} <= set(fields)
    assert fields["account"]["reference"] == "api_account"
    assert fields["assignee"]["reference"] == "sys_user"
    assert [option["value"] for option in fields["status"]["options"]] == ["new", "working", "lost"]
    assert body["sortability"]["fields"]["name"] == {"sortable": True}


def test_hidden_fields_and_objects_are_not_told(sales, owner):
    assert "secret" not in sales.get(f"{META}/object/api_lead").content.decode()
    assert "secret" in owner.get(f"{META}/object/api_lead").content.decode()
    hidden = sales.get(f"{META}/object/api_closed")
    absent = sales.get(f"{META}/object/api_nothing")
    assert hidden.status_code == absent.status_code == 404
    assert hidden.json()["code"] == "RESOURCE_NOT_FOUND"
    names = {item["name"] for item in sales.get(f"{META}/object").json()["items"]}
    assert {name for name in names if name.startswith("api_")} == {"api_account", "api_lead"}


def test_a_copy_at_hand_is_not_sent_again(owner):
    first = owner.get(f"{META}/object/api_lead")
    assert first["Cache-Control"] == "private, no-cache"
    assert "Accept-Language" in first["Vary"]
    again = owner.get(f"{META}/object/api_lead", HTTP_IF_NONE_MATCH=first["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == first["ETag"]
    assert owner.get(f"{META}/object/api_lead", HTTP_IF_NONE_MATCH='"other"').status_code == 200


def test_list_and_form(owner, sales):
    view = owner.get("/api/v1/ui/view/api_lead/list").json()
    assert [column["field"] for column in view["list"]["columns"]] == ["name", "status", "amount"]
    form = sales.get("/api/v1/ui/view/api_lead/form").json()
    shown = [field["field"] for section in form["form"]["sections"] for field in section["fields"]]
    assert "name" in shown
    assert "secret" not in shown
    assert owner.get("/api/v1/ui/view/api_lead/chart").status_code == 400
    assert owner.get("/api/v1/ui/view/nothing/list").json()["code"] == "OBJECT_NOT_FOUND"


def test_views_and_permission_sets_are_items(owner, sales):
    views = {item["name"] for item in owner.get(f"{META}/view").json()["items"]}
    assert "api_lead.all" in views
    assert owner.get(f"{META}/view/api_lead.all").json()["item"]["viewKind"] == "list"
    everything = {item["name"] for item in owner.get(f"{META}/permission").json()["items"]}
    assert {"admin_full_access", "api_sales", "api_boss"} <= everything
    held = {item["name"] for item in sales.get(f"{META}/permission").json()["items"]}
    assert "member_default" in held
    assert {name for name in held if name.startswith("api_")} == {"api_sales"}


def test_labels(owner, sales):
    assert {item["code"] for item in owner.get("/api/v1/i18n/locales").json()["data"]["locales"]} >= {
        "en",
        "de",
    }
    labels = sales.get("/api/v1/i18n/labels/api_lead/de").json()["data"]["labels"]
    assert labels["name"] == {"label": "Name"}
    assert "secret" not in labels
    words = sales.get("/api/v1/i18n/translations/de").json()["data"]
    told = set(words["translations"]["objects"])
    assert {name for name in told if name.startswith("api_")} == {"api_account", "api_lead"}
    assert owner.get("/api/v1/i18n/translations/" + "x" * 50).status_code == 400


PROBE = {
    "name": "x_probe",
    "label": "Probe",
    "sharingModel": "public_read_write",
    "fields": {"name": {"type": "text", "label": "Name"}, "qty": {"type": "number", "label": "Qty"}},
}


@pytest.fixture
def probe(owner):
    answer = owner.send("PUT", f"{META}/object/x_probe", PROBE)
    assert answer.status_code == 200, answer.content
    yield answer.json()
    assert owner.send("DELETE", f"{META}/object/x_probe?force=true").status_code == 200


def test_an_object_is_made_and_used_at_once(owner, probe):
    assert probe["success"] is True
    assert probe["version"].startswith("sha256:")
    assert probe["state"] == "active"
    made = owner.post("/api/v1/data/x_probe", {"name": "a", "qty": 2})
    assert made.status_code == 201, made.content
    wider = PROBE | {"fields": PROBE["fields"] | {"extra": {"type": "text", "label": "Extra"}}}
    saved = owner.send("PUT", f"{META}/object/x_probe", wider).json()
    assert saved["seq"] == probe["seq"] + 1
    made = owner.post("/api/v1/data/x_probe", {"name": "b", "extra": "new"})
    assert made.json()["record"]["extra"] == "new"


def test_a_plan_changes_nothing(owner, probe):
    wider = PROBE | {"fields": PROBE["fields"] | {"extra": {"type": "text", "label": "Extra"}}}
    plan = owner.send("PUT", f"{META}/object/x_probe?mode=plan", wider).json()
    assert plan["state"] == "planned"
    assert any("extra" in step["sentence"].lower() for step in plan["plan"]["steps"])
    assert any("ALTER TABLE" in line for line in plan["plan"]["sql"])
    assert "extra" not in owner.get(f"{META}/object/x_probe").json()["item"]["fields"]


def test_what_loses_data_needs_force(owner, probe):
    owner.post("/api/v1/data/x_probe", {"name": "a", "qty": 2})
    narrower = PROBE | {"fields": {"name": PROBE["fields"]["name"]}}
    refused = owner.send("PUT", f"{META}/object/x_probe", narrower)
    assert (refused.status_code, refused.json()["code"]) == (409, "DESTRUCTIVE_CHANGE")
    assert owner.send("PUT", f"{META}/object/x_probe?force=true", narrower).status_code == 200


def test_an_old_version_is_refused(owner, probe):
    stale = owner.send("PUT", f"{META}/object/x_probe", PROBE, HTTP_IF_MATCH="sha256:old")
    assert (stale.status_code, stale.json()["code"]) == (409, "CONCURRENT_UPDATE")
    assert (
        owner.send("PUT", f"{META}/object/x_probe", PROBE, HTTP_IF_MATCH=probe["version"]).status_code == 200
    )


def test_what_get_answers_can_be_put_back(owner, probe):
    item = owner.get(f"{META}/object/x_probe").json()["item"]
    saved = owner.send("PUT", f"{META}/object/x_probe", item)
    assert saved.status_code == 200, saved.content
    assert owner.get(f"{META}/object/x_probe").json()["item"]["fields"] == item["fields"]


def test_faults_come_all_at_once(owner):
    body = {
        "name": "x_bad",
        "label": "Bad",
        "fields": {"a": {"type": "nothing"}, "b": {"type": "text", "what": 1}},
    }
    answer = owner.send("PUT", f"{META}/object/x_bad", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_METADATA")
    paths = {issue["path"] for issue in answer.json()["issues"]}
    assert {"fields.a.type", "fields.b.what"} <= paths


def test_the_name_is_the_addresss(owner):
    assert owner.send("PUT", f"{META}/object/x_other", PROBE).json()["code"] == "INVALID_METADATA"


def test_only_who_may_change_definitions_does(sales, nobody):
    answer = sales.send("PUT", f"{META}/object/y_probe", PROBE | {"name": "y_probe"})
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
    assert nobody.send("PUT", f"{META}/object/y_probe", PROBE).status_code == 401
    assert sales.send("DELETE", f"{META}/object/api_lead").status_code == 403


def test_a_package_is_not_written(owner):
    answer = owner.send("PUT", f"{META}/object/x_probe?package=crm", PROBE)
    assert (answer.status_code, answer.json()["code"]) == (422, "WRITABLE_PACKAGE_REQUIRED")


def test_a_dropped_object_is_gone(owner):
    body = PROBE | {"name": "x_gone"}
    owner.send("PUT", f"{META}/object/x_gone", body)
    gone = owner.send("DELETE", f"{META}/object/x_gone?force=true")
    assert gone.json()["success"] is True
    assert owner.get("/api/v1/data/x_gone").json()["code"] == "OBJECT_NOT_FOUND"
    assert owner.send("DELETE", f"{META}/object/x_gone").json()["code"] == "RESOURCE_NOT_FOUND"


def test_a_retry_with_a_key_publishes_once(owner, probe):
    wider = PROBE | {"fields": PROBE["fields"] | {"extra": {"type": "text", "label": "Extra"}}}
    answers = [
        owner.send("PUT", f"{META}/object/x_probe", wider, HTTP_IDEMPOTENCY_KEY="meta-1") for _ in range(2)
    ]
    assert answers[0].content == answers[1].content
    assert answers[1].json()["seq"] == probe["seq"] + 1
