"""Jobs: what is being done in the background, and what became of it."""

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from apps.console.doings.jobs import (
    CancelJob,
    DiscardJob,
    EditAndRetry,
    QuarantineJob,
    RetryJob,
    StopReplay,
)
from apps.console.operator import jobs_of, tenants_of
from apps.console.pages.ledger import PLATFORM
from apps.console.panels import Badge, Fact, Link, Panel, Table
from apps.console.privacy import args_are_open, job_is_open
from apps.console.registers.register import Register
from apps.console.registers.states import in_list, job_badge
from apps.events.jobs.states import ENDED, JobState
from apps.events.models import Job
from apps.tenants.models import Tenant


class JobTenantFilter(SimpleListFilter):
    """The tenants of this operator, and the platform's own work."""

    title = gettext_lazy("tenant")
    parameter_name = "tenant"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        rows = [(str(tenant.pk), tenant.name) for tenant in tenants_of(request).order_by("name")[:200]]
        return [("none", _("Platform")), *rows]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        asked = dict(self.lookup_choices)
        if self.value() not in asked:
            return queryset
        return queryset.filter(tenant_id=None if self.value() == "none" else self.value())


class JobRegister(Register):
    """Every job; those of the platform are a superuser's."""

    about = gettext_lazy(
        "Work in the background. A job survives a crash of its worker: another one takes it over."
    )
    list_display = ("what", "status", "share", "attempt_shown", "who", "created_at", "finished_at")
    list_filter = ("state", JobTenantFilter, "name")
    search_fields = ("title", "name")
    ordering = ("-id",)
    deeds = (RetryJob(), EditAndRetry(), QuarantineJob(), DiscardJob(), StopReplay(), CancelJob())
    record_template = "console/job.html"

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        known = {"created_at__gte", "created_at__lt", "state__in", "schedule_id"}
        return lookup in known or super().lookup_allowed(lookup, value, request)

    def narrowed(self, rows: QuerySet, request: HttpRequest) -> QuerySet:
        return rows.filter(pk__in=jobs_of(request).values("pk"))

    @display(description=gettext_lazy("Job"), ordering="title")
    def what(self, row: Job) -> str:
        return row.title

    @display(description=gettext_lazy("State"), ordering="state")
    def status(self, row: Job) -> Any:
        return in_list(job_badge(row.state))

    @display(description=gettext_lazy("Progress"))
    def share(self, row: Job) -> str:
        share = percent(row)
        return "" if share is None else f"{share} %"

    @display(description=gettext_lazy("Attempt"))
    def attempt_shown(self, row: Job) -> str:
        return f"{row.attempt} / {row.max_attempts}"

    @display(description=gettext_lazy("Asked for by"))
    def who(self, row: Job) -> str:
        return str(row.actor.get("label", ""))

    def heading(self, row: Job) -> str:
        return row.title

    def badge(self, row: Job) -> Badge:
        return job_badge(row.state)

    def book(self, row: Job) -> str:
        tenant = Tenant.objects.filter(pk=row.tenant_id).first() if row.tenant_id else None
        return tenant.slug if tenant else PLATFORM

    def context(self, request: HttpRequest, row: Job) -> dict[str, Any]:
        over = row.state in ENDED
        url = reverse("console:job_state", args=[row.pk])
        shown = job_is_open(row.name, row.tenant_id)
        return {
            "shown": shown,
            "percent": percent(row),
            "over": over,
            "state_url": "" if over else url,
            "ends": ends(row),
            "args": _args(row),
        }

    def panels(self, request: HttpRequest, row: Job) -> Sequence[Panel]:
        tenant = Tenant.objects.filter(pk=row.tenant_id).first() if row.tenant_id else None
        place: Any = _("Platform")
        if tenant:
            place = Link(tenant.name, reverse("console:tenants_tenant_change", args=[tenant.pk]))
        facts = [
            Fact(_("task"), row.name),
            Fact(_("tenant"), place),
            Fact(_("asked for by"), self.who(row)),
            Fact(_("attempt"), self.attempt_shown(row)),
            Fact(_("asked for"), row.created_at),
            Fact(_("started"), row.started_at),
            Fact(_("finished"), row.finished_at),
            Fact(_("request"), row.request_id),
        ]
        if row.state == JobState.QUEUED:
            facts.append(Fact(_("due"), row.run_at))
        if row.schedule_id is not None:
            facts.append(Fact(_("schedule"), _schedule(row)))
        shown = row.result if job_is_open(row.name, row.tenant_id) else None
        result = [Fact(key, value) for key, value in (shown or {}).items()]
        panels = [Panel(_("Job"), facts=facts)]
        if result:
            panels.append(Panel(_("Result"), facts=result))
        if row.acts:
            panels.append(Panel(_("What was done to it"), table=_acts(row)))
        if row.attempts:
            panels.append(Panel(_("Attempts"), table=_attempts(row), wide=True))
        return panels


def _attempts(row: Job) -> Table:
    """The history of attempts, the last first; causes of a tenant's own jobs stay with the tenant."""
    shown = job_is_open(row.name, row.tenant_id)
    rows = [
        (
            _moment(item.get("started")),
            _moment(item.get("ended")),
            job_badge(item["state"]) if item.get("state") in JobState.values else "",
            item.get("cause", "") if shown else "",
            item.get("worker", ""),
        )
        for item in reversed(row.attempts)
    ]
    return Table(
        [_("begun"), _("ended"), _("became"), _("cause"), _("worker")], rows, _("Nobody has tried it.")
    )


def _acts(row: Job) -> Table:
    """What people did to the job, the last first."""
    words = {
        "retried": _("Tried again"),
        "edited": _("Edited and tried again"),
        "quarantined": _("Put in quarantine"),
        "discarded": _("Given up"),
        "put back": _("Put back: the replay was stopped"),
    }
    rows = [
        (
            _moment(item.get("at")),
            item.get("by", {}).get("label", ""),
            words.get(item["act"], item["act"]),
            item.get("reason", ""),
        )
        for item in reversed(row.acts)
    ]
    return Table([_("when"), _("who"), _("what"), _("reason")], rows, _("Nobody has touched it."))


def _args(row: Job) -> str:
    """The arguments as text; empty when they are not for operators."""
    if not args_are_open(row.name, row.tenant_id):
        return ""
    before = [item["args"] for item in row.acts if "args" in item]
    told = {"now": row.args, "before": before} if before else row.args
    return json.dumps(told, ensure_ascii=False, indent=2)


def _schedule(row: Job) -> Link:
    """The schedule that asked for the job."""
    return Link(_("Look"), reverse("console:events_schedule_change", args=[row.schedule_id]))


def _moment(text: Any) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if isinstance(text, str) else None


def percent(row: Job) -> int | None:
    """Progress in whole percent; None while the job has not said how much there is."""
    if row.state == "done":
        return 100
    return min(100, row.done * 100 // row.total) if row.total else None


def ends(row: Job) -> Link | None:
    """The page of what the job has made, once it is there."""
    slug = row.args.get("slug") if row.name == "tenants.provision" else None
    pk = row.args.get("tenant_id") if row.name in {"tenants.export", "tenants.import"} else None
    tenant = (
        Tenant.objects.filter(slug=slug).first()
        if slug
        else Tenant.objects.filter(pk=pk).first()
        if pk
        else None
    )
    if tenant is None and row.tenant_id:
        tenant = Tenant.objects.filter(pk=row.tenant_id).first()
    if tenant is None:
        return None
    return Link(
        _("Go to %(name)s") % {"name": tenant.name},
        reverse("console:tenants_tenant_change", args=[tenant.pk]),
    )
