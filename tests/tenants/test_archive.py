"""One tenant out and in again: rows, files, people and the ledger; a changed archive is refused."""

import datetime as dt
import json
import shutil
import zipfile
from pathlib import Path

import pytest
from django.db import connections

from apps.audit import ledger, queries
from apps.audit.merkle.maker import sign_now
from apps.audit.privacy import erasure, holds, retention
from apps.audit.sequencer import run_until_empty
from apps.audit.verify import verify
from apps.core import signing
from apps.core.actor import SYSTEM, Actor
from apps.core.db import guard
from apps.core.errors import Conflict, Problem
from apps.core.ids import uuid7
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.identity.models import Membership, User
from apps.tenants import archiving, lifecycle, removal
from apps.tenants.models import Tenant
from apps.tenants.states import State
from tests.audit.settling import settle

CANARY = "Köln – 東京"


@pytest.fixture
def folders(settings: object, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = str(tmp_path / "files")  # type: ignore[attr-defined]
    settings.EXPORT_ROOT = str(tmp_path / "exports")  # type: ignore[attr-defined]
    return tmp_path


def exported(ref: TenantRef, folders: Path) -> Path:
    with platform_scope("test"):
        user = User.objects.create(email=f"ann@{ref.slug}.test", name="Ann")
        Membership.objects.create(tenant_id=ref.id, user=user, role="owner")
    with tenant_scope(ref):
        for number in range(5):
            ledger.record("thing.created", by=SYSTEM, target=f"thing:{number}", after={"name": CANARY})
    path = folders / "files" / str(ref.id) / "logos" / "logo.svg"
    path.parent.mkdir(parents=True)
    path.write_text("<svg/>")
    return archiving.export(tenant_id=ref.id, by=SYSTEM)


def removed(ref: TenantRef) -> None:
    with platform_scope("test"):
        for state in (State.ARCHIVED, State.DELETED):
            lifecycle.move(tenant_id=ref.id, to=state, by=SYSTEM)
        tenant = Tenant.objects.get(pk=ref.id)
    removal.remove(tenant=tenant, by=SYSTEM)


def traces(ref: TenantRef) -> list[str]:
    """Every shared table that still holds the tenant's id."""
    found = []
    with platform_scope("test"), connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'"
            " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT count(*) FROM public."{table}" WHERE tenant_id = %s', [ref.id])
            if cursor.fetchone()[0]:
                found.append(table)
        cursor.execute("SELECT count(*) FROM pg_namespace WHERE nspname = %s", [ref.schema])
        if cursor.fetchone()[0]:
            found.append("schema")
    return found


def test_out_gone_and_back_under_another_name(fresh_tenant: TenantRef, folders: Path) -> None:
    archive = exported(fresh_tenant, folders)
    kept = shutil.copy(archive, folders / "kept.zip")
    with pytest.raises(Conflict, match="exists here"):
        archiving.restore(path=archive, slug="copy", host="copy.localhost", by=SYSTEM)
    before = verify(fresh_tenant)
    removed(fresh_tenant)
    assert traces(fresh_tenant) == []
    assert not (folders / "files" / str(fresh_tenant.id)).exists()
    tenant = archiving.restore(path=Path(kept), slug="risen-again", host="risen.localhost", by=SYSTEM)
    assert (folders / "files" / str(tenant.pk) / "logos" / "logo.svg").read_text() == "<svg/>"
    run_until_empty()
    after = verify(tenant.ref)
    assert (after.bad, after.head) == (None, before.head)
    assert guard.unwalled() == []
    with platform_scope("test"):
        assert Membership.objects.get(tenant=tenant).user.name == "Ann"
    with tenant_scope(tenant.ref), connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM audit_entry WHERE convert_from(body, 'UTF8') LIKE %s", [f"%{CANARY}%"]
        )
        assert cursor.fetchone() == (5,)
    removed(tenant.ref)


def altered(source: Path, target: Path, part: str, change: bytes) -> Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for item in old.infolist():
            new.writestr(item.filename, change if item.filename == part else old.read(item))
    return target


def test_a_changed_archive_is_refused(fresh_tenant: TenantRef, folders: Path) -> None:
    archive = exported(fresh_tenant, folders)
    manifest = json.loads(zipfile.ZipFile(archive).read("manifest.json"))
    cases = {
        "tables/audit_entry.copy": b"",
        "schema.json": b'["DROP SCHEMA public CASCADE"]',
        "manifest.json": json.dumps(manifest | {"rows": {}}).encode(),
        "manifest.sig": bytes(64),
    }
    for part, change in cases.items():
        with pytest.raises(Problem) as caught:
            archiving.restore(
                path=altered(archive, folders / "bad.zip", part, change),
                slug="bad",
                host="bad.localhost",
                by=SYSTEM,
            )
        assert caught.value.code == "ARCHIVE_INVALID", part


def test_another_installation_s_archive_needs_its_key_named(
    fresh_tenant: TenantRef, folders: Path, settings: object
) -> None:
    archive = exported(fresh_tenant, folders)
    settings.SECRET_KEY = "another installation " * 3  # type: ignore[attr-defined]
    with pytest.raises(Problem) as caught:
        archiving.restore(path=archive, slug="other", host="other.localhost", by=SYSTEM)
    assert "another installation" in caught.value.message
    key = (caught.value.cure or "").rsplit(" ", 1)[-1]
    with pytest.raises(Conflict, match="exists here"):
        archiving.restore(path=archive, slug="other", host="other.localhost", by=SYSTEM, trusted=key)


def test_no_archive_at_all(folders: Path) -> None:
    path = folders / "x.zip"
    path.write_bytes(b"PK nonsense")
    with pytest.raises(Problem, match="no archive"):
        archiving.restore(path=path, slug="bad", host="bad.localhost", by=SYSTEM)


def test_what_the_ledger_seals_holds_and_has_removed_goes_along(
    fresh_tenant: TenantRef, folders: Path, settings: object
) -> None:
    user = uuid7()
    anna = Actor(kind="member", id=str(user), label="Anna Adler", user_id=user)
    with tenant_scope(fresh_tenant):
        gone = ledger.record("thing.created", by=anna, target="thing:0")
        for number in range(5):
            ledger.record("thing.created", by=SYSTEM, target=f"thing:{number}")
        retention.set_days(30, by=SYSTEM)
    run_until_empty()
    settle(fresh_tenant)
    sign_now(fresh_tenant)
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=40)
    assert retention.prune(fresh_tenant, by=SYSTEM, now=later).removed
    with tenant_scope(fresh_tenant):
        kept = ledger.record("thing.created", by=anna, target="thing:9")
        erasure.erase("thing:1", by=SYSTEM, reason="asked")
        held = holds.place(subject="thing:2", reason="case", by=SYSTEM)
        holds.release(held.id, by=SYSTEM, reason="closed")
    settle(fresh_tenant)
    archive = folders / "kept.zip"
    shutil.copy(exported(fresh_tenant, folders), archive)
    removed(fresh_tenant)
    old = settings.SECRET_KEY  # type: ignore[attr-defined]
    trusted = signing.fingerprint(signing.public_key("tenant archive"))
    settings.SECRET_KEY = "another installation " * 3  # type: ignore[attr-defined]
    try:
        made = archiving.restore(
            path=archive, slug="moved-ledger", host="moved-ledger.localhost", by=SYSTEM, trusted=trusted
        )
        with tenant_scope(made.ref):
            assert queries.entry(kept).actor.label == "Anna Adler"
            assert queries.entry(gone) is None
            assert [row.subject for row in erasure.recent()] == ["thing:1"]
            assert [row.reason for row in holds.every()] == ["case"]
        assert verify(made.ref).ok
        settle(made.ref)
        sign_now(made.ref)
        verdict = verify(made.ref)
        assert verdict.ok, verdict.bad
        assert verdict.pruned
        removed(made.ref)
    finally:
        settings.SECRET_KEY = old  # type: ignore[attr-defined]
