"""Imports as protocol 17 shows them, from what `apps.objects.transfer` keeps."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from apps.api.contract import OBJECT, TEXT, array, shape
from apps.core.canonical import instant
from apps.core.errors import NotFound
from apps.events.jobs import queries as jobs
from apps.events.jobs.states import JobState
from apps.events.types import JobView
from apps.objects.transfer.direct import counts
from apps.objects.transfer.models import ImportRow, ImportRun, ImportState
from apps.objects.transfer.rows import Outcome

NUMBER = {"type": "integer"}
ROW = shape(
    row=NUMBER, ok={"type": "boolean"}, action=TEXT, id=TEXT, code=TEXT, field=TEXT, error=TEXT, fields=array(OBJECT),
    required=["row", "ok", "action"],
)  # fmt: skip
ANSWER = shape(
    object=TEXT, dryRun={"type": "boolean"}, writeMode=TEXT, total=NUMBER, ok=NUMBER, errors=NUMBER,
    created=NUMBER, updated=NUMBER, skipped=NUMBER, results=array(ROW),
)  # fmt: skip
WORDS: Mapping[str, str] = {
    ImportState.CHOOSING: "pending",
    ImportState.CHECKING: "running",
    ImportState.CHECKED: "succeeded",
    ImportState.RUNNING: "running",
    ImportState.DONE: "succeeded",
    ImportState.CANCELLED: "cancelled",
    ImportState.UNDOING: "undoing",
    ImportState.UNDONE: "succeeded",
}
BUSY = frozenset({ImportState.CHECKING, ImportState.RUNNING, ImportState.UNDOING})
DRY = frozenset({ImportState.CHECKING, ImportState.CHECKED})
STATUSES = ("pending", "running", "succeeded", "failed", "cancelled", "undoing")
JOB = shape(
    jobId=TEXT, object=TEXT, status={"type": "string", "enum": [*STATUSES]}, dryRun={"type": "boolean"},
    writeMode=TEXT, total=NUMBER, processed=NUMBER, created=NUMBER, updated=NUMBER, skipped=NUMBER, errors=NUMBER,
    percentComplete=NUMBER, undoable={"type": "boolean"}, createdAt=TEXT, startedAt=TEXT, completedAt=TEXT,
    revertedAt=TEXT, error=TEXT, results=array(ROW), resultsTruncated={"type": "boolean"},
    required=["jobId", "object", "status", "total", "createdAt"],
)  # fmt: skip


def answer(name: str, mode: str, outcomes: Sequence[Outcome], *, dry: bool) -> dict[str, Any]:
    """Return the ImportResponse of an import that ran at once."""
    found = counts(outcomes)
    failed = found.pop("failed")
    results = [
        row(number, item.action, None if dry else item.record_id, [fault.as_dict() for fault in item.errors])
        for number, item in enumerate(outcomes, start=1)
    ]
    totals = {"total": len(outcomes), "ok": len(outcomes) - failed, "errors": failed}
    return {"object": name, "dryRun": dry, "writeMode": mode} | totals | found | {"results": results}


def row(number: int, action: str, record_id: Any, errors: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what became of one row: its first fault flat, all of them under `fields`."""
    made: dict[str, Any] = {"row": number, "ok": action != "failed", "action": action}
    if record_id is not None:
        made["id"] = str(record_id)
    if errors:
        made |= {
            "code": errors[0]["code"],
            "field": errors[0]["field"],
            "error": "; ".join(str(fault["message"]) for fault in errors),
            "fields": list(errors),
        }
    return made


def rows(found: Iterable[ImportRow]) -> list[dict[str, Any]]:
    """Return what became of kept rows."""
    return [row(item.number, item.action, item.record_id, item.errors) for item in found]


def job_of(run: ImportRun) -> JobView | None:
    """Return the job of an import's last phase; None when there was none or it was swept away."""
    try:
        return jobs.get(run.job_id) if run.job_id else None
    except NotFound:
        return None


def import_job(run: ImportRun) -> dict[str, Any]:
    """Return one import as it stands."""
    job = job_of(run)
    status, counted = _status(run, job), run.counts
    done = (job.done or 0) if job and run.state in BUSY else sum(counted.values())
    made: dict[str, Any] = {
        "jobId": str(run.id),
        "object": run.object_name,
        "status": status,
        "dryRun": run.state in DRY,
        "writeMode": run.mode,
        "total": run.row_count,
        "processed": done,
        "created": counted.get("created", 0),
        "updated": counted.get("updated", 0),
        "skipped": counted.get("skipped", 0),
        "errors": counted.get("failed", 0),
        "percentComplete": min(100, done * 100 // run.row_count) if run.row_count else 100,
        "undoable": run.state in (ImportState.DONE, ImportState.CANCELLED),
        "createdAt": instant(run.created_at),
    }
    if job and job.started_at:
        made["startedAt"] = instant(job.started_at)
    if run.finished_at and run.state not in BUSY:
        made["revertedAt" if run.state == ImportState.UNDONE else "completedAt"] = instant(run.finished_at)
    if status == "failed" and job and job.error:
        made["error"] = job.error
    return made


def _status(run: ImportRun, job: JobView | None) -> str:
    """Return the word for where an import stands; while a phase is on, its job knows better than the import."""
    if run.state not in BUSY:
        return WORDS[run.state]
    if job is None or job.state in (JobState.FAILED, JobState.QUARANTINED, JobState.DISCARDED):
        return "failed"
    waiting = {JobState.QUEUED: "pending", JobState.CANCELLED: "cancelled"}
    return waiting.get(JobState(job.state), WORDS[run.state])
