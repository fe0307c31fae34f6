"""How is it going: the charts of the dashboard, each with the list behind it."""

from urllib.parse import urlencode

from django.db import connections
from django.db.models import Count, Max, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from psycopg import sql

from apps.audit.models import Entry, Head
from apps.console.dashboard.ranges import EPOCH, Range, bin_of, counts
from apps.console.operator import jobs_of, sees_everything, tenants_of
from apps.console.pages.ledger import ledger_url
from apps.console.panels import Chart, Series
from apps.core.scope import TenantRef, tenant_scope
from apps.events.jobs.states import JobState
from apps.events.minutes import Minute
from apps.tenants.states import State

STATE_COLORS = {
    State.ACTIVE: "success",
    State.PROVISIONING: "info",
    State.FAILED: "danger",
    State.SUSPENDED: "warning",
    State.ARCHIVED: "neutral",
    State.DELETED: "primary",
}
JOB_COLORS = {
    JobState.DONE: "success",
    JobState.FAILED: "danger",
    JobState.CANCELLED: "neutral",
    JobState.RUNNING: "info",
    JobState.QUEUED: "warning",
    JobState.QUARANTINED: "warning",
    JobState.DISCARDED: "neutral",
}
# Each tenant's book is read in that tenant's scope; above this many the chart says that it shows the busiest.
MOST_BOOKS = 40
IN_BINS = sql.SQL("SELECT date_bin(%s, at, %s), count(*) FROM {} WHERE at >= %s GROUP BY 1")


def all_charts(request: HttpRequest, span: Range) -> list[Chart]:
    """The charts this operator may see; requests and lag concern the whole installation."""
    own = [tenants_by_state(request), jobs_over_time(request, span), entries_over_time(request, span)]
    if not sees_everything(request):
        return own
    return [own[0], requests_over_time(span), *own[1:], lag_over_time(span)]


def tenants_by_state(request: HttpRequest) -> Chart:
    """A ring of states."""
    found = dict(tenants_of(request).order_by().values_list("state").annotate(n=Count("pk")))
    states = [state for state in STATE_COLORS if found.get(state)]
    changelist = reverse("console:tenants_tenant_changelist")
    return Chart(
        key="tenants",
        title=_("Tenants by state"),
        kind="doughnut",
        labels=[f"{State(state).label} ({found[state]})" for state in states],
        series=[Series(_("Tenants"), [found[state] for state in states])],
        colors=[STATE_COLORS[state] for state in states],
        urls=[f"{changelist}?state__exact={state}" for state in states],
        url=changelist,
        empty=_("No tenant yet. Create the first one."),
    )


def requests_over_time(span: Range) -> Chart:
    """Answered requests of all processes, and those that failed on our side."""
    starts = span.starts()
    rows = (
        Minute.objects.filter(start__gte=starts[0])
        .annotate(bin=bin_of("start", span.step))
        .values("bin")
        .annotate(requests=Sum("requests"), errors=Sum("errors"))
        .order_by()
    )
    found = {row["bin"]: row for row in rows}
    errors = [found[start]["errors"] if start in found else 0 for start in starts]
    served = [
        found[start]["requests"] - wrong if start in found else 0
        for start, wrong in zip(starts, errors, strict=True)
    ]
    return Chart(
        key="requests",
        title=_("Requests"),
        kind="bar",
        labels=[span.label_of(start) for start in starts],
        series=[Series(_("Answered"), served), Series(_("Failed (5xx)"), errors, "danger")],
        url=reverse("console:health"),
        empty=_("No request has been counted in this time."),
    )


def jobs_over_time(request: HttpRequest, span: Range) -> Chart:
    """Jobs by the time they were asked for and the state they are in."""
    starts = span.starts()
    found = counts(jobs_of(request), "created_at", span, "state")
    changelist = reverse("console:events_job_changelist")
    return Chart(
        key="jobs",
        title=_("Jobs"),
        kind="bar",
        labels=[span.label_of(start) for start in starts],
        series=[
            Series(state.label, found[state], JOB_COLORS[state]) for state in JOB_COLORS if state in found
        ],
        urls=[f"{changelist}?{_between('created_at', start, start + span.step)}" for start in starts],
        url=changelist,
        empty=_("No job has been asked for in this time."),
    )


def _between(field: str, start: object, end: object) -> str:
    return urlencode({f"{field}__gte": start, f"{field}__lt": end})


def entries_over_time(request: HttpRequest, span: Range) -> Chart:
    """Chained entries of the platform's book and of the tenants' books together."""
    starts = span.starts()
    books = tenants_of(request).filter(pk__in=_moved_since(starts[0])).order_by("slug")
    refs = [tenant.ref for tenant in books[: MOST_BOOKS + 1]]
    series = []
    if sees_everything(request):
        series.append(
            Series(
                _("Platform"), counts(Entry.objects.all(), "at", span).get(None, [0] * len(starts)), "neutral"
            )
        )
    series.append(Series(_("Tenants"), _tenant_entries(refs[:MOST_BOOKS], span)))
    title = _("Ledger entries")
    if len(refs) > MOST_BOOKS:
        title = _("Ledger entries (platform and %(count)s tenants)") % {"count": MOST_BOOKS}
    return Chart(
        key="entries",
        title=title,
        kind="bar",
        labels=[span.label_of(start) for start in starts],
        series=series,
        urls=[ledger_url() for _start in starts] if sees_everything(request) else (),
        url=reverse("console:ledger"),
        empty=_("Nothing has been written in this time."),
    )


def _moved_since(start: object) -> list[object]:
    return list(Head.objects.filter(moved_at__gte=start).values_list("tenant_id", flat=True))


def _tenant_entries(refs: list[TenantRef], span: Range) -> list[int]:
    starts = span.starts()
    place = {start: index for index, start in enumerate(starts)}
    total = [0] * len(starts)
    for ref in refs:
        with tenant_scope(ref), connections["default"].raw_cursor() as cursor:  # type: ignore[attr-defined]
            statement = IN_BINS.format(sql.Identifier(ref.schema, "audit_entry"))
            for start, count in cursor.execute(statement, [span.step, EPOCH, starts[0]]).fetchall():
                if start in place:
                    total[place[start]] += count
    return total


def lag_over_time(span: Range) -> Chart:
    """The worst lag of the ledger in each step, in seconds."""
    starts = span.starts()
    rows = (
        Minute.objects.filter(start__gte=starts[0])
        .annotate(bin=bin_of("start", span.step))
        .values("bin")
        .annotate(lag=Max("ledger_lag_millis"), waiting=Max("jobs_waiting"))
        .order_by()
    )
    found = {row["bin"]: round(row["lag"] / 1000, 2) for row in rows}
    return Chart(
        key="lag",
        title=_("Ledger lag"),
        kind="line",
        labels=[span.label_of(start) for start in starts],
        series=[Series(_("Worst lag"), [found.get(start, 0) for start in starts], "warning")],
        unit="s",
        url=reverse("console:health"),
        empty=_("The ledger has kept up all the time."),
    )
