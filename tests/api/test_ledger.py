"""The ledger's proofs over HTTP, checked as a stranger would: with the answers alone and the pinned key."""

import base64
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from aibos_verify import Pins, judge
from aibos_verify.hashes import consistent, included
from aibos_verify.notes import opened, read_key

from apps.audit import ledger, queries
from apps.audit.merkle import note, tree
from apps.audit.merkle.maker import sign_now
from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, tenant_scope
from tests.api.conftest import Caller, caller
from tests.audit.settling import settle
from tests.people import People

V1 = "/api/v1/ledger"
CANARY = "only globex knows"


def raw(text: str) -> bytes:
    return base64.b64decode(text)


def write(tenant: TenantRef, count: int, **after: Any) -> None:
    with tenant_scope(tenant):
        for number in range(count):
            ledger.record(
                "lead.created", by=SYSTEM, target=f"api_lead:{number}", after={"number": number, **after}
            )
    settle(tenant)
    sign_now(tenant)


@pytest.fixture(scope="module")
def signed(people: People) -> None:
    """Both tenants' ledgers with entries, signed twice."""
    for _ in range(2):
        write(people.tenants["acme"], 40)
        write(people.tenants["globex"], 9, secret=CANARY)


pytestmark = pytest.mark.usefixtures("signed")


def pinned(who: Caller) -> bytes:
    keys = who.get(f"{V1}/keys").json()["keys"]
    assert keys[0]["current"]
    assert read_key(keys[0]["verifierKey"]) == bytes.fromhex(keys[0]["publicKey"]) == note.keys()[0]
    return bytes.fromhex(keys[0]["publicKey"])


def test_the_newest_checkpoint_and_the_signed_note(owner: Caller, acme: TenantRef) -> None:
    told = owner.get(f"{V1}/checkpoint").json()
    said = opened(told["note"], [pinned(owner)])
    assert (said.size, said.root, said.origin) == (told["size"], raw(told["root"]), f"aibos/{acme.id}")
    plain = owner.get(f"{V1}/checkpoint?format=note&size={told['size']}")
    assert plain["Content-Type"].startswith("text/plain")
    assert plain.content.decode() == told["note"]


def test_all_checkpoints_page_by_page(owner: Caller) -> None:
    first = owner.get(f"{V1}/checkpoints?limit=1").json()
    second = owner.get(f"{V1}/checkpoints?limit=1&before={first['nextBefore']}").json()
    sizes = [page["checkpoints"][0]["size"] for page in (first, second)]
    assert sizes == sorted(sizes, reverse=True)
    assert owner.get(f"{V1}/checkpoint?size={sizes[1]}").json()["size"] == sizes[1]


def test_inclusion_by_number_and_by_id(owner: Caller, acme: TenantRef) -> None:
    with tenant_scope(acme):
        entry = queries.browse(queries.Filters(action="lead.created"), limit=1).entries[0]
    by_id = owner.get(f"{V1}/proofs/inclusion?entry={entry.id}").json()
    by_seq = owner.get(f"{V1}/proofs/inclusion?seq={entry.seq}").json()
    assert by_id == by_seq
    said = opened(by_id["checkpoint"]["note"], [pinned(owner)])
    proof = [raw(item) for item in by_id["proof"]]
    assert included(raw(by_id["leafHash"]), by_id["seq"] - 1, said.size, proof, said.root)
    assert not included(raw(by_id["leafHash"]), by_id["seq"] - 2, said.size, proof, said.root)


def test_consistency_between_any_two(owner: Caller) -> None:
    sizes = [item["size"] for item in owner.get(f"{V1}/checkpoints").json()["checkpoints"]]
    assert len(sizes) >= 2
    told = owner.get(f"{V1}/proofs/consistency?from={sizes[-1]}&to={sizes[0]}").json()
    old, new = (opened(told[name]["note"], [pinned(owner)]) for name in ("old", "new"))
    proof = [raw(item) for item in told["proof"]]
    assert consistent(old.size, new.size, old.root, new.root, proof)
    assert not consistent(old.size, new.size, new.root, old.root, proof)


def test_consistency_from_what_only_the_caller_keeps(owner: Caller, acme: TenantRef) -> None:
    told = owner.get(f"{V1}/proofs/consistency?from=3").json()
    new = opened(told["new"]["note"], [pinned(owner)])
    assert told["old"] is None
    with tenant_scope(acme):
        root = tree.root_at(acme.id, 3)
    assert consistent(3, new.size, root, new.root, [raw(item) for item in told["proof"]])


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("checkpoint?size=999999", 404, "RESOURCE_NOT_FOUND"),
        ("checkpoint?size=x", 400, "INVALID_QUERY"),
        ("checkpoints?limit=0", 400, "INVALID_QUERY"),
        ("proofs/inclusion", 400, "INVALID_QUERY"),
        ("proofs/inclusion?entry=nonsense", 400, "INVALID_QUERY"),
        ("proofs/inclusion?entry=01a1f900-0000-7000-8000-000000000000", 404, "RESOURCE_NOT_FOUND"),
        ("proofs/inclusion?seq=999999", 409, "NOT_SIGNED"),
        ("proofs/consistency", 400, "INVALID_QUERY"),
        ("proofs/consistency?from=999999", 400, "INVALID_QUERY"),
        ("proofs/consistency?from=1&to=999999", 404, "RESOURCE_NOT_FOUND"),
        ("evidence", 400, "INVALID_SELECTION"),
        ("evidence?kind=record", 400, "INVALID_SELECTION"),
        ("evidence?kind=record&target=api_lead:none", 400, "NOTHING_FOUND"),
        ("evidence?kind=person&person=me", 400, "INVALID_SELECTION"),
        ("evidence?kind=period&since=2026-02-01&until=2026-01-01", 400, "INVALID_SELECTION"),
        ("evidence?kind=period&since=yesterday", 400, "INVALID_QUERY"),
        ("evidence?kind=ledger&format=pdf", 400, "INVALID_QUERY"),
        ("evidence?kind=ledger&from=a,b", 400, "INVALID_QUERY"),
    ],
)
def test_refusals_have_a_code(owner: Caller, path: str, status: int, code: str) -> None:
    answer = owner.get(f"{V1}/{path}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


QUESTIONS = {
    "record": "kind=record&target=api_lead:7",
    "period": "kind=period&since=2020-01-01T00:00:00Z",
    "ledger": "kind=ledger",
}


@pytest.mark.parametrize("form", ["zip", "json"])
@pytest.mark.parametrize("kind", QUESTIONS)
def test_evidence_holds(owner: Caller, acme: TenantRef, tmp_path: Path, kind: str, form: str) -> None:
    answer = owner.get(f"{V1}/evidence?{QUESTIONS[kind]}&format={form}")
    assert answer.status_code == 200
    assert f'filename="evidence-{kind}-' in answer["Content-Disposition"]
    path = tmp_path / f"evidence.{form}"
    path.write_bytes(b"".join(answer.streaming_content))
    report = judge(path, Pins([pinned(owner)], acme.id))
    assert report.ok, report.findings
    assert report.facts["entries"] == 2 if kind == "record" else report.facts["entries"] > 80


def test_evidence_about_a_person_names_them_everywhere(owner: Caller, people: People) -> None:
    user_id = people.actor("owner", "acme").user_id
    answer = owner.get(f"{V1}/evidence?kind=person&person={user_id}&format=json")
    values = json.loads(b"".join(answer.streaming_content))
    assert values["entries"]
    assert all(str(user_id) in entry["body"] for entry in values["entries"])


def test_taking_evidence_is_an_entry(owner: Caller, acme: TenantRef) -> None:
    owner.get(f"{V1}/evidence?kind=record&target=api_lead:3").close()
    with tenant_scope(acme):
        entry = queries.browse(queries.Filters(action="ledger.exported"), limit=1).entries[0]
    assert entry.details["evidence"] == {"kind": "record", "target": "api_lead:3"}


def test_nobody_sees_another_tenants(owner: Caller, keys: dict[str, str], acme: TenantRef) -> None:
    """Negative control: globex' own owner finds the word."""

    def texts(who: Caller) -> str:
        found = [who.get(f"{V1}/{path}").content.decode() for path in ("keys", "checkpoint", "checkpoints")]
        for question in QUESTIONS.values():
            answer = who.get(f"{V1}/evidence?{question}&format=json")
            found.append(b"".join(answer.streaming_content).decode())
        return "".join(found)

    mine, theirs = texts(owner), texts(caller("globex", keys["owner@globex"]))
    assert CANARY not in mine
    assert CANARY in theirs
    assert str(acme.id) in mine
    assert str(acme.id) not in theirs
    assert caller("globex", keys["owner@acme"]).get(f"{V1}/evidence?kind=ledger").status_code in {401, 403}


@pytest.mark.parametrize(
    "path", ["keys", "checkpoint", "checkpoints", "proofs/inclusion?seq=1", "proofs/consistency?from=1",
             "evidence?kind=ledger", "anchor"],
)  # fmt: skip
def test_who_may_not_view_the_ledger_gets_nothing(keys: dict[str, str], path: str) -> None:
    assert caller("acme", keys["reader@acme"]).get(f"{V1}/{path}").status_code == 403
    assert caller("acme").get(f"{V1}/{path}").status_code == 401


def test_a_zip_is_readable_by_people(owner: Caller) -> None:
    answer = owner.get(f"{V1}/evidence?kind=ledger")
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive:
        assert set(archive.namelist()) == {
            "README.txt", "evidence.json", "checkpoint.txt", "entries.jsonl", "leaves"
        }  # fmt: skip
        assert "aibos-verify" in archive.read("README.txt").decode()


def test_the_tenants_own_anchor(owner: Caller, keys: dict[str, str], acme: TenantRef) -> None:
    assert owner.get(f"{V1}/anchor").status_code == 404
    refused = owner.send("PUT", f"{V1}/anchor", {"url": "https://127.0.0.1/x"})
    assert (refused.status_code, refused.json()["code"]) == (400, "URL_REFUSED")
    assert owner.send("PUT", f"{V1}/anchor", {"url": "x", "more": 1}).json()["code"] == "INVALID_REQUEST"
    made = owner.send("PUT", f"{V1}/anchor", {"url": "https://ledger.example.org/kept"})
    assert made.json() == {
        "url": "https://ledger.example.org/kept", "told": 0, "toldAt": None, "failures": 0, "error": None
    }  # fmt: skip
    assert owner.get(f"{V1}/anchor").json() == made.json()
    assert caller("acme", keys["sales@acme"]).send("DELETE", f"{V1}/anchor").status_code == 403
    assert owner.send("DELETE", f"{V1}/anchor").status_code == 200
    with tenant_scope(acme):
        actions = [
            entry.action for entry in queries.browse(queries.Filters(action="ledger.*"), limit=9).entries
        ]
    assert {"ledger.anchor_set", "ledger.anchor_removed"} <= set(actions)
