"""Imports without a file that is kept: rows in, the outcome of each out, in the transaction in force."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from apps.audit import ledger
from apps.core.actor import Actor
from apps.core.errors import FieldError, Invalid, Problem
from apps.core.scope import current_tenant
from apps.objects.definitions import ObjectDef
from apps.objects.records import tally
from apps.objects.transfer import imports, jobs
from apps.objects.transfer.mapping import Link, importable, plain
from apps.objects.transfer.models import ImportRun, ImportState, Mode
from apps.objects.transfer.rows import Loader, Outcome
from apps.objects.transfer.source import Table
from apps.permissions.access import Access

MOST = 1_000
Chosen = Mapping[str, tuple[str, str | None] | None]


@dataclass(frozen=True)
class Wish:
    """What to do with a table. `mapping` is column → (field, key of the referenced object), None leaves it out."""

    mode: str = Mode.INSERT
    keys: tuple[str, ...] = ()
    mapping: Chosen | None = None
    dry: bool = False


def load(object_name: str, table: Table, wish: Wish, *, by: Actor) -> list[Outcome]:
    """Write the rows one by one, at most `MOST`; a row that is refused does not hinder the others.

    With `wish.dry` everything is written and rolled back, so that the outcomes are the true ones.
    """
    obj, access = imports.allowed(object_name, by)
    if len(table.rows) > MOST:
        message = f"At most {MOST:,} rows are imported at once."
        raise Problem("PAYLOAD_TOO_LARGE", message, status=413, cure="Create an import job instead.")
    links = links_of(table.header, wish.mapping, obj, access)
    imports.check_choice(obj, access, table.header, links, wish.mode, wish.keys)
    loader = Loader(obj, table.header, links, wish.mode, wish.keys, by)
    with transaction.atomic():
        outcomes = [loader.load(row) for row in table.rows]
        if wish.dry:
            transaction.set_rollback(True)
    if wish.dry:
        tally.give_back(current_tenant(), counts(outcomes)["created"])
    else:
        after = counts(outcomes) | {"mode": wish.mode}
        ledger.record("records.imported", by=by, target=f"object:{obj.name}", after=after)
    return outcomes


def is_small(run: ImportRun) -> bool:
    """Tell whether an import wrote so little that it can be taken back at once."""
    return jobs.written(run.id).count() <= MOST


@transaction.atomic
def undo(run_id: UUID, *, by: Actor) -> dict[str, int]:
    """Take back a small import at once; return how many records were `deleted`, `restored` and left (`failed`).

    Raises `Conflict` when it cannot be taken back (any more), 413 when it wrote more than `MOST` records.
    """
    run = imports.find(run_id=run_id, by=by, lock=True)
    imports.allowed(run.object_name, by)
    if not is_small(run):
        message = f"It wrote more than {MOST:,} records."
        raise Problem("PAYLOAD_TOO_LARGE", message, status=413, cure="Take it back as a job.")
    imports.move(run, ImportState.UNDOING)
    run.save()
    while jobs.take_back(run.id, by=by):
        pass
    rows = run.rows.filter(dry=False)
    deleted = rows.filter(action="undone", before__isnull=True).count()
    restored = rows.filter(action="undone", before__isnull=False).count()
    kept = rows.filter(action="kept").count()
    told = {"undone": deleted + restored, "kept": kept}
    imports.finish(run_id=run.id, state=ImportState.UNDONE, counts=told, by=by)
    return {"deleted": deleted, "restored": restored, "failed": kept}


def counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Return how many rows ended in each way."""
    found = dict.fromkeys(("created", "updated", "skipped", "failed"), 0)
    for item in outcomes:
        found[item.action] += 1
    return found


def links_of(header: Sequence[str], mapping: Chosen | None, obj: ObjectDef, access: Access) -> list[Link]:
    """Return the links that a program asked for; a column that goes nowhere must be left out by name.

    Without a mapping a column is a field's name or label, or `field.key` for a reference found by that key.
    """
    if mapping is not None:
        faults = [
            FieldError(name, "unmapped", f"{name!r} goes nowhere.") for name in header if name not in mapping
        ]
        links = [Link(column, *chosen) for column, chosen in mapping.items() if chosen is not None]
    else:
        named = _names(obj, access)
        found = {column: _exact(column, named, obj) for column in header}
        faults = [
            FieldError(c, "unmapped", f"{c!r} is no field.") for c, link in found.items() if link is None
        ]
        links = [link for link in found.values() if link is not None]
    if faults:
        message = "Some columns go into no field: " + ", ".join(repr(fault.field) for fault in faults) + "."
        raise Invalid(message, faults, cure="Map them, or leave them out with null in `mapping`.")
    return links


def _names(obj: ObjectDef, access: Access) -> dict[str, str]:
    fields = importable(obj, access.editable(obj))
    labels = {plain(found.label): found.name for found in fields if plain(found.label)}
    return labels | {plain(found.name): found.name for found in fields}


def _exact(column: str, named: Mapping[str, str], obj: ObjectDef) -> Link | None:
    name, _dot, key = column.partition(".")
    if key and name in obj.fields:
        return Link(column, name, key)
    found = named.get(plain(column))
    return Link(column, found) if found else None
