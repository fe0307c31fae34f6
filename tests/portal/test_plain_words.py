"""Pages say numbers that are true, and names instead of ids and codes."""

import io
import re
from uuid import uuid4

from django.test import Client
from openpyxl import load_workbook

from apps.audit import ledger
from apps.core.actor import SYSTEM
from apps.core.scope import tenant_scope
from tests.portal.atelier import Atelier


def row(text: str, label: str) -> str:
    """Return the text of the list entry that holds `label`."""
    items = re.findall(r"<li>.*?</li>", text, re.DOTALL)
    return re.sub(r"<[^>]+>", " ", next(item for item in items if f">{label}<" in item))


def test_sets_held_by_role_are_counted(atelier: Atelier) -> None:
    client = atelier.client("admin")
    people = re.search(r"(\d+) members", client.get("/settings/members").content.decode())[1]
    text = client.get("/settings/permissions").content.decode()
    assert f"{people} members" in row(text, "Member"), "every active member holds it"
    assert "0 members" not in row(text, "Full access")
    assert "CRM " in row(text, "CRM sales").split("nothing.")[1], "the module's name, not its id"


def test_rights_on_fields_name_the_fields(atelier: Atelier) -> None:
    text = atelier.client("admin").get("/settings/permissions/crm_sales").content.decode()
    assert "<b>Credit limit</b><small>Accounts</small>" in text
    assert "crm_account.credit_limit" not in text


def test_a_key_without_a_scope_is_refused_and_scopes_are_words(atelier: Atelier) -> None:
    client = atelier.client("manager")
    refused = client.post("/settings/keys", {"name": "Wide", "days": "30"})
    assert refused.status_code == 400 and "Choose at least one scope." in refused.content.decode()
    made = client.post(
        "/settings/keys", {"name": "Definitions", "scopes": ["metadata:read"], "days": "30"}
    ).content.decode()
    assert re.search(r'ab-tag-plain">Read definitions<', made)
    key = re.search(r'id="new-key" readonly value="([^"]+)"', made)[1]
    stranger = atelier.client(None)
    assert stranger.get("/api/v1/meta", headers={"x-api-key": key}).status_code == 200
    assert stranger.get("/api/v1/data/crm_lead", headers={"x-api-key": key}).status_code == 403


def test_the_offered_scopes_are_areas_that_exist(atelier: Atelier) -> None:
    text = atelier.client("manager").get("/settings/keys").content.decode()
    assert set(re.findall(r'name="scopes" value="([^"]+)"', text)) == {
        "*",
        "data:read",
        "data:*",
        "metadata:read",
    }


def test_the_ledger_names_people(atelier: Atelier) -> None:
    text = atelier.client("admin").get("/settings/ledger?action=session.started").content.decode()
    assert "session.started" in text
    assert not re.search(r"<td[^>]*>\s*(<[^>]+>)?user:[0-9a-f]{8}-", text)


def test_an_absent_record_is_refused_in_words(atelier: Atelier) -> None:
    key = str(uuid4())
    answer = atelier.client("admin").get(f"/o/crm_lead/{key}")
    assert answer.status_code == 404
    assert "There is no such record." in answer.content.decode()
    assert f"Record {key}" not in answer.content.decode()


def test_an_exported_file_is_called_as_its_list(atelier: Atelier) -> None:
    answer = atelier.client("admin").get("/o/crm_lead/export?format=xlsx&f=")
    assert 'filename="leads-' in answer["Content-Disposition"]
    sheet = load_workbook(io.BytesIO(b"".join(answer.streaming_content))).active
    assert sheet.title == "Leads"
    assert sheet.column_dimensions["A"].width >= 16


def test_a_change_is_told_with_the_name_of_the_record(atelier: Atelier) -> None:
    lead = atelier.rows("crm_lead", {"limit": 1})[0]
    client = atelier.client("admin")
    client.post(f"/o/crm_lead/{lead['id']}/edit", {**_form(client, lead["id"]), "city": "Bremen"})
    for path in ("/settings/ledger?action=crm_lead.updated", "/"):
        text = client.get(path).content.decode()
        assert re.search(rf'href="/o/crm_lead/{lead["id"]}"[^>]*>{re.escape(lead["name"])}<', text), path


def test_a_target_that_is_no_id_is_shown_as_it_is(atelier: Atelier) -> None:
    with tenant_scope(atelier.ref):
        ledger.record("user.tested", by=SYSTEM, target="user:not-an-id")
    assert (
        "user:not-an-id"
        in atelier.client("admin").get("/settings/ledger?action=user.tested").content.decode()
    )


def _form(client: Client, key: str) -> dict[str, str]:
    """Return the fields of the edit form as a browser would send them, single values only."""
    text = client.get(f"/o/crm_lead/{key}/edit").content.decode()
    found = dict(re.findall(r'<input[^>]* name="(\w+)"[^>]* value="([^"]*)"', text))
    for name, body in re.findall(r'<select[^>]* name="(\w+)"[^>]*>(.*?)</select>', text, re.DOTALL):
        chosen = re.search(r'value="([^"]*)"[^>]* selected', body)
        found[name] = chosen[1] if chosen else ""
    return found
