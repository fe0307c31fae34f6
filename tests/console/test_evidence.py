"""Evidence of the platform's ledger from the console: for superusers, about what the page shows; never a tenant's."""

import re
from html import unescape
from pathlib import Path

from aibos_verify import Pins, judge
from django.test import Client

from apps.audit import ledger
from apps.audit.merkle import note
from apps.audit.merkle.maker import sign_now
from apps.core.actor import SYSTEM
from apps.core.ids import NIL
from apps.core.scope import TenantRef, platform_scope
from tests.audit.settling import settle


def link(client: Client, query: str) -> str:
    text = client.get(f"/console/ledger/?{query}").content.decode()
    found = re.search(r'href="(/api/v1/ledger/evidence[^"]*)"', text)
    return unescape(found[1]) if found else ""


def test_the_platforms_evidence_holds(superuser: Client, acme: TenantRef, tmp_path: Path) -> None:
    with platform_scope("test"):
        ledger.record("plan.created", by=SYSTEM, target="plan:gold")
    settle()
    sign_now(None)
    for query, kind in (
        ("book=platform", "kind=ledger"),
        ("book=platform&target=plan:gold", "kind=record"),
        ("book=platform&since=2020-01-01", "kind=period"),
    ):
        address = link(superuser, query)
        assert kind in address
        answer = superuser.get(address)
        assert answer.status_code == 200, answer
        path = tmp_path / "evidence.zip"
        path.write_bytes(b"".join(answer.streaming_content))
        report = judge(path, Pins(note.keys(), NIL))
        assert report.ok, report.findings


def test_a_tenants_evidence_is_the_tenants_business(superuser: Client, acme: TenantRef) -> None:
    assert link(superuser, "book=acme") == ""
    headers = {"HTTP_X_TENANT": "acme"}
    assert superuser.get("/api/v1/ledger/evidence?kind=ledger", **headers).status_code in {401, 403, 404}


def test_an_operator_of_single_tenants_gets_none(scoped: Client) -> None:
    assert scoped.get("/api/v1/ledger/evidence?kind=ledger").status_code == 403
