"""Reads for the pages and doors of imports."""

import csv
import io
from typing import Any
from uuid import UUID

from django.db.models import BigIntegerField, Sum
from django.db.models.functions import Length

from apps.core.actor import Actor
from apps.core.scope import TenantRef
from apps.objects.transfer import imports, kept, source
from apps.objects.transfer.models import ImportRow, ImportRun

CELLS_BEFORE_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def recent(object_name: str | None, *, by: Actor, limit: int = 20) -> list[ImportRun]:
    """Return the newest imports (into an object): one's own, or all for administrators."""
    rows = ImportRun.objects.defer("content").order_by("-id")
    if object_name is not None:
        rows = rows.filter(object_name=object_name)
    if by.role not in {"owner", "admin"}:
        rows = rows.filter(created_by=by.user_id)
    return list(rows[:limit])


def sample(run_id: UUID, *, by: Actor, limit: int = 5) -> list[list[str]]:
    """Return the first rows of the file."""
    run = imports.find(run_id=run_id, by=by)
    return source.read(run.file_name, kept.file_of(run)).rows[:limit]


def faults(run_id: UUID, *, by: Actor, dry: bool, limit: int = 100) -> list[ImportRow]:
    """Return the rows that failed, in the order of the file."""
    run = imports.find(run_id=run_id, by=by)
    return list(ImportRow.objects.filter(run=run, dry=dry, action="failed").order_by("number")[:limit])


def outcomes(run: ImportRun, *, dry: bool, after: int = 0, limit: int = 1000) -> list[ImportRow]:
    """Return what became of the rows behind line `after`, in the order of the file."""
    return list(run.rows.filter(dry=dry, number__gt=after).order_by("number")[:limit])


def faults_csv(run_id: UUID, *, by: Actor, dry: bool) -> bytes:
    """Return the failed rows as a file that can be mended and uploaded again: their cells and what was wrong."""
    run = imports.find(run_id=run_id, by=by)
    rows = source.read(run.file_name, kept.file_of(run)).rows
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*run.header, "_line", "_error"])
    for row in ImportRow.objects.filter(run=run, dry=dry, action="failed").order_by("number").iterator():
        said = "; ".join(_sentence(item) for item in row.errors)
        writer.writerow([*map(_harmless, rows[row.number - 1]), row.number, _harmless(said)])
    return ("\ufeff" + out.getvalue()).encode()


def stored_bytes(tenant: TenantRef) -> int:
    """Return how much room the files of a tenant's imports take; reads none of them."""
    size = Length("content", output_field=BigIntegerField())
    return int(ImportRun.objects.aggregate(total=Sum(size))["total"] or 0)


def _sentence(item: dict[str, Any]) -> str:
    return f"{item.get('label') or item['field']}: {item['message']}"


def _harmless(cell: str) -> str:
    """Return the cell so that no spreadsheet takes it for a formula."""
    return f"'{cell}" if cell.startswith(CELLS_BEFORE_FORMULAS) else cell
