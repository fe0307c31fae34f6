"""The page of evidence: what is signed, files about a record, a person or a period, and the tenant's own witness."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from aibos_verify import Pins, judge
from django.test import Client

from apps.audit import ledger
from apps.audit.anchors import customer
from apps.audit.merkle import note
from apps.audit.merkle.maker import sign_now
from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, tenant_scope
from apps.objects import records
from tests.audit.settling import settle
from tests.people import People
from tests.portal.atelier import Atelier
from tests.portal.browser import faults, opened, sign_in
from tests.servers import LiveServer

PAGE = "/settings/ledger/evidence"


def enter(people: People, name: str) -> Client:
    client = Client(HTTP_HOST="acme.localhost")
    done = client.post("/sign-in", {"email": people.email(name, "acme"), "password": people.password})
    assert done.status_code == 302
    return client


@pytest.fixture
def signed(acme: TenantRef) -> TenantRef:
    with tenant_scope(acme):
        for number in range(5):
            ledger.record("lead.created", by=SYSTEM, target=f"crm_lead:{number}", after={"number": number})
    settle(acme)
    sign_now(acme)
    return acme


def test_the_page_shows_what_is_signed(people: People, signed: TenantRef) -> None:
    text = enter(people, "owner").get(PAGE).content.decode()
    key = re.search(r'id="e-key" readonly value="([^"]+)"', text)
    assert key
    assert key[1] == note.verifier_key(f"aibos/{signed.id}", note.keys()[0])


@pytest.mark.parametrize(
    ("question", "count"),
    [
        ("kind=record&target=crm_lead:3", 1),
        ("kind=period&since=2020-01-01&until=2999-01-01", None),
        ("kind=ledger", None),
    ],
)
def test_the_file_holds(
    people: People, signed: TenantRef, tmp_path: Path, question: str, count: int | None
) -> None:
    client = enter(people, "owner")
    lead = client.get(f"{PAGE}/take?{question}")
    assert lead.status_code == 302
    answer = client.get(lead["Location"])
    assert answer.status_code == 200, answer
    path = tmp_path / "evidence.zip"
    path.write_bytes(b"".join(answer.streaming_content))
    report = judge(path, Pins(note.keys(), signed.id))
    assert report.ok, report.findings
    assert report.facts["entries"] >= 1 if count is None else report.facts["entries"] >= count


def test_a_person_is_chosen_from_the_members(people: People, signed: TenantRef) -> None:
    client = enter(people, "owner")
    user = people.actor("owner", "acme").user_id
    assert f'<option value="{user}">' in client.get(PAGE).content.decode()
    answer = client.get(client.get(f"{PAGE}/take?kind=person&person={user}&format=json")["Location"])
    entries = json.loads(b"".join(answer.streaming_content))["entries"]
    assert entries
    assert all(str(user) in entry["body"] for entry in entries)


@pytest.mark.parametrize(
    "question", ["kind=record&target=x", "kind=period", "kind=period&since=2026-02-02&until=2026-01-01"]
)
def test_a_question_without_sense_is_explained(people: People, signed: TenantRef, question: str) -> None:
    answer = enter(people, "owner").get(f"{PAGE}/take?{question}")
    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()


def test_a_period_reaches_to_the_end_of_its_last_day(people: People, signed: TenantRef) -> None:
    """In the reader's zone: Berlin's day ends at 23:00 UTC in winter."""
    lead = enter(people, "owner").get(f"{PAGE}/take?kind=period&since=2026-01-10&until=2026-01-10")[
        "Location"
    ]
    assert "since=2026-01-10T00%3A00%3A00" in lead
    assert "until=2026-01-11T00%3A00%3A00" in lead


def test_who_may_not_read_the_ledger_sees_nothing(people: People, signed: TenantRef) -> None:
    client = enter(people, "reader")
    for path in (PAGE, f"{PAGE}/take?kind=ledger"):
        assert client.get(path).status_code == 403
    assert client.post(f"{PAGE}/anchor", {"url": "https://example.org"}).status_code == 403
    assert "settings/ledger" not in client.get("/settings/members").content.decode()


def test_the_witness_is_set_and_removed(people: People, signed: TenantRef, settings: Any) -> None:
    client = enter(people, "owner")
    bad = client.post(f"{PAGE}/anchor", {"url": "https://10.0.0.1/x"})
    assert bad.status_code == 422
    assert "10.0.0.1" in bad.content.decode()
    assert client.post(f"{PAGE}/anchor", {"url": "https://ledger.example.org/x"}).status_code == 302
    assert "https://ledger.example.org/x" in client.get(PAGE).content.decode()
    assert client.post(f"{PAGE}/anchor", {"remove": "1"}).status_code == 302
    with tenant_scope(signed):
        assert customer.place() is None


def test_the_ledgers_page_leads_here_with_its_record(people: People, signed: TenantRef) -> None:
    text = enter(people, "owner").get("/settings/ledger?target=crm_lead:3").content.decode()
    assert f"{PAGE}?target=crm_lead%3A3" in text


def test_a_records_versions_lead_here(atelier: Atelier) -> None:
    with tenant_scope(atelier.ref):
        lead = records.create("crm_lead", {"name": "Zoe", "company": "Zoe ltd"}, by=atelier.actor("owner"))
    path = f"/o/crm_lead/{lead.id}/versions"
    target = f"{PAGE}?target=crm_lead%3A{lead.id}"
    assert target in atelier.client("admin").get(path).content.decode()
    text = atelier.client("manager").get(path).content.decode()
    assert "Versions of" in text
    assert PAGE not in text, "negative control: who may not read the ledger"


@pytest.mark.browser
def test_a_manager_takes_evidence_in_a_browser(
    people: People, signed: TenantRef, server: LiveServer, tmp_path: Path
) -> None:
    base = f"http://acme.localhost:{server.port}"
    with opened() as page:
        sign_in(page, base, people.email("owner", "acme"), people.password)
        page.goto(f"{base}{PAGE}?target=crm_lead:3")
        assert page.get_by_label("About a record").first.input_value() == "crm_lead:3"
        assert faults(page) == []
        with page.expect_download() as taken:
            page.get_by_role("button", name="Take evidence About a record").click()
        path = tmp_path / "evidence.zip"
        taken.value.save_as(path)
        assert judge(path, Pins(note.keys(), signed.id)).ok
        page.emulate_media(color_scheme="dark")
        page.reload()  # colours that glide from one scheme to the other are neither
        assert faults(page) == []
        if folder := os.environ.get("PICTURES"):
            page.set_viewport_size({"width": 1280, "height": 1500})
            page.screenshot(path=f"{folder}/evidence-dark.png", full_page=True)
            page.emulate_media(color_scheme="light")
            page.screenshot(path=f"{folder}/evidence-light.png", full_page=True)
            page.set_viewport_size({"width": 390, "height": 800})
            page.screenshot(path=f"{folder}/evidence-phone.png", full_page=True)
