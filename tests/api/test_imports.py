"""Imports over HTTP: at once and as jobs, tried before they are written, stopped, resumed and taken back."""

import io
from base64 import b64encode
from typing import Any
from uuid import UUID, uuid4

import pytest
from openpyxl import Workbook

from apps.audit.queries import history
from apps.core.scope import TenantRef, tenant_scope
from apps.objects.transfer import jobs
from apps.objects.transfer.models import ImportRun
from tests.api.conftest import Caller
from tests.objects.test_transfer import Job

pytestmark = pytest.mark.usefixtures("api")
LEADS, ACCOUNTS = "/api/v1/data/api_lead", "/api/v1/data/api_account"
RUNS = "/api/v1/data/import/jobs"


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
    return dict(answer.json())


def found(who: Caller, path: str, **where: str) -> list[dict[str, Any]]:
    query = "&".join(f"{name}={value}" for name, value in where.items())
    return list(who.get(f"{path}?{query}").json()["records"])


def sheet(*rows: list[Any]) -> str:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return b64encode(out.getvalue()).decode()


@pytest.mark.parametrize("kind", ["json", "csv", "xlsx"])
def test_rows_come_in_three_formats_and_each_is_judged_by_itself(owner: Caller, kind: str) -> None:
    tag = uuid4().hex[:8]
    body = {
        "json": {"rows": [{"name": tag, "score": 7}, {"name": "", "score": 50}]},
        "csv": {"csv": f"name,score\n{tag},7\n,50\n"},
        "xlsx": {"xlsxBase64": sheet(["name", "score"], [tag, 7], [None, 50])},
    }[kind]
    answer = owner.post(f"{LEADS}/import", {"format": kind} | body).json()
    assert {key: answer[key] for key in ("object", "dryRun", "writeMode", "total", "ok", "errors", "created")} == {
        "object": "api_lead", "dryRun": False, "writeMode": "insert", "total": 2, "ok": 1, "errors": 1, "created": 1,
    }  # fmt: skip
    good, bad = answer["results"]
    assert good == {"row": 1, "ok": True, "action": "created", "id": good["id"]}
    assert (bad["action"], bad["code"], bad["field"]) == ("failed", "required", "name")
    assert [fault["field"] for fault in bad["fields"]] == ["name"]
    [record] = found(owner, LEADS, name=tag)
    assert (record["id"], record["score"]) == (good["id"], 7)


def test_a_dry_run_tells_the_truth_and_writes_nothing(owner: Caller, acme: TenantRef) -> None:
    code = uuid4().hex[:8]
    rows = [{"name": f"A {code}", "code": code}, {"name": f"B {code}", "code": code}]
    answer = owner.post(f"{ACCOUNTS}/import", {"rows": rows, "dryRun": True}).json()
    assert [row["action"] for row in answer["results"]] == ["created", "failed"]  # the second meets the first
    assert "id" not in answer["results"][0]
    assert found(owner, ACCOUNTS, code=code) == []
    with tenant_scope(acme):
        before = len(history("object:api_account"))
    assert (
        owner.post(f"{ACCOUNTS}/import", {"rows": rows}).json()["created"] == 1
    )  # the control: it does write
    assert len(found(owner, ACCOUNTS, code=code)) == 1
    with tenant_scope(acme):
        entries = history("object:api_account")
    assert (len(entries) - before, entries[0].action) == (1, "records.imported")


def test_existing_records_are_found_by_one_field_or_several(owner: Caller) -> None:
    tag = uuid4().hex[:8]
    owner.post(f"{LEADS}/import", {"rows": [{"name": tag, "company": "one", "score": 1}]})
    two = {"writeMode": "upsert", "matchFields": ["name", "company"]}
    rows = [{"name": tag, "company": "one", "score": 2}, {"name": tag, "company": "two", "score": 3}]
    answer = owner.post(f"{LEADS}/import", {"rows": rows} | two).json()
    assert [row["action"] for row in answer["results"]] == ["updated", "created"]
    assert {(row["company"], row["score"]) for row in found(owner, LEADS, name=tag)} == {
        ("one", 2),
        ("two", 3),
    }
    one = {"writeMode": "update", "matchFields": ["name"]}
    answer = owner.post(f"{LEADS}/import", {"rows": [{"name": tag}, {"name": "nobody"}]} | one).json()
    assert [row.get("code", row["action"]) for row in answer["results"]] == ["reference_ambiguous", "skipped"]


def test_references_are_found_by_the_key_that_the_column_or_the_mapping_names(owner: Caller) -> None:
    tag = uuid4().hex[:8]
    made = owner.post(ACCOUNTS, {"name": f"Acc {tag}", "code": tag}).json()["id"]
    by_header = {"csv": f"name,account.code\nh{tag},{tag}\n"}
    by_mapping = {
        "csv": f"Nom,Client,Rien\nm{tag},{tag},x\nn{tag},nowhere,x\n",
        "mapping": {"Nom": "name", "Client": {"field": "account", "match": "code"}, "Rien": None},
    }
    assert owner.post(f"{LEADS}/import", by_header).json()["created"] == 1
    answer = owner.post(f"{LEADS}/import", by_mapping).json()
    assert [row.get("code", "ok") for row in answer["results"]] == ["ok", "reference_not_found"]
    assert len(found(owner, LEADS, account=made)) == 2


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "VALIDATION_FAILED"),
        ({"rows": [{"name": "x"}], "csv": "a"}, 400, "VALIDATION_FAILED"),
        ({"format": "csv", "rows": [{"name": "x"}]}, 400, "VALIDATION_FAILED"),
        ({"rows": [{"name": "x", "nope": 1}]}, 400, "VALIDATION_FAILED"),
        ({"rows": [{"name": "x"}], "mapping": {"name": "id"}}, 400, "VALIDATION_FAILED"),
        ({"rows": [{"name": "x"}], "mapping": {"other": "name"}}, 400, "VALIDATION_FAILED"),
        ({"rows": [{"name": "x"}], "writeMode": "merge"}, 400, "VALIDATION_FAILED"),
        ({"rows": [{"name": "x"}], "writeMode": "upsert"}, 400, "VALIDATION_FAILED"),
        (
            {"rows": [{"name": "x"}], "writeMode": "upsert", "matchFields": ["score"]},
            400,
            "VALIDATION_FAILED",
        ),
        ({"rows": [{"name": "x"}], "runAutomations": False}, 400, "INVALID_REQUEST"),
        ({"rows": [{"name": "x"}], "force": True}, 400, "VALIDATION_FAILED"),
        ({"rows": "x"}, 400, "VALIDATION_FAILED"),
        ({"rows": []}, 400, "FILE_INVALID"),
        ({"csv": "name,name\n1,2\n"}, 400, "FILE_INVALID"),
        ({"xlsxBase64": "%%%"}, 400, "VALIDATION_FAILED"),
        ({"xlsxBase64": "AAAA"}, 400, "FILE_INVALID"),
        ({"rows": [{"name": "x"}] * 1001}, 413, "PAYLOAD_TOO_LARGE"),
    ],
)
def test_what_cannot_be_meant_is_refused_as_a_whole(owner: Caller, body: Any, status: int, code: str) -> None:
    refused(owner.post(f"{LEADS}/import", body), status, code)


def test_only_who_may_import_imports(
    owner: Caller, sales: Caller, keys: dict[str, str], acme: TenantRef
) -> None:
    rows = {"rows": [{"name": "x"}]}
    refused(sales.post(f"{LEADS}/import", rows), 403, "PERMISSION_DENIED")
    refused(sales.post(f"{LEADS}/import/jobs", rows), 403, "PERMISSION_DENIED")
    # The control: the same member may create one.
    assert sales.post(LEADS, {"name": "x"}).status_code == 201
    run = owner.post(f"{LEADS}/import/jobs", rows).json()["jobId"]
    refused(sales.get(f"{RUNS}/{run}"), 404, "RESOURCE_NOT_FOUND")
    refused(sales.post(f"{RUNS}/{run}/undo"), 404, "RESOURCE_NOT_FOUND")
    assert run not in {job["jobId"] for job in sales.get(RUNS).json()["jobs"]}


def work_off(run_id: str, ref: TenantRef, people: Any, handler: Any, stop_after: int = 10**9) -> None:
    """Do what a worker would do with an import's job."""
    handler(Job(ref, people.actor("owner", ref.slug), stop_after), run_id=run_id)


def test_a_job_is_followed_stopped_resumed_and_taken_back(
    owner: Caller, acme: TenantRef, people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "CHUNK", 2)
    tag = uuid4().hex[:8]
    rows = [{"name": f"{tag} {number}", "company": tag} for number in range(5)] + [{"name": ""}]
    answer = owner.post(f"{LEADS}/import/jobs", {"format": "json", "rows": rows})
    assert answer.status_code == 201
    made = answer.json()
    run = made["jobId"]
    assert (made["object"], made["status"], made["total"]) == ("api_lead", "pending", 6)
    refused(owner.post(f"{RUNS}/{run}/undo"), 409, "INVALID_STATE")
    refused(owner.post(f"{RUNS}/{run}/resume"), 409, "INVALID_STATE")

    assert owner.post(f"{RUNS}/{run}/cancel").json() == {"success": True}
    assert owner.get(f"{RUNS}/{run}").json()["status"] == "cancelled"
    work_off(run, acme, people, jobs.run, stop_after=1)
    now = owner.get(f"{RUNS}/{run}").json()
    assert (now["status"], now["created"], now["undoable"]) == ("cancelled", 2, True)

    assert owner.post(f"{RUNS}/{run}/resume").json()["status"] == "pending"
    work_off(run, acme, people, jobs.run)
    now = owner.get(f"{RUNS}/{run}/results").json()
    assert (now["status"], now["created"], now["errors"], now["percentComplete"]) == ("succeeded", 5, 1, 100)
    assert [row["action"] for row in now["results"]] == ["created"] * 5 + ["failed"]
    assert now["resultsTruncated"] is False
    assert len(owner.get(f"{RUNS}/{run}/results?after=4").json()["results"]) == 2
    assert len(found(owner, LEADS, company=tag)) == 5

    kept = now["results"][0]["id"]
    owner.send("PATCH", f"{LEADS}/{kept}", {"score": 5})
    back = owner.post(f"{RUNS}/{run}/undo").json()
    assert (back["success"], back["deleted"], back["restored"], back["failed"]) == (True, 4, 0, 1)
    assert [row["id"] for row in found(owner, LEADS, company=tag)] == [kept]
    refused(owner.post(f"{RUNS}/{run}/undo"), 409, "INVALID_STATE")
    listed = next(job for job in owner.get(f"{RUNS}?object=api_lead").json()["jobs"] if job["jobId"] == run)
    assert (listed["undoable"], "revertedAt" in listed) == (False, True)


def test_a_dry_job_can_be_begun_for_real(owner: Caller, acme: TenantRef, people: Any) -> None:
    tag = uuid4().hex[:8]
    body = {"rows": [{"name": tag}], "dryRun": True, "fileName": "leads.json"}
    run = owner.post(f"{LEADS}/import/jobs", body).json()["jobId"]
    work_off(run, acme, people, jobs.check)
    now = owner.get(f"{RUNS}/{run}").json()
    assert (now["status"], now["dryRun"], now["created"]) == ("succeeded", True, 1)
    assert found(owner, LEADS, name=tag) == []
    owner.post(f"{RUNS}/{run}/resume")
    work_off(run, acme, people, jobs.run)
    assert len(found(owner, LEADS, name=tag)) == 1


def test_what_an_update_replaced_comes_back(owner: Caller, acme: TenantRef, people: Any) -> None:
    tag = uuid4().hex[:8]
    record = owner.post(LEADS, {"name": tag, "score": 1}).json()["id"]
    body = {"rows": [{"name": tag, "score": 2}], "writeMode": "update", "matchFields": ["name"]}
    run = owner.post(f"{LEADS}/import/jobs", body).json()["jobId"]
    work_off(run, acme, people, jobs.run)
    assert owner.get(f"{LEADS}/{record}").json()["record"]["score"] == 2
    assert owner.post(f"{RUNS}/{run}/undo").json()["restored"] == 1
    assert owner.get(f"{LEADS}/{record}").json()["record"]["score"] == 1


def test_another_tenants_import_is_an_absent_one(owner: Caller, stranger: Caller, acme: TenantRef) -> None:
    run = owner.post(f"{LEADS}/import/jobs", {"rows": [{"name": "x"}]}).json()["jobId"]
    with tenant_scope(acme):
        assert ImportRun.objects.filter(pk=UUID(run)).exists()  # the control
    assert stranger.get(f"{RUNS}/{run}").status_code == 403
    for path in ("nonsense", str(uuid4())):
        refused(owner.get(f"{RUNS}/{path}"), 404, "RESOURCE_NOT_FOUND")
