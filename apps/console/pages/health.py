"""The health page: what each check found last and over time, alerts, processes, and what was put right."""

import datetime as dt
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import View
from unfold.sites import UnfoldAdminSite

from apps.console.operator import actor_of, sees_everything, tenants_of
from apps.console.pages.page import ConsolePage
from apps.console.panels import Badge, Tone
from apps.console.sparks import amount, draw
from apps.core import health
from apps.core.errors import NotFound
from apps.core.health import Check, Finding
from apps.events.health import alerts, history, probe, processes
from apps.events.health.history import HOUR, SPANS, Point, Span
from apps.events.models import Alert, CheckState
from apps.tenants.models import Tenant

TONES: dict[str, Tone] = {"ok": "success", "degraded": "warning", "failed": "danger"}
LABELS = {"ok": gettext_lazy("well"), "degraded": gettext_lazy("degraded"), "failed": gettext_lazy("failed")}
GROUPS = {
    "data": gettext_lazy("Database"),
    "ledger": gettext_lazy("Ledger"),
    "events": gettext_lazy("Events"),
    "work": gettext_lazy("Work"),
    "machine": gettext_lazy("Machine"),
}
KINDS = {
    "pump": gettext_lazy("Pump"),
    "worker": gettext_lazy("Worker"),
    "scheduler": gettext_lazy("Clock"),
    "web": gettext_lazy("Web"),
    "live": gettext_lazy("Live"),
}
SPAN_LABELS = {
    "hour": gettext_lazy("1 hour"),
    "day": gettext_lazy("24 hours"),
    "week": gettext_lazy("7 days"),
}


def badge(status: str) -> Badge:
    """The status of a check as a badge."""
    return Badge(LABELS.get(status, status), TONES.get(status, "neutral"))


def address() -> str:
    """Where the page is."""
    return reverse("console:health")


class HealthPage(ConsolePage):
    """Shows the last probe; `POST` runs the checks now."""

    template_name = "console/health.html"
    title = gettext_lazy("Health")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Probe now, keep what was found, and show it."""
        probe.probe()
        messages.success(request, _("All checks have been run."))
        return HttpResponseRedirect(f"{address()}?{urlencode({'range': self.span().key})}")

    def span(self) -> Span:
        """The range asked for; an hour when it is none."""
        asked = self.request.GET.get("range")
        return next((span for span in SPANS if span.key == asked), HOUR)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Findings in groups, the worst on top of each; alerts and healings as far as the operator may see them."""
        report, span = health.latest(), self.span()
        everything = sees_everything(self.request)
        return super().get_context_data(
            overall=badge(report.worst),
            checked=_ago(report.at),
            groups=_groups(report, span),
            spans=[{"key": s.key, "label": SPAN_LABELS[s.key], "now": s == span} for s in SPANS],
            alerts=_rows(self.request, history.open_alerts()),
            past=_rows(self.request, history.past_alerts(10)),
            processes=[_process(row) for row in processes.everyone()],
            healings=history.healings() if everything else (),
            everything=everything,
            **kwargs,
        )


class AcknowledgeAlert(View):
    """Says that the operator has seen an alert; it leaves the way of all operators."""

    site: UnfoldAdminSite | None = None

    def post(self, request: HttpRequest, alert: UUID, **_kwargs: Any) -> HttpResponse:
        """One POST, one service; an alert of a tenant that is not granted does not exist."""
        if not _seen_by(request).filter(pk=alert).exists():
            raise NotFound(_("There is no such alert."))
        alerts.acknowledge(alert, by=actor_of(request))
        messages.success(request, _("Acknowledged. It stays listed under Health until it is over."))
        return HttpResponseRedirect(address())


def banners(request: HttpRequest) -> list[dict[str, Any]]:
    """What is in the way of this operator on every page: the alerts that nobody has acknowledged."""
    notices = alerts.for_operators()
    if not notices:
        return []
    if not sees_everything(request):
        granted = set(tenants_of(request).values_list("pk", flat=True))
        notices = tuple(notice for notice in notices if notice.tenant_id in granted)
    return [{"notice": notice, "url": _look(notice.kind, notice.subject)} for notice in notices[:3]]


def _seen_by(request: HttpRequest) -> Any:
    rows = Alert.objects.all()
    return rows if sees_everything(request) else rows.filter(tenant_id__in=tenants_of(request).values("pk"))


def _look(kind: str, subject: str) -> str:
    if kind == "ledger.tampered":
        return f"{reverse('console:integrity')}?{urlencode({'book': subject})}"
    return f"{address()}#check-{subject}"


def _rows(request: HttpRequest, found: Sequence[Alert]) -> list[dict[str, Any]]:
    seen = set(_seen_by(request).filter(pk__in=[row.pk for row in found]).values_list("pk", flat=True))
    names = dict(Tenant.objects.filter(pk__in=[row.tenant_id for row in found]).values_list("pk", "name"))
    return [
        {"alert": row, "tenant": names.get(row.tenant_id), "url": _look(row.kind, row.subject)}
        for row in found
        if row.pk in seen
    ]


def _groups(report: health.Report, span: Span) -> list[dict[str, Any]]:
    known, past = health.checks(), history.of_checks(span)
    since = dict(CheckState.objects.values_list("name", "since"))
    groups: list[dict[str, Any]] = []
    for key, label in GROUPS.items():
        rows = [
            _check(known[name], found, past.get(name), span, since.get(name))
            for name, found in report.findings.items()
            if name in known and known[name].group == key
        ]
        rows.sort(key=lambda row: (-health.RANK[row["status"]], str(row["title"])))
        if rows:
            groups.append({"key": key, "label": label, "checks": rows})
    return groups


def _check(
    check: Check, found: Finding, points: list[Point] | None, span: Span, since: Any
) -> dict[str, Any]:
    value = found.figures.get(check.measure) if check.measure else found.seconds
    return {
        "name": check.name,
        "title": check.title,
        "status": found.status,
        "badge": badge(found.status),
        "message": found.message,
        "figures": sorted(found.figures.items()),
        "value": amount(value, check.measure),
        "ms": round(found.seconds * 1000, 1),
        "spark": draw(points, span, check.measure, LABELS) if points else None,
        "measure": check.measure,
        "since": _ago(since),
        "share": history.share_well(points) if points else None,
    }


def _ago(moment: dt.datetime | None) -> str:
    return amount((timezone.now() - moment).total_seconds(), "_seconds") if moment else ""


def _process(row: Any) -> dict[str, Any]:
    silent = (timezone.now() - row.seen_at).total_seconds()
    stuck = sorted(name for name, loop in row.details.get("loops", {}).items() if loop.get("stuck"))
    state = Badge(_("well"), "success")
    if row.lost_at is not None or silent > processes.LOST_AFTER:
        state = Badge(_("lost"), "danger")
    elif stuck:
        state = Badge(_("stuck"), "danger")
    return {
        "row": row,
        "kind": KINDS.get(row.kind, row.kind),
        "state": state,
        "does": _does(row.details),
        "stuck": ", ".join(stuck),
    }


def _does(details: dict[str, Any]) -> str:
    if "loops" in details:
        return ", ".join(sorted(details["loops"]))
    if "slots" in details:
        return _("%(n)s places") % {"n": details["slots"]}
    return ""
