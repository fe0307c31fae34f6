"""The page on the ledger: its commands run, and its formula is enough for an auditor."""

import hashlib
import io
import re
import shlex
from pathlib import Path

import psycopg
from django.core.management import call_command
from psycopg import sql

from apps.audit import ledger
from apps.audit.verify import verify
from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, tenant_scope
from tests.audit.settling import settle

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "ledger.md").read_text(encoding="utf-8")


def test_every_command_on_the_page_runs(acme: TenantRef) -> None:
    settle()
    commands = re.findall(r'make manage ARGS="(ledger [^"]+)"', PAGE)
    assert len(commands) == 3
    for command in commands:
        said = io.StringIO()
        call_command(*shlex.split(command), stdout=said)
        assert said.getvalue()


def test_every_finding_is_explained() -> None:
    named = set(
        re.findall(
            r'"([a-z ]+)"',
            (Path(ledger.__file__).parent / "types.py").read_text().split("Flaw =")[1].split("]")[0],
        )
    )
    explained = {name for name in named if f"| {name} |" in PAGE}
    assert explained == named
    assert len(named) == 14


def test_an_auditor_needs_the_formula_alone(fresh_tenant: TenantRef, superuser_url: str) -> None:
    with tenant_scope(fresh_tenant):
        for number in range(5):
            ledger.record("lead.created", by=SYSTEM, after={"number": number})
    settle(fresh_tenant)
    statement = sql.SQL("SELECT seq, body, hash FROM {} ORDER BY seq").format(
        sql.Identifier(fresh_tenant.schema, "audit_entry")
    )
    with psycopg.connect(superuser_url) as auditor:
        rows = auditor.execute(statement).fetchall()
    before = bytes(32)
    for seq, body, digest in rows:
        before = hashlib.sha256(
            b"\x00" + fresh_tenant.id.bytes + seq.to_bytes(8, "big") + before + body
        ).digest()
        assert before == digest
    assert verify(fresh_tenant).head == before.hex()
