"""Export of one tenant into a signed archive, and its import under another name, on any installation."""

import json
import re
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import UUID

from django.conf import settings
from psycopg import sql

from apps.audit import ledger
from apps.audit.merkle.restart import begin
from apps.audit.sequencer import run_until_empty
from apps.audit.verify import verify
from apps.core import queue
from apps.core.actor import Actor
from apps.core.db.here import here
from apps.core.db.owner import owner_session
from apps.core.db.walls import build_walls
from apps.core.errors import Conflict, PermissionDenied
from apps.core.ids import uuid7
from apps.core.registry import Registry
from apps.core.scope import platform_scope, tenant_scope
from apps.tenants import lifecycle
from apps.tenants.archive_format import CHUNK, Opened, Writer, check, refused
from apps.tenants.models import Host, Plan, Tenant
from apps.tenants.provision import RESERVED
from apps.tenants.schemas import LATER, describe, migrations_version, replay, schema_of
from apps.tenants.states import State

KEPT = ("name", "locale", "time_zone", "currency", "brand_color", "logo")
LEDGER_TABLE = "audit_entry"
UUID_TEXT = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TABLES = "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r' ORDER BY 1"
COLUMNS = """
SELECT attname, attidentity <> '' FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum
"""


@dataclass(frozen=True)
class Part:
    """What an app keeps of a tenant beside the rows of its tables.

    `export(tenant)` returns rows of plain values; `restore(tenant, rows)` writes them and returns how the
    ids of people changed: old id → id here. `finish(tenant, rows)` works in the tenant's scope once its tables are
    filled.
    """

    export: Callable[[Tenant], list[dict[str, Any]]]
    restore: Callable[[Tenant, list[dict[str, Any]]], Mapping[str, str]]
    finish: Callable[[Tenant, list[dict[str, Any]]], None] = lambda _tenant, _rows: None


parts: Registry[Part] = Registry("archive parts", Part)


def _operator(by: Actor) -> None:
    if by.kind not in {"operator", "system"}:
        msg = "Only operators export and import tenants."
        raise PermissionDenied(msg)


@queue.task("tenants.export", tenant="forbidden", max_attempts=1, manages_scope=True)
def run_export(job: queue.JobHandle, tenant_id: str) -> dict[str, Any]:
    """Export as a job; the result names the file."""
    path = export(tenant_id=UUID(tenant_id), by=job.by, tell=job.progress)
    return {"file": path.name, "bytes": path.stat().st_size}


def export(*, tenant_id: UUID, by: Actor, tell: Callable[..., None] = lambda *_, **__: None) -> Path:
    """Write a tenant's archive below EXPORT_ROOT and return its path; outside any scope.

    All tables are read at one moment. Entries not chained yet are chained first, so that the ledger in the
    archive is whole.
    """
    _operator(by)
    _chain_all(tenant_id)
    folder = Path(settings.EXPORT_ROOT) / str(tenant_id)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{uuid7()}.aibos.zip"
    working = target.with_suffix(".part")
    try:
        with owner_session(), platform_scope("export of a tenant"):
            tenant = Tenant.objects.get(pk=tenant_id)
            with zipfile.ZipFile(working, "w", zipfile.ZIP_DEFLATED) as archive:
                writer = Writer(archive)
                manifest = _write(writer, tenant, tell)
                writer.seal(manifest)
            ledger.record(
                "tenant.exported", by=by, target=f"tenant:{tenant.pk}", after={"rows": manifest["rows"]}
            )
        working.rename(target)
    finally:
        working.unlink(missing_ok=True)
    return target


def _chain_all(tenant_id: UUID, patience: float = 60.0) -> None:
    """Wait until nothing of the tenant's ledger is unchained; a long transaction elsewhere may hold it up."""
    until = time.monotonic() + patience
    while True:
        run_until_empty()
        with platform_scope("export of a tenant"), here().raw_cursor() as cursor:
            cursor.execute(
                "SELECT EXISTS (SELECT 1 FROM public.audit_pending WHERE tenant_id = %s)", [tenant_id]
            )
            if not (cursor.fetchone() or (False,))[0]:
                return
        if time.monotonic() > until:
            msg = "Entries of the tenant's ledger wait for a long transaction to end."
            raise Conflict(
                msg,
                code="LEDGER_LAGS",
                cure="Try again in a few minutes; the health page names the transaction.",
            )
        time.sleep(0.2)


def _write(writer: Writer, tenant: Tenant, tell: Callable[..., None]) -> dict[str, Any]:
    with here().raw_cursor() as cursor:
        cursor.execute("SELECT seq, hash FROM public.audit_head WHERE tenant_id = %s", [tenant.pk])
        seq, head = cursor.fetchone() or (0, b"")
    statements = describe(tenant.schema_name)
    for name, part in parts.items():
        writer.add(f"parts/{name}.json", [json.dumps(part.export(tenant), ensure_ascii=False).encode()])
    rows: dict[str, int] = {}
    with tenant_scope(tenant.ref), here().raw_cursor() as cursor:
        writer.add("schema.json", [json.dumps(statements).encode()])
        tables = [row[0] for row in cursor.execute(TABLES, [tenant.schema_name]).fetchall()]
        for done, table in enumerate(tables):
            tell(done, len(tables), table)
            columns, _ = _columns(cursor, tenant.schema_name, table)
            count = cursor.execute(
                sql.SQL("SELECT count(*) FROM {}").format(_name(tenant.schema_name, table))
            )
            rows[table] = (count.fetchone() or (0,))[0]
            query = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(
                columns, _name(tenant.schema_name, table)
            )
            with cursor.copy(query) as copy:
                writer.add(f"tables/{table}.copy", copy)
    root = Path(settings.MEDIA_ROOT) / str(tenant.pk)
    for path in sorted(item for item in root.rglob("*") if item.is_file()):
        writer.add(f"files/{path.relative_to(root).as_posix()}", _chunks(path))
    return {
        "tenant": {"id": tenant.pk, "slug": tenant.slug, "schema": tenant.schema_name, "plan": tenant.plan_id}
        | {name: getattr(tenant, name) for name in KEPT},
        "version": migrations_version(),
        "rows": rows,
        "ledger": {"seq": seq, "head": bytes(head).hex()},
    }


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as source:
        while chunk := source.read(CHUNK):
            yield chunk


def _name(schema: str, table: str) -> sql.Identifier:
    return sql.Identifier(schema, table)


def _columns(cursor: Any, schema: str, table: str) -> tuple[sql.Composed, list[str]]:
    rows = cursor.execute(COLUMNS, [f'"{schema}"."{table}"']).fetchall()
    identities = [name for name, identity in rows if identity]
    return sql.SQL(", ").join(sql.Identifier(name) for name, _ in rows), identities


def restore(
    *, path: Path, slug: str, host: str, by: Actor, trusted: str | None = None, name: str | None = None
) -> Tenant:
    """Open a tenant from an archive under another slug and host; outside any scope.

    The tenant keeps its id, since its ledger is chained to it: one that still exists here is refused. People
    are found by their address or created without a password. All or nothing; the ledger is verified before
    the transaction commits.
    """
    _operator(by)
    opened = check(path, trusted)
    tenant_id = UUID(opened.manifest["tenant"]["id"])
    written: list[Path] = []
    try:
        with owner_session(), platform_scope("import of a tenant"):
            tenant = _row(opened, slug, host, name)
            with zipfile.ZipFile(path) as archive:
                _fill(archive, opened, tenant)
                written = _files(archive, tenant_id)
            begin(tenant_id)
            verdict = verify(tenant.ref)
            if verdict.bad or verdict.head != opened.manifest["ledger"]["head"]:
                raise refused(f"The ledger in the archive does not verify: {verdict.bad or 'another head'}.")
            after = {"slug": slug, "origin": opened.manifest["tenant"]["slug"], "key": opened.fingerprint}
            lifecycle.note(tenant, "imported", by, after=after)
    except BaseException:
        for item in written:
            item.unlink(missing_ok=True)
        raise
    return tenant


def _row(opened: Opened, slug: str, host: str, name: str | None) -> Tenant:
    origin = opened.manifest["tenant"]
    if opened.manifest["version"] != migrations_version():
        raise refused(
            "The archive was written by another version of AI-BOS.",
            "Upgrade both installations to the same version, then export again.",
        )
    if Tenant.objects.filter(pk=origin["id"]).exists():
        msg = "This very tenant exists here; remove it before importing it again."
        raise Conflict(msg, code="TENANT_EXISTS")
    if (
        slug in RESERVED
        or Tenant.objects.filter(slug=slug).exists()
        or Host.objects.filter(domain=host).exists()
    ):
        msg = f"The address {slug} or the host {host} is taken."
        raise Conflict(msg, code="TENANT_EXISTS")
    plan = Plan.objects.filter(code=origin["plan"]).first() or Plan.objects.get(is_default=True)
    kept = {key: origin[key] for key in KEPT} | ({"name": name} if name else {})
    tenant = Tenant(
        id=UUID(origin["id"]),
        slug=slug,
        schema_name=schema_of(slug),
        plan=plan,
        state=State.ACTIVE,
        schema_version=opened.manifest["version"],
        **kept,
    )
    tenant.clean_fields(exclude=["plan"])
    tenant.save(force_insert=True)
    Host.objects.create(domain=host, tenant=tenant, is_primary=True)
    return tenant


def _fill(archive: zipfile.ZipFile, opened: Opened, tenant: Tenant) -> None:
    origin = opened.manifest["tenant"]["schema"]
    statements = _renamed(json.loads(archive.read("schema.json")), origin, tenant.schema_name)
    ids: dict[bytes, bytes] = {}
    kept = {name: _part(archive, name) for name, _part_of in parts.items()}
    for name, part in parts.items():
        changed = part.restore(tenant, kept[name])
        ids |= {old.encode(): new.encode() for old, new in changed.items() if old != new}
    with tenant_scope(tenant.ref):
        # References between tables hold only when all rows are in, and triggers would count the rows once more.
        references = [text for text in statements if LATER.match(text)]
        tables = [text for text in statements if text not in references]
        replay(tenant.schema_name, tenant.pk, tables, walls=False)
        with here().raw_cursor() as cursor:
            for table, expected in opened.manifest["rows"].items():
                keep = table == LEDGER_TABLE  # its hashes cover the ids
                count = _copy_in(archive, cursor, tenant.schema_name, table, {} if keep else ids)
                if count != expected:
                    raise refused(f"{table}: {count} rows instead of {expected}.")
            for text in references:
                cursor.execute(sql.SQL(text))
        build_walls(tenant.schema_name, tenant.pk)
        for name, part in parts.items():
            part.finish(tenant, kept[name])
    with here().raw_cursor() as cursor:
        head = opened.manifest["ledger"]
        if head["seq"]:
            cursor.execute(
                "INSERT INTO public.audit_head (tenant_id, seq, hash) VALUES (%s, %s, %s)",
                [tenant.pk, head["seq"], bytes.fromhex(head["head"])],
            )


def _part(archive: zipfile.ZipFile, name: str) -> list[dict[str, Any]]:
    """Return the rows of a part; an archive of an earlier release may not have it."""
    file = f"parts/{name}.json"
    found: list[dict[str, Any]] = json.loads(archive.read(file)) if file in archive.namelist() else []
    return found


def _renamed(statements: list[str], origin: str, schema: str) -> list[str]:
    here = re.compile(rf'(?<![\w"])"?{re.escape(origin)}"?(?=\.)')
    return [here.sub(f'"{schema}"', text) for text in statements]


def _copy_in(archive: zipfile.ZipFile, cursor: Any, schema: str, table: str, ids: dict[bytes, bytes]) -> int:
    columns, identities = _columns(cursor, schema, table)
    query = sql.SQL("COPY {} ({}) FROM STDIN").format(_name(schema, table), columns)
    with archive.open(f"tables/{table}.copy") as source, cursor.copy(query) as copy:
        for line in source:
            copy.write(
                UUID_TEXT.sub(lambda found: ids.get(found.group(), found.group()), line) if ids else line
            )
    count: int = cursor.rowcount
    for column in identities:
        cursor.execute(
            sql.SQL(
                "SELECT setval(pg_get_serial_sequence(%s, %s), coalesce(max({}), 0) + 1, false) FROM {}"
            ).format(sql.Identifier(column), _name(schema, table)),
            [f'"{schema}"."{table}"', column],
        )
    return count


def _files(archive: zipfile.ZipFile, tenant_id: UUID) -> list[Path]:
    root = Path(settings.MEDIA_ROOT) / str(tenant_id)
    written = []
    for item in archive.infolist():
        if not item.filename.startswith("files/"):
            continue
        inner = PurePosixPath(item.filename.removeprefix("files/"))
        if inner.is_absolute() or ".." in inner.parts:
            raise refused(f"The file name {item.filename} leads out of the folder.")
        target = root / inner
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(item) as source, target.open("wb") as out:
            while chunk := source.read(CHUNK):
                out.write(chunk)
        written.append(target)
    return written
