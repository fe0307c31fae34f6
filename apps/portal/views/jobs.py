"""The progress of one job: a page that can be left and found again, and the fragment that keeps it fresh."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.core.errors import NotFound
from apps.events.jobs import queries, work
from apps.events.types import JobView
from apps.permissions.access import access_for
from apps.portal.views.frame import actor_of, page

STOP_POLLING = 286  # htmx ends polling at this status


def find(request: HttpRequest, job_id: UUID) -> JobView:
    """Return a job of the reader, or any of the tenant for who may read the ledger; else NotFound."""
    by, job = actor_of(request), queries.get(job_id)
    if job.actor_id != by.id and not access_for(by).has_system("view_audit"):
        raise NotFound(_("There is no such job."))
    return job


@require_GET
@page
def progress(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Show a job with its progress, its result, and how to stop it."""
    job = find(request, job_id)
    crumbs = [
        (_("Settings"), reverse("portal:settings")),
        (_("Jobs"), reverse("portal:jobs")),
        (job.title, ""),
    ]
    return render(request, "portal/job.html", {"job": job, "crumbs": crumbs, "nav_current": "settings"})


@require_GET
@page
def fragment(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Return the state of a job; an ended one stops the polling."""
    job = find(request, job_id)
    return render(request, "components/job.html", {"job": job}, status=STOP_POLLING if job.ended else 200)


@require_POST
@page
def cancel(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Ask a job to stop at its next safe point."""
    find(request, job_id)
    work.cancel(job_id, by=actor_of(request))
    messages.info(request, _("The job is asked to stop."))
    return HttpResponseRedirect(reverse("portal:job", args=[job_id]))
