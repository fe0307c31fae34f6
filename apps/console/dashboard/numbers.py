"""Is everything well: figures of now, each with the list behind it."""

import datetime as dt

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.audit import queries as ledger
from apps.console.dashboard.ranges import Range
from apps.console.operator import jobs_of, sees_everything, tenants_of
from apps.console.pages.health import LABELS, TONES
from apps.console.panels import Number, Tone
from apps.core import health
from apps.events.jobs.states import JobState
from apps.tenants.states import State

SLOW, STUCK = 5.0, 60.0


def numbers(request: HttpRequest, span: Range) -> list[Number]:
    """The tiles in order; those about the whole installation are a superuser's."""
    tiles = [tenants_tile(request), queue_tile(request), failed_tile(request, span)]
    if sees_everything(request):
        tiles = [health_tile(), lag_tile(), *tiles]
    return tiles


def health_tile() -> Number:
    """The worst finding of all checks."""
    report = health.latest()
    findings, worst = report.findings, report.worst
    bad = sorted(name for name, found in findings.items() if found.status != "ok")
    note = ", ".join(bad) or ngettext("%(n)s check", "%(n)s checks", len(findings)) % {"n": len(findings)}
    return Number(_("Health"), LABELS[worst], reverse("console:health"), note, TONES[worst], "monitor_heart")


def lag_tile() -> Number:
    """How long the oldest entry has been waiting to be chained."""
    lag = ledger.lag()
    tone: Tone = "success"
    if lag.broken or lag.seconds > STUCK:
        tone = "danger"
    elif lag.seconds > SLOW:
        tone = "warning"
    note = ngettext("%(n)s entry waits", "%(n)s entries wait", lag.waiting) % {"n": lag.waiting}
    return Number(_("Ledger lag"), f"{lag.seconds:.1f} s", reverse("console:ledger"), note, tone, "menu_book")


def tenants_tile(request: HttpRequest) -> Number:
    """Tenants that serve, of all that exist."""
    rows = tenants_of(request).exclude(state=State.DELETED)
    active = rows.filter(state=State.ACTIVE).count()
    total = rows.count()
    url = reverse("console:tenants_tenant_changelist")
    return Number(_("Active tenants"), active, url, _("of %(n)s in all") % {"n": total}, "neutral", "domain")


def queue_tile(request: HttpRequest) -> Number:
    """Jobs that wait or run; waiting for minutes means that no worker is there."""
    rows = jobs_of(request)
    due = rows.filter(state=JobState.QUEUED, run_at__lte=timezone.now())
    waiting, running = due.count(), rows.filter(state=JobState.RUNNING).count()
    late = due.filter(run_at__lt=timezone.now() - dt.timedelta(minutes=2)).exists()
    url = f"{reverse('console:events_job_changelist')}?state__exact=queued"
    note = _("%(n)s running") % {"n": running}
    if late:
        note = _("%(n)s running; the oldest waits for more than two minutes") % {"n": running}
    return Number(_("Jobs waiting"), waiting, url, note, "warning" if late else "neutral", "work_history")


def failed_tile(request: HttpRequest, span: Range) -> Number:
    """Jobs that failed in the chosen time."""
    since = timezone.now() - span.span
    rows = jobs_of(request).filter(state=JobState.FAILED)
    count = rows.filter(Q(finished_at__gte=since) | Q(finished_at=None, created_at__gte=since)).count()
    url = f"{reverse('console:events_job_changelist')}?state__exact=failed"
    return Number(_("Failed jobs"), count, url, span.label, "danger" if count else "success", "error")
