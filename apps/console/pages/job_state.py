"""How far a job is, for the page that asks every second."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, JsonResponse
from django.utils.translation import gettext as _
from django.views.generic import View
from unfold.sites import UnfoldAdminSite

from apps.console.operator import jobs_of
from apps.console.privacy import job_is_open
from apps.events.jobs import queries
from apps.events.jobs.states import JobState as State


class JobState(View):
    """State, progress, message and log of one job."""

    site: UnfoldAdminSite | None = None

    def get(self, request: HttpRequest, job: UUID, **_kwargs: Any) -> JsonResponse:
        """Answer for jobs of the operator's tenants; any other does not exist."""
        if not jobs_of(request).filter(pk=job).exists():
            raise Http404(_("There is no such job."))
        found = queries.get(job)
        shown = job_is_open(found.name, found.tenant_id)
        answer = {
            "state": str(State(found.state).label),
            "over": found.ended,
            "percent": found.percent,
            "message": found.message if shown else "",
            "log": found.log if shown else "",
        }
        return JsonResponse(answer, headers={"Cache-Control": "no-store"})
