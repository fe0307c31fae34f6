"""One job: a page that can be left and found again, the fragment that keeps it fresh, and what can be done to it."""

import datetime as dt
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from apps.core.errors import NotFound, Problem
from apps.events.jobs import queries, replay, work
from apps.events.jobs.states import JobState
from apps.events.types import JobView
from apps.permissions.access import access_for
from apps.portal.views.frame import actor_of, page
from apps.portal.views.settings.frame import handles_letters
from apps.portal.views.settings.jobs import authors

STOP_POLLING = 286  # htmx ends polling at this status


def find(request: HttpRequest, job_id: UUID) -> JobView:
    """Return a job of the reader, or any of the tenant for who may read the ledger; else NotFound."""
    by, job = actor_of(request), queries.get(job_id)
    theirs = {job.actor_id, job.author_id}.isdisjoint(authors(by))
    if theirs and not access_for(by).has_system("view_audit"):
        raise NotFound(_("There is no such job."))
    return job


def attempts_of(job: JobView) -> list[dict[str, Any]]:
    """Return the attempts of a job for the page, the last first, with their times as values."""
    return [
        {
            "number": item.get("number"),
            "state": item.get("state"),
            "label": JobState(item["state"]).label if item.get("state") in JobState.values else "",
            "cause": item.get("cause", ""),
            "worker": item.get("worker", ""),
            "started": _moment(item.get("started")),
            "seconds": _seconds(item.get("started"), item.get("ended")),
        }
        for item in reversed(job.attempts)
    ]


def _moment(text: Any) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if isinstance(text, str) else None


def _seconds(started: Any, ended: Any) -> str:
    first, last = _moment(started), _moment(ended)
    return f"{(last - first).total_seconds():.1f}" if first and last else ""


@require_GET
@page
def progress(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Show a job with its progress, its result, its attempts, and what can be done to it."""
    job = find(request, job_id)
    crumbs = [
        (_("Settings"), reverse("portal:settings")),
        (_("Jobs"), reverse("portal:jobs")),
        (job.title, ""),
    ]
    context = {
        "job": job,
        "attempts": attempts_of(job),
        "crumbs": crumbs,
        "nav_current": "settings",
        "handles": handles_letters(request),
        "may_retry": job.state in {JobState.FAILED, JobState.CANCELLED}
        or (job.state == JobState.QUARANTINED and handles_letters(request)),
        "is_replay": job.name == replay.TASK and handles_letters(request),
    }
    return render(request, "portal/job.html", context)


@require_GET
@page
def fragment(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Return the state of a job; an ended one stops the polling."""
    job = find(request, job_id)
    response = render(
        request, "components/job.html", {"job": job, "live": True}, status=STOP_POLLING if job.ended else 200
    )
    if job.ended:
        response.headers["HX-Refresh"] = (
            "true"  # what can be done to an ended job stands outside the fragment
        )
    return response


@require_POST
@page
def cancel(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Ask a job to stop at its next safe point."""
    find(request, job_id)
    work.cancel(job_id, by=actor_of(request))
    messages.info(request, _("The job is asked to stop."))
    return HttpResponseRedirect(reverse("portal:job", args=[job_id]))


@require_POST
@page
def retry(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Queue a job again that failed or was cancelled."""
    find(request, job_id)
    try:
        work.retry(job_id, by=actor_of(request))
    except Problem as problem:
        if problem.status != 409:
            raise
        messages.error(request, " ".join([problem.message, problem.cure or ""]).strip())
    else:
        messages.success(request, _("The job is queued again."))
    return HttpResponseRedirect(reverse("portal:job", args=[job_id]))


@require_POST
@page
def put_back(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Stop a replay: what no worker has begun is a dead letter again."""
    job = find(request, job_id)
    if not job.ended:
        work.cancel(job_id, by=actor_of(request))
    number = replay.stop(job_id, by=actor_of(request))
    text = ngettext("%(n)s job is a dead letter again.", "%(n)s jobs are dead letters again.", number)
    messages.info(request, text % {"n": number})
    return HttpResponseRedirect(reverse("portal:job", args=[job_id]))
