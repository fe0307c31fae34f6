"""The doors of imports: at once, or as a job with progress, results, cancel, resume and undo."""

from typing import ClassVar
from uuid import UUID

from django.http import HttpResponse

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import TEXT, Parameter, array, describe, shape
from apps.api.data.access import served_object
from apps.api.door import Door
from apps.api.imports import given, wire
from apps.core.errors import Conflict, Invalid, NotFound
from apps.events.jobs import work
from apps.objects.transfer import direct, imports, queries, source
from apps.objects.transfer.models import ImportRun, ImportState

BYTES = 8 * 1024 * 1024
MOST_RESULTS = 1000
DONE = shape(success={"const": True})


class ImportDoor(Door):
    """`POST /data/:object/import`: up to a thousand rows, each written or refused by itself."""

    body_limit: ClassVar[int] = BYTES

    @describe(
        "Import rows at once; a dry run tells what would become of each",
        answer=wire.ANSWER,
        body=given.BODY,
        tag="data",
    )
    def post(self, call: Call, name: str) -> HttpResponse:
        _serve(call, name)
        sent = given.read(call.mapping())
        table = source.read(sent.file_name, sent.content)
        outcomes = direct.load(name, table, sent.wish, by=call.actor)
        return answers.send(wire.answer(name, sent.wish.mode, outcomes, dry=sent.wish.dry))


class ImportJobsDoor(Door):
    """`POST /data/:object/import/jobs`: any number of rows, written chunk by chunk behind the scenes."""

    body_limit: ClassVar[int] = BYTES

    @describe("Queue an import", answer=wire.JOB, status=201, body=given.BODY, tag="data")
    def post(self, call: Call, name: str) -> HttpResponse:
        _serve(call, name)
        sent, by = given.read(call.mapping()), call.actor
        run = imports.upload(object_name=name, file_name=sent.file_name, content=sent.content, by=by)
        wish = sent.wish
        links = direct.links_of(run.header, wish.mapping, *imports.allowed(name, by))
        imports.choose(
            run_id=run.id,
            mapping=[link.as_dict() for link in links],
            mode=wish.mode,
            match_field=",".join(wish.keys),
            by=by,
        )
        begin = imports.check if wish.dry else imports.start
        begin(run_id=run.id, by=by)
        return answers.send(wire.import_job(imports.find(run_id=run.id, by=by)), status=201)


class JobsDoor(Door):
    """`GET /data/import/jobs`: one's own imports, all of them for the tenant's managers."""

    @describe(
        "The newest imports",
        answer=shape(jobs=array(wire.JOB)),
        parameters=[Parameter("object", "Only imports into this object.")],
        tag="data",
    )
    def get(self, call: Call) -> HttpResponse:
        found = queries.recent(call.params.get("object"), by=call.actor, limit=50)
        return answers.send({"jobs": [wire.import_job(run) for run in found]})


class JobDoor(Door):
    """`GET /data/import/jobs/:id`."""

    @describe("How far an import is", answer=wire.JOB, tag="data")
    def get(self, call: Call, job_id: str) -> HttpResponse:
        return answers.send(wire.import_job(_run(call, job_id)))


class ResultsDoor(Door):
    """`GET /data/import/jobs/:id/results`."""

    @describe(
        "What became of each row of an import",
        answer=wire.JOB,
        parameters=[
            Parameter("after", "Rows behind this line of the file.", {"type": "integer", "minimum": 0}),
        ],
        tag="data",
    )
    def get(self, call: Call, job_id: str) -> HttpResponse:
        run = _run(call, job_id)
        after = call.params.get("after", "0")
        if not after.isascii() or not after.isdigit() or len(after) > 9:
            raise Invalid("after is the number of a row.", code="INVALID_QUERY")
        rows = queries.outcomes(run, dry=run.state in wire.DRY, after=int(after), limit=MOST_RESULTS + 1)
        more = len(rows) > MOST_RESULTS
        results = wire.rows(rows[:MOST_RESULTS])
        return answers.send(wire.import_job(run) | {"results": results, "resultsTruncated": more})


class CancelDoor(Door):
    """`POST /data/import/jobs/:id/cancel`: what is written stays; `resume` goes on, `undo` takes it back."""

    @describe("Stop an import; one that ended stays as it is", answer=DONE, tag="data")
    def post(self, call: Call, job_id: str) -> HttpResponse:
        run = _run(call, job_id)
        if run.state in wire.BUSY and run.job_id is not None and not _ended(run):
            work.cancel(run.job_id, by=call.actor)
        return answers.send({"success": True})


class ResumeDoor(Door):
    """`POST /data/import/jobs/:id/resume`."""

    @describe(
        "Go on with an import that was stopped or failed, or begin one after its dry run",
        answer=wire.JOB,
        errors=(409,),
        tag="data",
    )
    def post(self, call: Call, job_id: str) -> HttpResponse:
        run = _run(call, job_id)
        if run.state in wire.BUSY and not _ended(run):
            raise Conflict("The import is at work.", code="INVALID_STATE")
        again = imports.check if run.state == ImportState.CHECKING else imports.start
        again = imports.undo if run.state == ImportState.UNDOING else again
        again(run_id=run.id, by=call.actor)
        return answers.send(wire.import_job(_run(call, job_id)))


class UndoDoor(Door):
    """`POST /data/import/jobs/:id/undo`: at once when it wrote few records, else as a job (202)."""

    @describe(
        "Take an import back: what nobody changed since is deleted or gets its values back",
        answer=shape(
            success={"const": True}, jobId=TEXT, object=TEXT,
            deleted=wire.NUMBER, restored=wire.NUMBER, failed=wire.NUMBER,
        ),
        answers={202: wire.JOB},
        errors=(409,),
        tag="data",
    )  # fmt: skip
    def post(self, call: Call, job_id: str) -> HttpResponse:
        run = _run(call, job_id)
        if direct.is_small(run):
            told = direct.undo(run.id, by=call.actor)
            return answers.send({"success": True, "jobId": str(run.id), "object": run.object_name} | told)
        imports.undo(run_id=run.id, by=call.actor)
        return answers.send(wire.import_job(_run(call, job_id)), status=202)


def _serve(call: Call, name: str) -> None:
    served_object(call, name, "bulk")
    served_object(call, name, "create")


def _run(call: Call, job_id: str) -> ImportRun:
    try:
        return imports.find(run_id=UUID(job_id), by=call.actor)
    except ValueError:
        raise NotFound("There is no such import.", code="RESOURCE_NOT_FOUND") from None


def _ended(run: ImportRun) -> bool:
    job = wire.job_of(run)
    return job is None or job.ended
