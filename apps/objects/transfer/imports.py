"""Services of imports: upload, choose columns, check, run and take back."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.audit import ledger
from apps.core import queue
from apps.core.actor import Actor
from apps.core.errors import Conflict, FieldError, Invalid, NotFound, PermissionDenied, Problem
from apps.core.scope import current_tenant
from apps.objects import catalog
from apps.objects.definitions import ObjectDef
from apps.objects.kinds import kind_of
from apps.objects.transfer import kept, source
from apps.objects.transfer.mapping import Link, check_links, guess
from apps.objects.transfer.models import MOVES, ImportRun, ImportState, Mode
from apps.permissions.access import Access, access_for
from apps.permissions.rights import Denied
from apps.tenants import quotas


@transaction.atomic
def upload(*, object_name: str, file_name: str, content: bytes, by: Actor) -> ImportRun:
    """Read a file, guess its columns and keep it; needs the right to create records of the object."""
    obj, access = allowed(object_name, by)
    if len(content) > settings.MAX_UPLOAD_BYTES:
        message = f"The file is larger than {settings.MAX_UPLOAD_BYTES // 2**20} MiB."
        raise Problem("PAYLOAD_TOO_LARGE", message, status=413, cure="Split it into several files.")
    quotas.require(current_tenant(), "storage_mb", len(content))
    table = source.read(file_name, content)
    links = guess(table.header, obj, access.editable(obj), catalog.catalog())
    run = ImportRun(
        object_name=obj.name,
        file_name=file_name[-200:],
        header=table.header,
        row_count=len(table.rows),
        mapping=[link.as_dict() for link in links],
        created_by=by.user_id,
        created_by_label=by.label[:200],
    )
    run.content = kept.file_sealed(run.id, content)
    run.save(force_insert=True)
    after = {"object": obj.name, "file": run.file_name, "rows": run.row_count}
    ledger.record("import.uploaded", by=by, target=f"import:{run.id}", after=after)
    return run


def find(*, run_id: UUID, by: Actor, lock: bool = False) -> ImportRun:
    """Return an import of the acting person (administrators see all); absent and foreign look the same."""
    rows = ImportRun.objects.select_for_update() if lock else ImportRun.objects.defer("content")
    run = rows.filter(pk=run_id).first()
    if run is None or not (run.created_by == by.user_id or by.role in {"owner", "admin"}):
        raise NotFound("There is no such import.", code="RESOURCE_NOT_FOUND")
    return run


@transaction.atomic
def choose(
    *, run_id: UUID, mapping: Sequence[Mapping[str, Any]], mode: str, match_field: str = "", by: Actor
) -> ImportRun:
    """Set which column goes where, and what happens to rows whose record exists.

    `match_field` names the fields that together find it, joined by commas.
    """
    run = find(run_id=run_id, by=by, lock=True)
    obj, access = allowed(run.object_name, by)
    links = [Link(item["column"], item["field"], item.get("match") or None) for item in mapping]
    keys = tuple(name for name in match_field.split(",") if name)
    check_choice(obj, access, run.header, links, mode, keys)
    move(run, ImportState.CHOOSING)
    run.mapping, run.mode = [link.as_dict() for link in links], mode
    run.match_field = ",".join(keys) if mode != Mode.INSERT else ""
    run.save()
    run.rows.filter(dry=True).delete()
    return run


def check_choice(
    obj: ObjectDef, access: Access, header: list[str], links: list[Link], mode: str, keys: Sequence[str]
) -> None:
    """Refuse links, a mode or keys that cannot be meant."""
    check_links(links, header, obj, access.editable(obj), catalog.catalog())
    if mode not in Mode.values:
        raise Invalid(
            "Choose what happens to existing records.", [FieldError("mode", "invalid_option", mode)]
        )
    if mode != Mode.INSERT:
        mapped = {link.field for link in links}
        for name in keys or ("",):
            _check_key(obj, name, mapped)


def _check_key(obj: ObjectDef, name: str, mapped: set[str]) -> None:
    target = obj.all_fields.get(name)
    if target is None or name not in mapped or "$in" not in kind_of(target).operators:
        message = "Choose the imported field by which existing records are found."
        raise Invalid(message, [FieldError("match_field", "required", message)])


def check(*, run_id: UUID, by: Actor) -> UUID:
    """Queue a dry run over every row; return the job's id."""
    return _queue(run_id, ImportState.CHECKING, "objects.import_check", "Check {file}", by)


def start(*, run_id: UUID, by: Actor) -> UUID:
    """Queue the import; return the job's id. Started again after a cancel, it goes on where it stopped."""
    return _queue(run_id, ImportState.RUNNING, "objects.import_run", "Import {file}", by)


def undo(*, run_id: UUID, by: Actor) -> UUID:
    """Queue the taking back: created records go into the bin, changed ones get their values back.

    Records that somebody changed since are left as they are, and counted.
    """
    return _queue(run_id, ImportState.UNDOING, "objects.import_undo", "Take back {file}", by)


@transaction.atomic
def _queue(run_id: UUID, state: ImportState, task: str, title: str, by: Actor) -> UUID:
    run = find(run_id=run_id, by=by, lock=True)
    allowed(run.object_name, by)
    move(run, state)
    title = title.format(file=run.file_name)
    tenant = current_tenant().id
    run.job_id = queue.enqueue(task, tenant=tenant, args={"run_id": str(run.id)}, title=title, by=by)
    run.save()
    ledger.record(f"import.{state.value}", by=by, target=f"import:{run.id}", after={"mode": run.mode})
    return run.job_id


@transaction.atomic
def finish(*, run_id: UUID, state: ImportState, counts: Mapping[str, int], by: Actor) -> None:
    """Note how a phase ended; called by its job."""
    run = ImportRun.objects.select_for_update().get(pk=run_id)
    if run.state == state:
        return
    move(run, state)
    run.counts, run.finished_at = dict(counts), timezone.now()
    run.save()
    ledger.record(f"import.{state.value}", by=by, target=f"import:{run.id}", after=dict(counts))


def move(run: ImportRun, state: ImportState) -> None:
    """Note the next state of an import; raises `Conflict` INVALID_STATE when none leads there."""
    if state != run.state and state not in MOVES[run.state]:
        message = f"The import is {run.get_state_display()}; it cannot become {state.label}."
        raise Conflict(message, code="INVALID_STATE")
    run.state = state


def allowed(object_name: str, by: Actor) -> tuple[ObjectDef, Access]:
    """Return the object and the rights of an actor who may import into it; refuse anybody else."""
    obj, access = catalog.catalog().object(object_name), access_for(by)
    answer = access.can("create", obj)
    if isinstance(answer, Denied):
        raise PermissionDenied(answer.reason, details={"object": object_name})
    access.require_system("import_data")
    return obj, access
