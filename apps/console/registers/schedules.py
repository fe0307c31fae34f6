"""Schedules: what asks for jobs by itself, when next, and how it went."""

from collections.abc import Sequence
from typing import Any

from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from apps.console.doings.schedules import (
    ChangeSchedule,
    PauseSchedule,
    RemoveSchedule,
    ResumeSchedule,
    RunSchedule,
)
from apps.console.operator import sees_everything, tenants_of
from apps.console.pages.ledger import PLATFORM
from apps.console.panels import Badge, Fact, Link, Panel, Table, Tone
from apps.console.privacy import args_are_open
from apps.console.registers.jobs import JobTenantFilter
from apps.console.registers.register import Register, Tool
from apps.console.registers.states import in_list, job_badge
from apps.events.models import Schedule, ScheduleKind, ScheduleState
from apps.events.schedules import queries
from apps.tenants.models import Tenant

TONES: dict[str, Tone] = {
    ScheduleState.ACTIVE: "success",
    ScheduleState.PAUSED: "warning",
    ScheduleState.ENDED: "neutral",
}


class ScheduleRegister(Register):
    """Every schedule; those of the platform are a superuser's."""

    about = gettext_lazy(
        "What asks for jobs by itself. A moment is served once, however many schedulers run; "
        "one that passed while nobody looked is treated as the schedule says."
    )
    list_display = ("title", "status", "rule", "following", "last_at", "runs", "place")
    list_filter = ("state", "kind", JobTenantFilter)
    search_fields = ("title", "task")
    deeds = (ResumeSchedule(), RunSchedule(), ChangeSchedule(), PauseSchedule(), RemoveSchedule())

    def tools(self, request: HttpRequest) -> Sequence[Tool]:
        return [Tool(_("New schedule"), reverse("console:new_schedule"), "add")]

    def get_ordering(self, request: HttpRequest) -> Sequence[Any]:
        return (F("next_at").asc(nulls_last=True), "title")

    def narrowed(self, rows: QuerySet, request: HttpRequest) -> QuerySet:
        if sees_everything(request):
            return rows
        return rows.filter(Q(tenant_id__in=tenants_of(request).values("pk")))

    @display(description=gettext_lazy("State"), ordering="state")
    def status(self, row: Schedule) -> Any:
        return in_list(self.badge(row))

    @display(description=gettext_lazy("When"))
    def rule(self, row: Schedule) -> str:
        return rule_of(row)

    @display(description=gettext_lazy("Next"), ordering="next_at")
    def following(self, row: Schedule) -> Any:
        return row.next_at if row.state == ScheduleState.ACTIVE else None

    @display(description=gettext_lazy("Tenant"))
    def place(self, row: Schedule) -> str:
        tenant = Tenant.objects.filter(pk=row.tenant_id).first() if row.tenant_id else None
        return tenant.name if tenant else _("Platform")

    def heading(self, row: Schedule) -> str:
        return row.title

    def badge(self, row: Schedule) -> Badge:
        return Badge(ScheduleState(row.state).label, TONES[row.state])

    def book(self, row: Schedule) -> str:
        tenant = Tenant.objects.filter(pk=row.tenant_id).first() if row.tenant_id else None
        return tenant.slug if tenant else PLATFORM

    def context(self, request: HttpRequest, row: Schedule) -> dict[str, Any]:
        notice = {"tone": "danger", "text": row.trouble} if row.trouble else None
        return {"notice": notice}

    def panels(self, request: HttpRequest, row: Schedule) -> Sequence[Panel]:
        place: Any = _("Platform")
        if tenant := Tenant.objects.filter(pk=row.tenant_id).first() if row.tenant_id else None:
            place = Link(tenant.name, reverse("console:tenants_tenant_change", args=[tenant.pk]))
        facts = [
            Fact(_("task"), row.task),
            Fact(_("tenant"), place),
            Fact(_("when"), rule_of(row)),
            Fact(_("missed moments"), row.get_missed_display()),
            Fact(_("when the job before has not ended"), row.get_overlap_display()),
            Fact(_("priority"), row.priority),
            Fact(_("jobs made"), row.runs),
            Fact(_("moments left out"), row.left_out),
            Fact(_("runs in the name of"), row.actor.get("label", "")),
        ]
        if args_are_open(row.task, row.tenant_id) and row.args:
            facts += [Fact(key, value) for key, value in row.args.items()]
        kept = _("The product keeps this one as it is; it can be paused and run.") if row.key else ""
        return [
            Panel(_("Schedule"), facts=facts, note=kept),
            Panel(_("Next"), table=_upcoming(row)),
            Panel(_("Last jobs"), table=_jobs(row), wide=True),
        ]


def rule_of(row: Schedule) -> str:
    """When a schedule is due, in words."""
    if row.kind == ScheduleKind.CRON:
        return f"{row.cron} ({row.time_zone})"
    if row.kind == ScheduleKind.ONCE:
        return _("once")
    seconds = int(row.every or 0)
    for size, word in ((86400, _("every %(n)s d")), (3600, _("every %(n)s h")), (60, _("every %(n)s min"))):
        if seconds >= size and seconds % size == 0:
            return word % {"n": seconds // size}
    return _("every %(n)s s") % {"n": seconds}


def _upcoming(row: Schedule) -> Table:
    moments = [(timezone.localtime(moment),) for moment in queries.upcoming(row)]
    return Table([_("moment")], moments, _("There is no moment to come."))


def _jobs(row: Schedule) -> Table:
    rows = [
        (
            Link(job.title, reverse("console:events_job_change", args=[job.pk])),
            job_badge(job.state),
            job.created_at,
            job.finished_at,
        )
        for job in queries.jobs_of(row)
    ]
    return Table([_("job"), _("state"), _("made"), _("ended")], rows, _("It has made no job yet."))
