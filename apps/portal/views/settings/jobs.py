"""The list of jobs: what runs in the background, whose it is and how it stands."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from apps.core.actor import Actor
from apps.events.jobs import queries
from apps.events.jobs.states import JobState
from apps.portal.views.frame import actor_of, page
from apps.portal.views.settings.frame import access_of, base

PAGE = 50
KEYS = ("state", "task", "q", "mine")


def authors(by: Actor) -> list[str]:
    """Return the ids under which jobs name this person as their author."""
    return [by.id, *([str(by.user_id)] if by.user_id else [])]


@require_GET
@page
def jobs(request: HttpRequest) -> HttpResponse:
    """List the tenant's jobs; who may not read the ledger sees their own."""
    by, asked = actor_of(request), {key: request.GET.get(key, "").strip()[:100] for key in KEYS}
    everybody = access_of(request).has_system("view_audit")
    found = queries.jobs(
        state=asked["state"] if asked["state"] in JobState.values else None,
        name=asked["task"] or None,
        text=asked["q"] or None,
        author=None if everybody and not asked["mine"] else authors(by),
        cursor=request.GET.get("cursor") or None,
        limit=PAGE,
    )
    context = base(request, "jobs") | {
        "jobs": found.jobs,
        "older": _address(asked, cursor=found.next) if found.next else "",
        "tabs": _tabs(asked),
        "asked": asked,
        "filtered": any(asked.values()),
        "tasks": queries.names() if everybody else [],
        "everybody": everybody,
        "busy": any(job.state in {JobState.RUNNING, JobState.QUEUED} for job in found.jobs),
        "here": request.get_full_path(),
    }
    partial = request.headers.get("HX-Request") and request.headers.get("HX-Target") == "jobs"
    return render(request, "components/jobs.html" if partial else "portal/settings/jobs.html", context)


def _tabs(asked: dict[str, str]) -> list[dict[str, Any]]:
    """Return a tab for every state, each keeping the other filters."""
    return [
        {
            "value": value,
            "label": label,
            "href": _address(asked, state=value),
            "current": value == asked["state"],
        }
        for value, label in [("", ""), *JobState.choices]
    ]


def _address(asked: dict[str, str], **changed: str | None) -> str:
    values = {key: value for key, value in (asked | changed).items() if value}
    return reverse("portal:jobs") + (f"?{urlencode(values)}" if values else "")
