"""Dead letters: jobs that failed for good; tried again, edited, set aside, given up, or replayed many at once."""

import json
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.core import queue
from apps.core.errors import Invalid, NotFound, PermissionDenied, Problem
from apps.events.jobs import arguments, letters, queries, replay, work
from apps.events.jobs.states import DEAD, JobState
from apps.events.types import JobView
from apps.portal.letters import acts_of, rows_of_schema
from apps.portal.views.frame import actor_of, page
from apps.portal.views.jobs import attempts_of
from apps.portal.views.settings.frame import base, handles_letters

PAGE = 50
KEYS = ("state", "task", "q")
PACES = (1, 5, 10, 50, 100)
ACTS = {"quarantine": letters.quarantine, "discard": letters.discard}


def _check(request: HttpRequest) -> None:
    if not handles_letters(request):
        raise PermissionDenied(_("Dead letters are for owners and administrators."))


def _letter(request: HttpRequest, job_id: UUID) -> JobView:
    """Return a dead letter, or a job that was one and has been handled."""
    _check(request)
    job = queries.get(job_id)
    if not job.dead and not job.acts:
        raise NotFound(_("There is no such job."))
    return job


@require_GET
@page
def browse(request: HttpRequest) -> HttpResponse:
    """List the dead letters, and how many each task has left."""
    _check(request)
    asked = {key: request.GET.get(key, "").strip()[:100] for key in KEYS}
    found = queries.jobs(
        states=[asked["state"]] if asked["state"] in DEAD else sorted(DEAD),
        name=asked["task"] or None,
        text=asked["q"] or None,
        cursor=request.GET.get("cursor") or None,
        limit=PAGE,
    )
    counted = queries.dead_by_task()
    context = base(request, "letters") | {
        "letters": found.jobs,
        "counted": counted,
        "failed": sum(item.failed for item in counted),
        "quarantined": sum(item.quarantined for item in counted),
        "older": f"?{urlencode({**asked, 'cursor': found.next})}" if found.next else "",
        "asked": asked,
        "filtered": any(asked.values()),
        "states": [(state.value, state.label) for state in JobState if state in DEAD],
    }
    return render(request, "portal/settings/letters.html", context)


@require_GET
@page
def one(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Show a dead letter: why, how often, with what, and what was done to it."""
    job = _letter(request, job_id)
    sealed = letters.is_sealed(job.name)
    task = queue.tasks.get(job.name)
    context = _frame(request, job) | {
        "attempts": attempts_of(job),
        "acts": acts_of(job, sealed=sealed),
        "sealed": sealed,
        "args": "" if sealed else _pretty(job.args),
        "task_version": task.version if task else None,
        "faults": arguments.faults(job.name, job.args, job.args_version) if job.dead else [],
    }
    return render(request, "portal/letter.html", context)


@require_POST
@page
def retry(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Queue a dead letter again as it is."""
    _letter(request, job_id)
    return _done(
        request, job_id, lambda: work.retry(job_id, by=actor_of(request)), _("The job is queued again.")
    )


@require_http_methods(["GET", "HEAD", "POST"])
@page
def edit(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Ask for other arguments, and queue the letter again with them."""
    job = _letter(request, job_id)
    if letters.is_sealed(job.name) or not job.dead:
        return HttpResponseRedirect(reverse("portal:letter", args=[job_id]))
    task = queue.tasks[job.name]
    text, problem = _pretty(arguments.current(task, job.args, job.args_version)), None
    if request.method == "POST":
        text = request.POST.get("args", "")
        try:
            letters.edit_and_retry(job_id, args=_parsed(text), by=actor_of(request))
        except Problem as refused:
            problem = refused
        else:
            messages.success(request, _("The job is queued again with the new arguments."))
            return HttpResponseRedirect(reverse("portal:job", args=[job_id]))
    faults = list(problem.fields) if problem else []
    context = _frame(request, job, _("Edit and try again")) | {
        "text": text,
        "problem": problem,
        "summary": [("args", fault.field, fault.message) for fault in faults],
        "rows": rows_of_schema(arguments.schema(task)),
        "version": task.version,
    }
    return render(request, "portal/letter_edit.html", context, status=problem.status if problem else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def handle(request: HttpRequest, job_id: UUID, act: str) -> HttpResponse:
    """Ask for a reason, and quarantine or discard the letter."""
    job = _letter(request, job_id)
    if act not in ACTS:
        raise NotFound(_("There is no such page."))
    if request.method == "POST":
        reason = request.POST.get("reason", "").strip()
        said = {"quarantine": _("The job is in quarantine."), "discard": _("The job is given up.")}[act]
        return _done(request, job_id, lambda: ACTS[act](job_id, by=actor_of(request), reason=reason), said)
    title = _("Quarantine") if act == "quarantine" else _("Discard")
    context = _frame(request, job, title) | {"act": act, "room": letters.REASON_ROOM}
    return render(request, "portal/letter_act.html", context)


@require_POST
@page
def handle_many(request: HttpRequest) -> HttpResponse:
    """Do one thing to the ticked letters; those it is not possible for are counted, the others done."""
    _check(request)
    ids, act = [_uuid(item) for item in request.POST.getlist("ids")[:PAGE]], request.POST.get("act", "")
    if not ids:
        messages.info(request, _("Tick the jobs first."))
    elif act == "replay":
        job = replay.replay(
            replay.Wish(ids=tuple(ids), lost=True), by=actor_of(request), per_second=replay.PER_SECOND
        )
        return HttpResponseRedirect(reverse("portal:job", args=[job]))
    elif act in ACTS:
        done = sum(_tried(act, job_id, request) for job_id in ids)
        if act == "quarantine":
            text = ngettext("%(n)s job is in quarantine.", "%(n)s jobs are in quarantine.", done)
        else:
            text = ngettext("%(n)s job is given up.", "%(n)s jobs are given up.", done)
        messages.success(request, text % {"n": done})
        if left := len(ids) - done:
            text = ngettext("%(n)s job was left as it is.", "%(n)s jobs were left as they are.", left)
            messages.warning(request, text % {"n": left})
    return HttpResponseRedirect(reverse("portal:letters"))


@require_http_methods(["GET", "HEAD", "POST"])
@page
def replay_many(request: HttpRequest) -> HttpResponse:
    """Say how many letters would be queued again and how fast, ask, and start the job that does it."""
    _check(request)
    sent = request.POST if request.method == "POST" else request.GET
    wish = replay.Wish(name=sent.get("task") or None, lost=sent.get("lost") == "1")
    pace = int(sent["pace"]) if sent.get("pace", "") in map(str, PACES) else replay.PER_SECOND
    problem = None
    if request.method == "POST":
        try:
            job = replay.replay(wish, by=actor_of(request), per_second=pace)
        except Problem as refused:
            problem = refused
        else:
            messages.success(request, _("The replay has begun."))
            return HttpResponseRedirect(reverse("portal:job", args=[job]))
    everything = replay.matching(replay.Wish(name=wish.name, lost=True))
    count = replay.matching(replay.Wish(name=wish.name))
    context = base(request, "letters") | {
        "task": wish.name or "",
        "count": count,
        "left_out": everything - count,
        "pace": pace,
        "lost": wish.lost,
        "paces": PACES,
        "problem": problem,
    }
    context["crumbs"] = [*_crumbs(), (_("Replay"), "")]
    return render(request, "portal/letters_replay.html", context, status=problem.status if problem else 200)


def _crumbs() -> list[tuple[str, str]]:
    return [(_("Settings"), reverse("portal:settings")), (_("Dead letters"), reverse("portal:letters"))]


def _frame(request: HttpRequest, job: JobView, title: str = "") -> dict[str, Any]:
    here = reverse("portal:letter", args=[job.id])
    crumbs = [*_crumbs(), (job.title, here if title else "")]
    return {
        "job": job,
        "nav_current": "settings",
        "crumbs": [*crumbs, (title, "")] if title else crumbs,
        "heading": title or job.title,
    }


def _done(request: HttpRequest, job_id: UUID, act: Any, said: str) -> HttpResponse:
    """Do it and go back to the letter; a state that forbids it is said there."""
    try:
        act()
    except Problem as problem:
        if problem.status not in (400, 409):
            raise
        messages.error(request, " ".join([problem.message, problem.cure or ""]).strip())
    else:
        messages.success(request, said)
    return HttpResponseRedirect(reverse("portal:letter", args=[job_id]))


def _tried(act: str, job_id: UUID, request: HttpRequest) -> bool:
    try:
        ACTS[act](job_id, by=actor_of(request))
    except Problem:
        return False
    return True


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound(_("There is no such job.")) from error


def _pretty(args: Any) -> str:
    return json.dumps(args, ensure_ascii=False, indent=2)


def _parsed(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        message = _("This is not JSON: line %(line)s, column %(column)s.") % {
            "line": error.lineno,
            "column": error.colno,
        }
        raise Invalid(
            message, cure=_("Put names and texts in double quotes, and a comma between two of them.")
        ) from error
    except RecursionError as error:
        raise Invalid(_("This is nested too deeply.")) from error
    if not isinstance(value, dict):
        raise Invalid(_("Write the arguments by name, in braces."))
    return value
