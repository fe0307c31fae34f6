"""What needs me: things that will not get better by themselves."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.audit import queries as ledger
from apps.console.operator import jobs_of, sees_everything, tenants_of
from apps.console.panels import Badge
from apps.core import health
from apps.events.jobs.states import JobState
from apps.tenants.models import Tenant
from apps.tenants.states import State

MOST = 5
SOON = dt.timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to look after: what, why, and the page where it is done."""

    badge: Badge
    text: Any
    note: Any
    url: str
    verb: Any


def todo(request: HttpRequest) -> list[Task]:
    """The tasks, the most urgent first; an empty list means that nothing waits."""
    tasks = [*_unwell(), *_broken_ledgers()] if sees_everything(request) else []
    return [
        *tasks,
        *_failed_tenants(request),
        *_unmigrated(request),
        *_failed_jobs(request),
        *_ending(request),
    ]


def _unwell() -> list[Task]:
    return [
        Task(
            Badge(_("health"), "danger"),
            _("The check “%(name)s” fails") % {"name": name},
            found.message,
            reverse("console:health"),
            _("Look"),
        )
        for name, found in health.latest().findings.items()
        if found.status == "failed"
    ]


def _broken_ledgers() -> list[Task]:
    names = (
        {tenant.pk: tenant.slug for tenant in Tenant.objects.all()} if (broken := ledger.lag().broken) else {}
    )
    return [
        Task(
            Badge(_("ledger"), "danger"),
            _("The ledger of %(name)s stands still") % {"name": names.get(key, _("the platform"))},
            error,
            f"{reverse('console:ledger')}?book={names.get(key, 'platform')}",
            _("Look"),
        )
        for key, error in broken
    ]


def _failed_tenants(request: HttpRequest) -> list[Task]:
    rows = tenants_of(request).filter(state=State.FAILED)[:MOST]
    return [
        Task(
            Badge(_("provisioning"), "danger"),
            _("%(name)s could not be opened") % {"name": tenant.name},
            tenant.state_reason,
            _tenant(tenant),
            _("Try again"),
        )
        for tenant in rows
    ]


def _unmigrated(request: HttpRequest) -> list[Task]:
    rows = tenants_of(request).exclude(schema_error="")[:MOST]
    return [
        Task(
            Badge(_("upgrade"), "danger"),
            _("%(name)s could not be upgraded") % {"name": tenant.name},
            tenant.schema_error[:200],
            _tenant(tenant),
            _("Look"),
        )
        for tenant in rows
    ]


def _failed_jobs(request: HttpRequest) -> list[Task]:
    rows = jobs_of(request).filter(state=JobState.FAILED)
    count = rows.count()
    if not count:
        return []
    newest = rows.order_by("-finished_at")[0]
    text = ngettext("%(n)s dead letter waits", "%(n)s dead letters wait", count)
    url = reverse("console:dead_letters")
    return [Task(Badge(_("jobs"), "warning"), text % {"n": count}, newest.title, url, _("Look"))]


def _ending(request: HttpRequest) -> list[Task]:
    rows = tenants_of(request).filter(state=State.DELETED, delete_after__lte=timezone.now() + SOON)[:MOST]
    return [
        Task(
            Badge(_("deletion"), "info"),
            _("The data of %(name)s will be removed") % {"name": tenant.name},
            formats.date_format(timezone.localtime(tenant.delete_after), "SHORT_DATETIME_FORMAT"),
            _tenant(tenant),
            _("Look"),
        )
        for tenant in rows
    ]


def _tenant(tenant: Tenant) -> str:
    return reverse("console:tenants_tenant_change", args=[tenant.pk])
