"""The jobs of imports: chunk by chunk, each in one transaction with the outcome of its rows."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, QuerySet

from apps.core import queue
from apps.core.actor import Actor
from apps.core.errors import Problem
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.objects import catalog, records
from apps.objects.records import tally
from apps.objects.transfer import imports, kept, source
from apps.objects.transfer.mapping import Link
from apps.objects.transfer.models import ImportRow, ImportRun, ImportState
from apps.objects.transfer.rows import Loader, Outcome
from apps.tenants.queries import snapshot

CHUNK = 200


@queue.task("objects.import_check", manages_scope=True)
def check(job: queue.JobHandle, run_id: str) -> dict[str, Any]:
    """Write every row and roll it back, keeping what was wrong."""
    tenant = _tenant(job)
    for rows, loader, done, total in _chunks(job, tenant, UUID(run_id), dry=True):
        if job.cancelled():
            return _end(tenant, UUID(run_id), ImportState.CHOOSING, job.by, dry=True)
        with tenant_scope(tenant):
            outcomes = {number: loader.load(row) for number, row in rows}
            transaction.set_rollback(True)
        with tenant_scope(tenant):
            tally.give_back(tenant, sum(item.action == "created" for item in outcomes.values()))
            _keep(UUID(run_id), outcomes, dry=True)
        job.progress(done + len(rows), total)
    return _end(tenant, UUID(run_id), ImportState.CHECKED, job.by, dry=True)


@queue.task("objects.import_run", manages_scope=True)
def run(job: queue.JobHandle, run_id: str) -> dict[str, Any]:
    """Write every row; a chunk's records and outcomes commit together, so a crash loses and doubles nothing."""
    tenant = _tenant(job)
    for rows, loader, done, total in _chunks(job, tenant, UUID(run_id), dry=False):
        if job.cancelled():
            return _end(tenant, UUID(run_id), ImportState.CANCELLED, job.by, dry=False)
        with tenant_scope(tenant):
            _keep(UUID(run_id), {number: loader.load(row) for number, row in rows}, dry=False)
        job.progress(done + len(rows), total)
    return _end(tenant, UUID(run_id), ImportState.DONE, job.by, dry=False)


@queue.task("objects.import_undo", manages_scope=True)
def undo(job: queue.JobHandle, run_id: str) -> dict[str, Any]:
    """Take back what an import wrote, newest first; what was changed since stays."""
    tenant = _tenant(job)
    kept = taken = 0
    with tenant_scope(tenant):
        total = written(UUID(run_id)).count()
    while True:
        with tenant_scope(tenant):
            outcomes = take_back(UUID(run_id), by=job.by)
        taken += outcomes.count("undone")
        kept += outcomes.count("kept")
        job.progress(taken + kept, total)
        if not outcomes:
            break
    with tenant_scope(tenant):
        counts = {"undone": taken, "kept": kept}
        imports.finish(run_id=UUID(run_id), state=ImportState.UNDONE, counts=counts, by=job.by)
    return counts


def written(run_id: UUID) -> QuerySet[ImportRow]:
    """Return the rows whose records an import made or changed, and nobody took back yet."""
    return ImportRow.objects.filter(run_id=run_id, dry=False, action__in=("created", "updated"))


def take_back(run_id: UUID, *, by: Actor) -> list[str]:
    """Take back the newest chunk of rows; return what became of each: `undone` or `kept`."""
    name = ImportRun.objects.values_list("object_name", flat=True).get(pk=run_id)
    rows = list(written(run_id).order_by("-number")[:CHUNK])
    for row in rows:
        row.action = "undone" if _undo_row(name, row, by) else "kept"
        row.save()
    return [row.action for row in rows]


def _undo_row(name: str, row: ImportRow, by: Actor) -> bool:
    if row.record_id is None:
        return False
    try:
        if row.action == "created":
            records.delete(name, row.record_id, by=by, if_match=row.version)
        else:
            before = kept.values_of(row.record_id, row.before or {})
            records.update(name, row.record_id, before, by=by, if_match=row.version)
    except Problem:
        return False
    return True


def _tenant(job: queue.JobHandle) -> TenantRef:
    with platform_scope("import: which tenant"):
        found = snapshot(job.tenant_id) if job.tenant_id else None
    if found is None:
        message = "The tenant of this import is gone."
        raise LookupError(message)
    return found.ref


def _chunks(
    job: queue.JobHandle, tenant: TenantRef, run_id: UUID, *, dry: bool
) -> Iterator[tuple[list[tuple[int, list[str]]], Loader, int, int]]:
    """Yield (numbered rows, loader, rows done before, rows in all), leaving out rows that have an outcome."""
    with tenant_scope(tenant):
        chosen = ImportRun.objects.get(pk=run_id)
        if dry:
            chosen.rows.filter(dry=True).delete()
        known = set(chosen.rows.filter(dry=dry).values_list("number", flat=True))
        loader = Loader(
            catalog.catalog().object(chosen.object_name),
            chosen.header,
            [Link(**item) for item in chosen.mapping],
            chosen.mode,
            chosen.match_fields,
            job.by,
        )
    table = source.read(chosen.file_name, kept.file_of(chosen))
    waiting = [(number, row) for number, row in enumerate(table.rows, start=1) if number not in known]
    for first in range(0, len(waiting), CHUNK):
        yield waiting[first : first + CHUNK], loader, len(known) + first, len(table.rows)


def _keep(run_id: UUID, outcomes: dict[int, Outcome], *, dry: bool) -> None:
    ImportRow.objects.bulk_create(
        ImportRow(
            run_id=run_id,
            number=number,
            dry=dry,
            action=item.action,
            record_id=None if dry else item.record_id,
            version=item.version,
            before=None if dry else _plain(item.before),
            errors=[_plain(fault.as_dict()) for fault in item.errors],
        )
        for number, item in outcomes.items()
    )


def _plain(value: Any) -> Any:
    """Return the value with exact numbers as text: JSON has no other way to keep them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def _end(tenant: TenantRef, run_id: UUID, state: ImportState, by: Actor, *, dry: bool) -> dict[str, Any]:
    with tenant_scope(tenant):
        rows = ImportRow.objects.filter(run_id=run_id, dry=dry).values("action").annotate(n=Count("id"))
        counts = {row["action"]: row["n"] for row in rows}
        imports.finish(run_id=run_id, state=state, counts=counts, by=by)
    return counts
