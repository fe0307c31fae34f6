"""The life of a tenant from the console: opened by a job, suspended, resumed, exported, archived, deleted, restored."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.core.scope import platform_scope, tenant_scope
from apps.events.models import Job
from apps.identity.models import Invitation, Membership, User
from apps.modules.install import installed
from apps.tenants import provision
from apps.tenants.models import Host, Plan, Tenant
from apps.tenants.states import State
from tests.console.conftest import change_page, deed_page
from tests.people import People

Work = Callable[[], int]


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "EXPORT_ROOT", str(tmp_path / "exports"))
    monkeypatch.setattr(settings, "MEDIA_ROOT", str(tmp_path / "files"))


def order(slug: str, **more: Any) -> dict[str, Any]:
    """What the form of a new tenant sends."""
    return {
        "name": slug.title(),
        "slug": slug,
        "owner_email": f"owner@{slug}.test",
        "plan": "standard",
        "locale": "de",
        "time_zone": "Europe/Berlin",
        "currency": "CHF",
        **more,
    }


def unused(word: str) -> str:
    return f"{word}-{os.urandom(3).hex()}"


def tenant_of(slug: str) -> Tenant:
    with platform_scope("tests of the console"):
        return Tenant.objects.get(slug=slug)


def job_in(location: str) -> UUID:
    """The job whose page an answer leads to."""
    return UUID(location.split("/")[-3])


def test_a_tenant_is_opened_by_a_job_with_progress(
    superuser: Client, work: Work, crm: str, entries: Any
) -> None:
    slug = unused("hooli")
    answer = superuser.post("/console/tenants/new/", order(slug, modules=[crm]))
    assert answer.status_code == 302, answer.context["form"].errors
    job = job_in(answer["Location"])
    waiting = superuser.get(f"/console/jobs/{job}/state/").json()
    assert (waiting["over"], waiting["state"]) == (False, "Waiting")
    assert b"data-job" in superuser.get(answer["Location"]).content
    assert work() >= 1
    over = superuser.get(f"/console/jobs/{job}/state/").json()
    assert (over["over"], over["state"], over["percent"]) == (True, "Done", 100)
    tenant = tenant_of(slug)
    assert (tenant.state, tenant.locale, tenant.currency) == (State.ACTIVE, "de", "CHF")
    with tenant_scope(tenant.ref):
        assert [row.module for row in installed()] == [crm]
        invited = Invitation.objects.get(tenant_id=tenant.pk)
        assert (invited.email, invited.role) == (f"owner@{slug}.test", "owner")
    actions = [entry.action for entry in entries(target=f"tenant:{tenant.pk}")]
    assert {"tenant.created", "tenant.activated"} <= set(actions)
    assert entries(target=f"tenant:{tenant.pk}")[-1].actor.kind == "operator"


def test_a_wrong_order_names_every_field_and_leaves_nothing(superuser: Client, people: People) -> None:
    with platform_scope("tests of the console"):
        tenants, jobs = Tenant.objects.count(), Job.objects.count()
    for wrong in (
        order("acme"),
        order("Not An Address"),
        order("public"),
        order(unused("x"), host="acme.localhost"),
    ):
        answer = superuser.post("/console/tenants/new/", wrong)
        assert answer.status_code == 200
        assert answer.context["form"].errors
        assert wrong["owner_email"] in answer.content.decode(), "what was typed is kept"
    with platform_scope("tests of the console"):
        assert (Tenant.objects.count(), Job.objects.count()) == (tenants, jobs)


def test_a_failed_opening_leaves_nothing_and_can_be_retried(
    superuser: Client, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    slug = unused("umbrella")

    def breaks(*_args: Any) -> None:
        msg = "the disk is full"
        raise OSError(msg)

    with monkeypatch.context() as broken:
        broken.setitem(provision.steps._values, "breaks", provision.Step("Breaks", breaks))
        answer = superuser.post("/console/tenants/new/", order(slug))
        work()
    tenant = tenant_of(slug)
    assert tenant.state == State.FAILED
    page = superuser.get(change_page("tenants/tenant", tenant.pk)).content.decode()
    assert "the disk is full" in page
    assert "the disk is full" in superuser.get("/console/").content.decode(), (
        "the dashboard says what needs me"
    )
    assert superuser.get(f"/console/jobs/{job_in(answer['Location'])}/state/").json()["state"] == "Failed"
    retried = superuser.post(deed_page("tenants/tenant", tenant.pk, "retry"))
    assert retried.status_code == 302
    work()
    assert tenant_of(slug).state == State.ACTIVE
    with tenant_scope(tenant.ref):
        owners = [row.email for row in Invitation.objects.filter(tenant_id=tenant.pk)]
    assert owners == [f"owner@{slug}.test"], "the retry used what was ordered first"


@pytest.fixture
def hooli(superuser: Client, work: Work) -> Tenant:
    """A tenant of this test, opened through the console."""
    slug = unused("hooli")
    superuser.post("/console/tenants/new/", order(slug))
    work()
    return tenant_of(slug)


def test_suspending_closes_every_door_with_the_reason(superuser: Client, hooli: Tenant, entries: Any) -> None:
    from apps.tenants import middleware

    page = deed_page("tenants/tenant", hooli.pk, "suspend")
    with tenant_scope(hooli.ref):
        user = User.objects.create_user(f"one@{hooli.slug}.test")
        Membership.objects.create(tenant_id=hooli.pk, user=user, role="owner")
    assert "1 member" in superuser.get(page).content.decode()
    assert superuser.post(page, {"reason": ""}).context["form"].errors, "a reason is asked for"
    assert tenant_of(hooli.slug).state == State.ACTIVE
    assert superuser.post(page, {"reason": "The invoice is unpaid"}).status_code == 302
    middleware.hosts.clear()
    member = Client(HTTP_HOST=f"{hooli.slug}.localhost")
    closed = member.get("/")
    assert closed.status_code == 403
    assert "The invoice is unpaid" in closed.content.decode()
    newest = entries(target=f"tenant:{hooli.pk}", action="tenant.suspended")[0]
    assert newest.after["state_reason"] == "The invoice is unpaid"
    assert newest.actor.label == "Olga Operator"
    assert superuser.post(page, {"reason": "again"}).status_code == 404, "the button is gone"
    assert superuser.post(deed_page("tenants/tenant", hooli.pk, "resume")).status_code == 302
    middleware.hosts.clear()
    assert member.get("/").status_code != 403


def test_deleting_asks_for_the_name_and_can_be_taken_back(superuser: Client, hooli: Tenant) -> None:
    delete = deed_page("tenants/tenant", hooli.pk, "delete")
    assert superuser.get(delete).status_code == 404, "an active tenant is archived first"
    superuser.post(deed_page("tenants/tenant", hooli.pk, "archive"), {"reason": "The contract ended"})
    shown = superuser.get(delete).content.decode()
    assert f"{settings.TENANT_GRACE_DAYS} days" in shown
    assert hooli.schema_name in shown
    for typed in ("", hooli.slug, hooli.name.upper()):
        assert superuser.post(delete, {"reason": "asked for", "typed": typed}).context["form"].errors
    assert tenant_of(hooli.slug).state == State.ARCHIVED
    assert superuser.post(delete, {"reason": "asked for", "typed": hooli.name}).status_code == 302
    deleted = tenant_of(hooli.slug)
    assert deleted.state == State.DELETED
    assert deleted.delete_after is not None
    assert superuser.post(deed_page("tenants/tenant", hooli.pk, "restore")).status_code == 302
    assert tenant_of(hooli.slug).state == State.ARCHIVED
    assert superuser.post(deed_page("tenants/tenant", hooli.pk, "resume")).status_code == 302
    assert tenant_of(hooli.slug).state == State.ACTIVE


def test_an_export_is_downloaded_and_both_ledgers_know(
    superuser: Client, scoped: Client, hooli: Tenant, work: Work, entries: Any
) -> None:
    answer = superuser.post(deed_page("tenants/tenant", hooli.pk, "export"))
    work()
    assert superuser.get(f"/console/jobs/{job_in(answer['Location'])}/state/").json()["state"] == "Done"
    (name,) = [path.name for path in (Path(settings.EXPORT_ROOT) / str(hooli.pk)).glob("*.zip")]
    url = f"/console/tenants/{hooli.pk}/archives/{name}"
    assert name in superuser.get(change_page("tenants/tenant", hooli.pk)).content.decode()
    got = superuser.get(url)
    assert got.status_code == 200
    assert b"".join(got.streaming_content)[:2] == b"PK"
    for tenant in (None, hooli.ref):
        assert entries(tenant, action="tenant.archive_downloaded")[0].details["archive"] == name
    assert scoped.get(url).status_code == 404, "not granted"
    for wrong in ("..%2f..%2fetc%2fpasswd", "x.zip", name.replace("0", "1")):
        assert superuser.get(f"/console/tenants/{hooli.pk}/archives/{wrong}").status_code == 404


def test_an_archive_is_imported_under_another_name(superuser: Client, hooli: Tenant, work: Work) -> None:
    from apps.core.actor import SYSTEM
    from apps.tenants.removal import remove_due

    superuser.post(deed_page("tenants/tenant", hooli.pk, "export"))
    work()
    (path,) = (Path(settings.EXPORT_ROOT) / str(hooli.pk)).glob("*.zip")
    kept = path.rename(path.parent.parent / "kept.zip")
    slug = unused("again")
    sent = {"name": "Hooli Again", "slug": slug, "host": "", "trusted": ""}
    with kept.open("rb") as archive:
        refused = superuser.post("/console/tenants/import/", sent | {"archive": archive})
    work()
    shown = superuser.get(refused["Location"]).content.decode()
    assert "remove it before importing it again" in shown, "the very tenant is still here"
    superuser.post(deed_page("tenants/tenant", hooli.pk, "archive"), {"reason": "moved"})
    superuser.post(deed_page("tenants/tenant", hooli.pk, "delete"), {"reason": "moved", "typed": hooli.name})
    with platform_scope("tests of the console"):
        Tenant.objects.filter(pk=hooli.pk).update(delete_after="2020-01-01T00:00Z")
    assert hooli.slug in remove_due(by=SYSTEM)
    with kept.open("rb") as archive:
        answer = superuser.post("/console/tenants/import/", sent | {"archive": archive})
    work()
    state = superuser.get(f"/console/jobs/{job_in(answer['Location'])}/state/").json()
    assert state["state"] == "Done", superuser.get(answer["Location"]).content.decode()[-3000:]
    assert (tenant_of(slug).pk, tenant_of(slug).name) == (hooli.pk, "Hooli Again")
    assert not list((Path(settings.EXPORT_ROOT) / "incoming").glob("*")), "uploads do not stay"


def test_modules_are_installed_and_removed_by_jobs(
    superuser: Client, hooli: Tenant, work: Work, crm: str
) -> None:
    answer = superuser.post(deed_page("tenants/tenant", hooli.pk, "install"), {"module": crm})
    assert answer.status_code == 302, answer.context["form"].errors
    work()
    with tenant_scope(hooli.ref):
        assert [row.module for row in installed()] == [crm]
    form = superuser.get(deed_page("tenants/tenant", hooli.pk, "install")).context["form"]
    assert crm not in dict(form.fields["module"].choices)
    text = superuser.get("/console/modules/").content.decode()
    assert hooli.name in text
    superuser.post(deed_page("tenants/tenant", hooli.pk, "uninstall"), {"module": crm})
    work()
    with tenant_scope(hooli.ref):
        assert installed() == []


def test_a_package_is_installed_from_its_file(superuser: Client, hooli: Tenant, work: Work) -> None:
    page = deed_page("tenants/tenant", hooli.pk, "package")
    stack = {
        "manifest": {"id": "com.example.shop", "namespace": "shop", "version": "1.0.0", "name": "Shop"},
        "objects": [
            {"name": "shop_item", "sharingModel": "public_read", "fields": {"name": {"type": "text"}}}
        ],
        "flows": [{"name": "shop_flow"}],
    }
    wrong = SimpleUploadedFile("objectstack.json", json.dumps(stack | {"manifest": {}}).encode())
    assert "namespace" in str(superuser.post(page, {"file": wrong}).context["form"].errors)
    right = SimpleUploadedFile("objectstack.json", json.dumps(stack).encode())
    answer = superuser.post(page, {"file": right})
    assert answer.status_code == 302, answer.context["form"].errors
    work()
    with tenant_scope(hooli.ref):
        assert [row.module for row in installed()] == ["com.example.shop"]
    assert "flows.shop_flow" in superuser.get(change_page("tenants/tenant", hooli.pk)).content.decode()


def test_settings_plan_and_hosts_change_through_services(
    superuser: Client, hooli: Tenant, entries: Any
) -> None:
    with platform_scope("tests of the console"):
        Plan.objects.get_or_create(code="large", defaults={"name": "Large", "quotas": {"members": 500}})
    changed = {"name": "Hooli AG", "locale": "en", "time_zone": "UTC", "currency": "EUR"}
    assert superuser.post(deed_page("tenants/tenant", hooli.pk, "settings"), changed).status_code == 302
    assert superuser.post(deed_page("tenants/tenant", hooli.pk, "plan"), {"plan": "large"}).status_code == 302
    add = deed_page("tenants/tenant", hooli.pk, "add-host")
    assert superuser.post(add, {"domain": "acme.localhost"}).context["form"].errors, "another tenant's"
    domain = f"crm.{hooli.slug}.example"
    assert superuser.post(add, {"domain": domain, "primary": "on"}).status_code == 302
    row = tenant_of(hooli.slug)
    assert (row.name, row.locale, row.plan_id) == ("Hooli AG", "en", "large")
    with platform_scope("tests of the console"):
        first, second = Host.objects.filter(tenant=row).order_by("is_primary")
    assert second.domain == domain
    assert superuser.get(deed_page("tenants/host", second.pk, "remove")).status_code == 409, (
        "it is the primary one"
    )
    assert superuser.post(deed_page("tenants/host", first.pk, "remove")).status_code == 302
    actions = {entry.action for entry in entries(target=f"tenant:{row.pk}")}
    assert {"tenant.settings_changed", "tenant.plan_changed", "host.added", "host.made_primary"} <= actions
    versions = superuser.get(f"/console/tenants/tenant/{row.pk}/history/").content.decode()
    assert f"name: {hooli.name} → Hooli AG" in versions


def test_what_a_tenants_own_jobs_say_is_not_shown(superuser: Client, people: People) -> None:
    acme = people.tenants["acme"]
    with platform_scope("tests of the console"):
        told = {"message": "Canary 1", "log": "Canary 2", "result": {"row": "Canary 3"}, "error": "Canary 4"}
        own = Job.objects.create(
            tenant_id=acme.id,
            name="objects.import_run",
            title="Import",
            actor={"label": "Ann"},
            state="failed",
            **told,
        )
        ours = Job.objects.create(
            tenant_id=acme.id,
            name="modules.install",
            title="Install",
            actor={"label": "Ann"},
            state="failed",
            **told,
        )
    for job, shown in ((own, False), (ours, True)):
        page = superuser.get(change_page("events/job", job.pk)).content.decode()
        state = superuser.get(f"/console/jobs/{job.pk}/state/").content.decode()
        assert ("Canary" in page, "Canary" in state) == (shown, shown)
    with platform_scope("tests of the console"):
        Job.objects.filter(pk__in=[own.pk, ours.pk]).delete()


def test_the_page_shows_figures_and_no_record(
    superuser: Client, people: People, crm: str, work: Work
) -> None:
    """What members write stays theirs: no field of a record is on any page of the console."""
    from apps.objects import records

    acme = people.tenants["acme"]
    superuser.post(deed_page("tenants/tenant", acme.id, "install"), {"module": crm})
    work()
    from apps.core.actor import SYSTEM

    with tenant_scope(acme):
        records.create("crm_account", {"name": "Canary Account"}, by=SYSTEM)
    page = superuser.get(change_page("tenants/tenant", acme.id)).content.decode()
    assert "Records" in page
    assert "Canary" not in page
    for path in (
        "",
        "modules/",
        "ledger/",
        "ledger/?book=acme",
        "search/?s=canary&extended=1",
        "events/job/",
    ):
        assert "Canary Account" not in superuser.get(f"/console/{path}").content.decode()
    seen = superuser.get("/console/ledger/?book=acme&action=crm_account.created").content.decode()
    assert "crm_account.created" in seen, "that it happened is seen"
    assert "<code>name</code>" in seen, "and which fields"
    superuser.post(
        deed_page("tenants/tenant", acme.id, "uninstall"), {"module": crm, "allow_data_loss": "on"}
    )
    work()


def test_control_the_canary_is_in_the_tenants_ledger(people: People, entries: Any) -> None:
    """Negative control of the test above: the ledger itself holds the value that the console leaves out."""
    created = entries(people.tenants["acme"], action="crm_account.created")
    assert "Canary Account" in {entry.after["name"] for entry in created}
