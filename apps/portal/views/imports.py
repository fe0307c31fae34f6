"""Import in four steps: the file, its columns, a dry run, the import itself. Every step is found again by its address."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.core.errors import Conflict, Problem
from apps.events.jobs import work
from apps.events.types import JobView
from apps.objects.catalog import catalog
from apps.objects.definitions import ObjectDef
from apps.objects.transfer import imports as services
from apps.objects.transfer import queries, source
from apps.objects.transfer.models import ImportRun, ImportState, Mode
from apps.portal import imports, show
from apps.portal.navigation import icon_of
from apps.portal.views.frame import actor_of, page

STEPS = {
    ImportState.CHOOSING: 2,
    ImportState.CHECKING: 3,
    ImportState.CHECKED: 3,
}
ANNOUNCED = 25  # per cent between two sentences that a screen reader hears


class Cap(FileUploadHandler):
    """Stops keeping an upload that is larger than the installation allows, before it fills the disk."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.seen, self.exceeded = 0, False

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """Hand the chunk on, or stop the upload."""
        self.seen += len(raw_data)
        if self.seen > settings.MAX_UPLOAD_BYTES:
            self.exceeded = True
            raise StopUpload
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Leave the file to the handlers behind."""


@csrf_exempt
def start(request: HttpRequest, name: str) -> HttpResponseBase:
    """Set the limit before anything reads the body; the token is checked behind it."""
    cap = Cap(request)
    request.upload_handlers.insert(0, cap)
    return _start(request, name, cap)


@csrf_protect
@require_http_methods(["GET", "POST"])
@page
def _start(request: HttpRequest, name: str, cap: Cap) -> HttpResponse:
    """Show what can be uploaded and what was; take a file and go on to its columns."""
    by, definition = actor_of(request), catalog().object(name)
    imports.require_import(definition, by=by)
    problem = None
    if request.method == "POST":
        try:
            run = _uploaded(request, definition, cap)
        except Problem as caught:
            if caught.status not in (400, 413) and caught.code != "QUOTA_EXCEEDED":
                raise
            problem = caught
        else:
            return _to(run)
    context = _frame(definition) | {
        "problem": problem,
        "recent": imports.recent(definition, by=by),
        "limit": settings.MAX_UPLOAD_BYTES,
        "most_rows": show.number(source.MAX_ROWS),
        "most_columns": source.MAX_COLUMNS,
    }
    return render(request, "portal/imports/start.html", context, status=problem.status if problem else 200)


def _uploaded(request: HttpRequest, definition: ObjectDef, cap: Cap) -> ImportRun:
    file = request.FILES.get("file")
    if cap.exceeded or (file is not None and (file.size or 0) > settings.MAX_UPLOAD_BYTES):
        message = _("The file is larger than %(limit)s.") % {
            "limit": filesizeformat(settings.MAX_UPLOAD_BYTES)
        }
        raise Problem("PAYLOAD_TOO_LARGE", message, status=413, cure=_("Split it into several files."))
    if file is None or not file.name:
        raise Problem(
            "INVALID_REQUEST", _("No file was chosen."), cure=_("Choose a CSV, Excel or JSON file.")
        )
    return services.upload(
        object_name=definition.name, file_name=file.name, content=file.read(), by=actor_of(request)
    )


@require_GET
@page
def show_import(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Show the step at which an import stands."""
    run, definition, job = _open(request, run_id)
    if run.state == ImportState.CHOOSING:
        return _columns_page(request, run, definition)
    if run.state in imports.BUSY:
        context = _wizard(run, definition) | _progress(run, job)
        return render(request, "portal/imports/progress.html", context)
    by = actor_of(request)
    dry = run.state == ImportState.CHECKED
    failed = run.counts.get("failed", 0)
    context = _wizard(run, definition) | {
        "counts": imports.counts(run),
        "faults": imports.faults(run, definition, by=by, dry=dry) if failed else [],
        "failed": failed,
        "writes": run.counts.get("created", 0) + run.counts.get("updated", 0),
        "dry": dry,
        "rest": max(0, run.row_count - sum(run.counts.values())),
        "most_faults": imports.SHOWN_FAULTS,
        "list_href": f"{reverse('portal:list', args=[definition.name])}?f=&sort=-updated_at",
    }
    return render(request, "portal/imports/result.html", context)


@require_http_methods(["GET", "POST"])
@page
def columns(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Choose where the columns go; once sent, the dry run begins."""
    run, definition, job = _open(request, run_id)
    stopped = run.state == ImportState.CHECKING and (job is None or job.ended)
    if run.state not in (ImportState.CHOOSING, ImportState.CHECKED) and not stopped:
        return _to(run)
    if request.method == "GET":
        return _columns_page(request, run, definition)
    by, post = actor_of(request), request.POST
    chosen, mode, key = imports.posted(run, post), post.get("mode", ""), post.get("match_field", "")
    try:
        imports.refuse_nonsense(run, chosen, mode, key, definition)
        services.choose(run_id=run.id, mapping=imports.links(chosen), mode=mode, match_field=key, by=by)
    except Problem as problem:
        if problem.status != 400:
            raise
        return _columns_page(request, run, definition, chosen=chosen, mode=mode, key=key, problem=problem)
    services.check(run_id=run.id, by=by)
    return _to(run)


def _columns_page(
    request: HttpRequest,
    run: ImportRun,
    definition: ObjectDef,
    *,
    chosen: dict[str, str] | None = None,
    mode: str = "",
    key: str = "",
    problem: Problem | None = None,
) -> HttpResponse:
    by = actor_of(request)
    access = imports.require_import(definition, by=by)
    goes = imports.chosen_of(run, definition) if chosen is None else chosen
    keys = imports.key_choices(definition, access)
    mapped = {value.partition(imports.BY)[0] for value in goes.values()}
    guessed = next((item.value for item in keys if item.value in mapped), "")
    required = imports.required(definition, access)
    context = _wizard(run, definition, step=2) | {
        "columns": imports.columns(run, goes, by=by),
        "targets": imports.targets(definition, access),
        "modes": [(value, *words) for value, words in imports.MODES.items()],
        "mode": mode or run.mode or Mode.INSERT,
        "keys": keys,
        "key": key or run.match_field or guessed,
        "required": required,
        "missing": [item for item in required if item.value not in mapped],
        "samples": range(min(imports.SAMPLES, run.row_count)),
        "problem": problem,
        "summary": [(e.field, e.label or e.field, e.message) for e in problem.fields] if problem else [],
        "wrong": {e.field: e.message for e in problem.fields} if problem else {},
    }
    return render(request, "portal/imports/columns.html", context, status=problem.status if problem else 200)


@require_POST
@page
def check(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Begin the dry run again, after it stopped."""
    run, _definition, job = _open(request, run_id)
    if run.state == ImportState.CHECKED or _stands(run, job):
        services.check(run_id=run.id, by=actor_of(request))
    return _to(run)


@require_POST
@page
def begin(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Begin the import, or go on with one that stopped; pressed twice it runs once."""
    run, _definition, job = _open(request, run_id)
    if run.state in (ImportState.CHECKED, ImportState.CANCELLED) or (
        run.state == ImportState.RUNNING and _stands(run, job)
    ):
        services.start(run_id=run.id, by=actor_of(request))
    return _to(run)


@require_POST
@page
def stop(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Ask the work to stop at its next safe point."""
    run, _definition, job = _open(request, run_id)
    if job is not None and not job.ended:
        try:
            work.cancel(job.id, by=actor_of(request))
        except Conflict:
            return _to(run)  # it ended in the meantime
        messages.info(request, _("It stops after the rows that are being written now."))
    return _to(run)


@require_http_methods(["GET", "POST"])
@page
def undo(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Ask before an import is taken back, naming how many records that concerns; then do it."""
    run, definition, job = _open(request, run_id)
    again = run.state == ImportState.UNDOING and _stands(run, job)
    if run.state not in imports.TRIED and not again:
        return _to(run)
    created, updated = run.counts.get("created", 0), run.counts.get("updated", 0)
    access = imports.require_import(definition, by=actor_of(request))
    if created:
        access.require("delete", definition)
    if updated:
        access.require("edit", definition)
    if request.method == "POST":
        services.undo(run_id=run.id, by=actor_of(request))
        return _to(run)
    context = _wizard(run, definition) | {"created": created, "updated": updated}
    return render(request, "portal/imports/undo.html", context)


@require_GET
@page
def progress(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Return how far the work is; once it is over the page is told to load its next step."""
    run, definition, job = _open(request, run_id)
    context = {"run": run, "object": definition} | _progress(run, job)
    announced = request.GET.get("said", "")
    context["news"] = bool(context["said"]) and str(context["said_step"]) != announced
    response = render(request, "portal/imports/progress_fragment.html", context)
    if context["stands"] or run.state not in imports.BUSY:
        response.headers["HX-Refresh"] = "true"
    return response


@require_GET
@page
def failed_rows(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Send the rows that failed, with what was wrong, to be mended and uploaded again."""
    run, _definition, _job = _open(request, run_id)
    dry = run.state in (ImportState.CHECKING, ImportState.CHECKED)
    content = queries.faults_csv(run.id, by=actor_of(request), dry=dry)
    stem = run.file_name.rsplit(".", 1)[0]
    return HttpResponse(
        content,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": content_disposition_header(True, f"{stem}-failed.csv")},
    )


def _open(request: HttpRequest, run_id: UUID) -> tuple[ImportRun, ObjectDef, JobView | None]:
    by = actor_of(request)
    run = services.find(run_id=run_id, by=by)
    definition = catalog().object(run.object_name)
    imports.require_import(definition, by=by)
    return run, definition, imports.job_of(run)


def _stands(run: ImportRun, job: JobView | None) -> bool:
    """Say whether a phase was begun and nothing carries it on: its job failed, was stopped or is gone."""
    return run.state in imports.BUSY and (job is None or job.ended)


def _to(run: ImportRun) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("portal:import-run", args=[run.id]))


def _frame(definition: ObjectDef) -> dict[str, Any]:
    locale = show.locale()
    plural = definition.label_for(locale, plural=True)
    return {
        "object": definition,
        "plural": plural,
        "icon_name": icon_of(definition),
        "nav_current": definition.name,
        "step": 1,
        "crumbs": [(plural, reverse("portal:list", args=[definition.name])), (_("Import"), "")],
    }


def _wizard(run: ImportRun, definition: ObjectDef, *, step: int = 0) -> dict[str, Any]:
    frame = _frame(definition)
    label, tone = imports.STATES[run.state]
    list_crumb = frame["crumbs"][0]
    crumbs = [
        list_crumb,
        (_("Import"), reverse("portal:import", args=[definition.name])),
        (run.file_name, ""),
    ]
    return frame | {
        "run": run,
        "step": step or STEPS.get(ImportState(run.state), 4),
        "state_label": label,
        "state_tone": tone,
        "crumbs": crumbs,
    }


def _progress(run: ImportRun, job: JobView | None) -> dict[str, Any]:
    percent = job.percent if job else None
    step = (percent or 0) // ANNOUNCED * ANNOUNCED
    return {
        "job": job,
        "stands": _stands(run, job),
        "said_step": step,
        "said": _("%(percent)s per cent done") % {"percent": step} if step else "",
    }
