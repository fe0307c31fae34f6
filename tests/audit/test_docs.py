"""The page on the ledger: its commands run, and its formula is enough for an auditor."""

import base64
import hashlib
import io
import re
import shlex
from pathlib import Path
from uuid import UUID

import orjson
import psycopg
from django.conf import settings
from django.core.management import call_command
from psycopg import sql

from apps.audit import ledger
from apps.audit.models import Pending
from apps.audit.sealing import keys
from apps.audit.siem.formats import FORMATS
from apps.audit.verify import verify
from apps.core.actor import SYSTEM, Actor
from apps.core.ids import uuid7
from apps.core.scope import TenantRef, tenant_scope
from apps.objects.parse import load_yaml
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


PRIVACY = (Path(__file__).resolve().parents[2] / "docs" / "privacy.md").read_text(encoding="utf-8")


def test_the_page_on_privacy_marks_what_it_says() -> None:
    found = load_yaml(re.findall(r"```yaml\n(.+?)```", PRIVACY, re.DOTALL)[0], "crm_guest.object.yml")
    assert found.personal_fields == {"full_name", "email"}


def test_a_box_opens_as_the_page_says(fresh_tenant: TenantRef) -> None:
    """The formula of the page alone: nonce, AES-256-GCM, and what it is bound to."""
    user = uuid7()
    anna = Actor(kind="member", id=str(user), label="Anna Adler", user_id=user)
    with tenant_scope(fresh_tenant):
        entry_id = ledger.record("lead.created", by=anna)
        body = orjson.loads(bytes(Pending.objects.get(entry_id=entry_id).body))
        (box,) = body["sealed"]
        key = keys.read([UUID(box["key"])])[UUID(box["key"])]
    raw = base64.b64decode(box["box"])
    assert (len(raw) - 12 - 16) % 32 == 0
    bound = fresh_tenant.id.bytes + entry_id.bytes + f"user:{user}".encode()
    assert orjson.loads(key.cipher.decrypt(raw[:12], raw[12:], bound)) == {"actor": {"label": "Anna Adler"}}


def test_the_pages_name_what_exists() -> None:
    from apps.api.urls import urlpatterns

    served = {str(item.pattern) for item in urlpatterns}
    named = set(re.findall(r"/(api/v1/(?:privacy|ledger)/[a-z/<>]+)", PRIVACY + PAGE))
    assert named
    for path in named:
        assert path.replace("<id>", "<uuid:hold_id>") in served, path
    for name in ("SIEM_URL", "SIEM_FORMAT", "SIEM_CA", "SIEM_PERSONAL"):
        assert hasattr(settings, name)
        assert name in PAGE
    assert set(FORMATS) == set(
        re.findall(r"`SIEM_FORMAT` is (.+?) \(", PAGE)[0].replace("`", "").replace(" or ", ", ").split(", ")
    )
