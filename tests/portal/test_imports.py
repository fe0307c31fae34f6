"""Import pages through HTTP, without scripts: the steps, what is refused, what is found again."""

import html
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.core.actor import SYSTEM
from apps.core.scope import tenant_scope
from apps.events.jobs import queries as events
from apps.events.jobs import work
from apps.events.jobs.runner import drain
from apps.objects import records
from apps.objects.transfer import imports, jobs
from apps.objects.transfer.models import ImportRun
from apps.permissions import services as permissions
from tests import northwind
from tests.portal.atelier import Atelier, make_atelier

CUSTOMERS = northwind.folder() / "customers.csv"
START = "/o/crm_account/import"
BAD = b"Name,Type,E-mail,Owner\nGood,customer,,\nOdd,nonsense,broken,ghost@nowhere.test\n"


@pytest.fixture(scope="module")
def studio(database: dict[str, Any]) -> Atelier:
    """A tenant for imports alone, in which Sam Sales may import too."""
    made = make_atelier("studio")
    with tenant_scope(made.ref):
        body = {"objects": {}, "fields": {}, "systemPermissions": ["import_data"]}
        permissions.create_set(name="importers", label="Importers", body=body, by=SYSTEM)
        permissions.assign(user_id=made.ids["sales"], name="importers", by=SYSTEM)
    return made


def upload(client: Client, content: bytes, name: str = "a.csv", start: str = START) -> str:
    """Send a file; return the address of its import."""
    answer = client.post(start, {"file": SimpleUploadedFile(name, content)})
    assert answer.status_code == 302, text(answer)[-3000:]
    return str(answer["Location"])


def text(answer: Any) -> str:
    """Return the page with its entities resolved."""
    return html.unescape(answer.content.decode())


def selected(page: str) -> dict[str, str]:
    """Return the chosen option of every select by the select's name."""
    found = {}
    for name, body in re.findall(r'<select[^>]* name="([^"]+)"[^>]*>(.*?)</select>', page, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', body)
        found[name] = chosen[1] if chosen else ""
    return found


def counts(page: str) -> dict[str, str]:
    """Return the outcome as the page tells it."""
    found = re.findall(r"<dt>.*?</i>([^<]+)</dt><dd>([^<]+)</dd>", page)
    return {label: number for label, number in found if number != "0"}


def checked(client: Client, content: bytes, name: str = "a.csv", **form: str) -> str:
    """Upload, send the guessed columns with `form` laid over, and let the dry run end."""
    address = upload(client, content, name)
    sent = selected(text(client.get(address))) | {"mode": "insert"} | form
    answer = client.post(f"{address}/columns", sent)
    assert answer.status_code == 302, text(answer)[-3000:]
    drain(30)
    return address


def imported(client: Client, content: bytes, **form: str) -> str:
    """Carry an import through to its end."""
    address = checked(client, content, **form)
    assert client.post(f"{address}/begin")["Location"] == address
    drain(30)
    return address


def names(studio: Atelier, start: str) -> set[str]:
    return {row["name"] for row in studio.rows("crm_account", {"where": {"name": {"$startsWith": start}}})}


def test_northwind_goes_in_and_comes_out_again_without_scripts(studio: Atelier) -> None:
    client = studio.client("admin")
    before = len(studio.rows("crm_account", {"limit": 200}))
    assert "/o/crm_account/import" in text(client.get("/o/crm_account"))
    assert "No imports yet" in text(client.get("/o/crm_contact/import"))
    address = upload(client, CUSTOMERS.read_bytes(), "customers.csv")
    page = text(client.get(address))
    assert "Alfreds Futterkiste" in page and "style=" not in page and not re.search(r"\son[a-z]+=", page)
    form = selected(page)
    assert (form["c1"], form["c5"], form["c0"]) == ("name", "city", "customer_code")
    waiting = client.post(f"{address}/columns", form | {"mode": "insert"}, follow=True)
    assert "hx-get" in text(waiting) and 'http-equiv="refresh"' in text(waiting)
    assert client.get(f"{address}/progress").headers.get("HX-Refresh") is None
    drain(30)
    assert client.get(f"{address}/progress")["HX-Refresh"] == "true"
    page = text(client.get(address))
    assert counts(page) == {"To create": "91"} and "Import 91 records" in page
    assert len(studio.rows("crm_account", {"limit": 200})) == before, "a dry run writes nothing"
    client.post(f"{address}/begin")
    drain(60)
    page = text(client.get(address))
    assert counts(page) == {"Created": "91"}
    assert len(studio.rows("crm_account", {"limit": 200})) == before + 91
    newest = text(client.get(re.search(r'href="(/o/crm_account\?[^"]+)"', page)[1]))
    assert "Wolski" in newest
    assert "customers.csv" in text(client.get(START)) and "Imported" in text(client.get(START))
    assert "91 records that it created go into the bin" in text(client.get(f"{address}/undo"))
    client.post(f"{address}/undo")
    drain(60)
    assert counts(text(client.get(address))) == {"Taken back": "91"}
    assert len(studio.rows("crm_account", {"limit": 200})) == before


def test_errors_stand_by_row_field_and_cell_and_can_be_downloaded(studio: Atelier) -> None:
    client = studio.client("admin")
    address = checked(client, BAD, "bad.csv")
    page = text(client.get(address))
    assert counts(page) == {"To create": "1", "With errors": "1"}
    rows = re.findall(
        r'<tr><td class="ab-num"[^>]*>(\d+)</td><td[^>]*>([^<]+)</td><td[^>]*>([^<]+)</td>(.*?)</tr>', page
    )
    assert [(row, field) for row, field, _said, _cell in rows] == [("2", "Owner")]
    assert "No record is found" in rows[0][2] and "ghost@nowhere.test" in rows[0][3]
    answer = client.get(f"{address}/failed.csv")
    assert 'filename="bad-failed.csv"' in answer["Content-Disposition"]
    lines = answer.content.decode("utf-8-sig").splitlines()
    assert (
        lines[0] == "Name,Type,E-mail,Owner,_line,_error" and len(lines) == 2 and lines[1].startswith("Odd,")
    )
    form = selected(text(client.get(f"{address}/columns"))) | {"c3": "", "mode": "insert"}
    client.post(f"{address}/columns", form)
    drain(30)
    page = text(client.get(address))
    assert {"Type", "E-mail"} <= set(re.findall(r'data-label="Field">([^<]+)<', page))
    assert "prospect, customer, partner" in page


def test_existing_records_are_found_by_a_key_and_get_their_values_back(studio: Atelier) -> None:
    client = studio.client("admin")
    imported(client, b"name,customer_code\nKeyed One,K1\n")
    content = b"name,customer_code\nKeyed Changed,K1\nKeyed Two,K2\n"
    address = imported(client, content, mode="upsert", match_field="customer_code")
    assert counts(text(client.get(address))) == {"Created": "1", "Changed": "1"}
    assert names(studio, "Keyed") == {"Keyed Changed", "Keyed Two"}
    page = text(client.get(f"{address}/undo"))
    assert "1 record that it created goes into the bin" in page
    assert "1 record that it changed gets its old values back" in page
    client.post(f"{address}/undo")
    drain(30)
    assert names(studio, "Keyed") == {"Keyed One"}


def test_what_somebody_changed_since_stays(studio: Atelier) -> None:
    client = studio.client("admin")
    address = imported(client, b"name\nStays One\nStays Two\n")
    with tenant_scope(studio.ref):
        record = studio.one("crm_account", "Stays One")
        records.update("crm_account", record["id"], {"city": "Bern"}, by=studio.actor("owner"))
    client.post(f"{address}/undo")
    drain(30)
    assert counts(text(client.get(address))) == {"Taken back": "1", "Left as they are": "1"}
    assert names(studio, "Stays") == {"Stays One"}


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"c0": "", "c1": ""}, "Choose a field for at least one column."),
        ({"c0": "account_type", "c1": "account_type"}, "Another column goes into “Type” already."),
        ({"mode": "upsert", "match_field": "phone"}, "Choose a field that one of the columns goes into."),
        ({"mode": "nonsense", "match_field": "name"}, "cannot"),
        ({"c1": "no_such_field"}, "cannot be imported"),
        ({"c1": "account_no"}, "cannot be imported"),
        ({"c1": "parent:no_such_key"}, "cannot be imported"),
    ],
)
def test_columns_that_cannot_work_are_refused_and_kept(
    studio: Atelier, form: dict[str, str], said: str
) -> None:
    client = studio.client("admin")
    address = upload(client, b"name,what\nA,B\n")
    answer = client.post(f"{address}/columns", {"c0": "name", "c1": "", "mode": "insert"} | form)
    page = text(answer)
    assert answer.status_code == 400 and "data-error-summary" in page
    assert said in page or "Choose what happens" in page
    if form.get("c1") == "account_type":
        assert selected(page)["c1"] == "account_type"
    assert "Columns to choose" in text(client.get(address))


def test_missing_required_fields_and_ways_to_name_a_record_are_told(studio: Atelier) -> None:
    client = studio.client("admin")
    page = text(client.get(upload(client, b"parent,owner,zzz\nA,b@c.de,1\n")))
    note = re.search(r"data-required[^>]*>", page)
    assert note and "hidden" not in note[0]
    options = dict(re.findall(r'<option value="([^"]+)"[^>]*>([^<]+)<', page))
    assert options["parent:customer_code"] == "Parent account, found by Customer code"
    assert {"parent:name", "parent:id", "owner_id:email", "owner_id:id"} <= set(options)
    assert "account_no" not in options and "created_at" not in options
    assert selected(page)["c0"] == "parent:customer_code" and selected(page)["c1"] == "owner_id:email"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"\n", "The first line must name the columns."),
        ("a.csv", b"a,a\n1,2\n", "Name every column once."),
        ("a.exe", b"MZ", "Upload a CSV, XLSX or JSON file."),
        ("a.xlsx", b"PK nonsense", "Save it as .xlsx or CSV."),
    ],
)
def test_a_bad_file_is_answered_with_its_cure(studio: Atelier, name: str, content: bytes, said: str) -> None:
    answer = studio.client("admin").post(START, {"file": SimpleUploadedFile(name, content)})
    assert answer.status_code == 400 and said in text(answer)


def test_no_file_and_a_file_too_large_are_refused(studio: Atelier, settings: Any) -> None:
    client = studio.client("admin")
    assert "No file was chosen." in text(client.post(START, {}))
    settings.MAX_UPLOAD_BYTES = 100_000
    answer = client.post(START, {"file": SimpleUploadedFile("a.csv", b"name\n" + b"x\n" * 60_000)})
    assert answer.status_code == 413 and "Split it into several files." in text(answer)
    upload(client, b"name\n" + b"x\n" * 40_000)


def test_an_upload_needs_the_pages_token(studio: Atelier) -> None:
    client = studio.client("admin")
    client.handler.enforce_csrf_checks = True
    data = {"file": SimpleUploadedFile("a.csv", b"name\nX\n")}
    assert client.post(START, data).status_code == 403
    client.get(START)
    token = client.cookies["aibos_csrf"].value
    data = {"csrfmiddlewaretoken": token, "file": SimpleUploadedFile("a.csv", b"name\nX\n")}
    assert client.post(START, data).status_code == 302


def test_the_right_to_import_is_asked_for_everywhere(studio: Atelier) -> None:
    address = checked(studio.client("admin"), b"name\nNever\n")
    for who in ("reader", "manager"):
        client = studio.client(who)
        assert START not in text(client.get("/o/crm_account"))
        answer = client.get(START)
        assert answer.status_code == 403
        assert "Adam Admin" in text(answer) and answer["X-Request-Id"] in text(answer)
        sent = client.post(START, {"file": SimpleUploadedFile("a.csv", b"name\nX\n")})
        assert sent.status_code == 403
        assert client.get(address).status_code == 404
    assert studio.client(None).get(START)["Location"].startswith("/sign-in")
    assert START in text(studio.client("sales").get("/o/crm_account")), "the right alone makes the difference"


def test_somebody_elses_import_is_not_there(studio: Atelier) -> None:
    client = studio.client("sales")
    foreign = checked(studio.client("admin"), b"name\nForeign\n", "foreign.csv")
    absent = "/imports/01890000-0000-7000-8000-000000000000"
    for path in ("", "/columns", "/progress", "/failed.csv", "/undo"):
        assert client.get(foreign + path).status_code == client.get(absent + path).status_code == 404
    for path in ("/columns", "/check", "/begin", "/stop", "/undo"):
        assert client.post(foreign + path, {"c0": "name", "mode": "insert"}).status_code == 404
    assert drain(5) == 0 and names(studio, "Foreign") == set()
    assert "foreign.csv" not in text(client.get(START))
    own = checked(client, b"name\nOwn\n", "own.csv")
    assert client.get(own).status_code == 200
    assert studio.client("admin").get(own).status_code == 200, "administrators see every import"


def test_undo_without_the_right_to_delete_says_who_can_grant_it(studio: Atelier) -> None:
    client = studio.client("sales")
    address = imported(client, b"name\nUndeletable\n")
    answer = client.get(f"{address}/undo")
    assert answer.status_code == 403 and "Adam Admin" in text(answer)
    assert client.post(f"{address}/undo").status_code == 403
    assert names(studio, "Undeletable") == {"Undeletable"}


def test_a_stopped_import_is_found_again_and_goes_on(
    studio: Atelier, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = studio.client("admin")
    content = ("name\n" + "".join(f"Chunk {number:02}\n" for number in range(35))).encode()
    address = checked(client, content)
    client.post(f"{address}/begin")
    assert "Waiting for a free worker" in text(client.get(address))
    client.post(f"{address}/begin")
    client.post(f"{address}/stop")
    assert drain(5) == 0, "pressed twice there was one job, and it was stopped before it began"
    assert "The import has stopped" in text(client.get(address))

    monkeypatch.setattr(jobs, "CHUNK", 10)
    client.post(f"{address}/begin")
    kept = jobs._keep

    def keep_and_stop(*args: Any, **more: Any) -> None:
        kept(*args, **more)
        work.cancel(job_of(studio, address), by=studio.actor("admin"))

    monkeypatch.setattr(jobs, "_keep", keep_and_stop)
    drain(30)
    monkeypatch.setattr(jobs, "_keep", kept)
    page = text(client.get(address))
    assert "The import was stopped" in page and "Go on" in page and counts(page)["Created"] in {"10", "20"}
    assert "/undo" in page
    client.post(f"{address}/begin")
    drain(30)
    assert counts(text(client.get(address))) == {"Created": "35"}
    assert len(names(studio, "Chunk")) == 35


def job_of(studio: Atelier, address: str) -> Any:
    with tenant_scope(studio.ref):
        return ImportRun.objects.get(pk=address.rsplit("/", 1)[-1]).job_id


def test_a_stopped_check_leads_back_to_the_columns(studio: Atelier) -> None:
    client = studio.client("admin")
    address = upload(client, b"name\nStopped check\n")
    client.post(f"{address}/columns", {"c0": "name", "mode": "insert"})
    client.post(f"{address}/stop")
    drain(5)
    page = text(client.get(address))
    assert "The check has stopped" in page and f"{address}/columns" in page
    assert client.get(f"{address}/progress")["HX-Refresh"] == "true"
    assert "Where each column goes" in text(client.get(f"{address}/columns"))
    client.post(f"{address}/check")
    drain(30)
    assert counts(text(client.get(address))) == {"To create": "1"}
    client.post(f"{address}/stop")
    with tenant_scope(studio.ref):
        assert events.get(job_of(studio, address)).state == "done"


def test_steps_out_of_order_lead_to_the_step_that_is_due(studio: Atelier) -> None:
    client = studio.client("admin")
    address = upload(client, b"name\nOut of order\n")
    for path in ("/begin", "/undo", "/check", "/stop"):
        assert client.post(address + path)["Location"] == address
    assert drain(5) == 0
    client.post(f"{address}/columns", {"c0": "name", "mode": "insert"})
    drain(30)
    client.post(f"{address}/begin")
    drain(30)
    assert client.post(f"{address}/columns", {"c0": "name", "mode": "insert"})["Location"] == address
    client.post(f"{address}/begin")
    assert drain(5) == 0 and len(names(studio, "Out of order")) == 1


@pytest.mark.parametrize(
    ("code", "word"), [("de", "Spalten"), ("zh-hans", "列"), ("ja", "列"), ("ar", "الأعمدة")]
)
def test_the_pages_speak_the_readers_language(studio: Atelier, code: str, word: str) -> None:
    client = studio.client("admin")
    address = checked(client, BAD)
    client.cookies["aibos_language"] = code
    page = text(client.get(f"{address}/columns"))
    assert word in page and "Where each column goes" not in page and "Check the rows" not in page
    page = text(client.get(address))
    assert "This is what the import would do" not in page and "No record is found" not in page
    page = text(client.post(START, {"file": SimpleUploadedFile("a.csv", b"a,a\n1,2\n")}))
    assert "data-error-summary" in page and "Name every column once." not in page


def test_names_and_cells_are_shown_as_text(studio: Atelier) -> None:
    client = studio.client("admin")
    evil = "<script>alert(1)</script>"
    address = checked(
        client, f"name,{evil}\n{evil},x\n".encode(), f"{evil[:-1]}>.csv"[-60:], c1="account_type"
    )
    for path in ("", "/columns"):
        assert evil not in client.get(address + path).content.decode()


def test_the_service_refuses_what_the_page_would(studio: Atelier) -> None:
    """The door is thin: without the right the service says no as well."""
    from apps.core.errors import PermissionDenied

    with tenant_scope(studio.ref), pytest.raises(PermissionDenied):
        imports.upload(
            object_name="crm_account", file_name="a.csv", content=b"name\nX\n", by=studio.actor("manager")
        )
