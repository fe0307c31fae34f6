"""Reports: the list of them, the builder with its answer, keeping, the table as a file."""

import csv
import io
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.audit import ledger
from apps.objects.catalog import catalog
from apps.objects.definitions import ObjectDef
from apps.permissions.access import Access, access_for
from apps.portal import export, navigation, records, show
from apps.portal.listing import builder
from apps.portal.listing import page as listing
from apps.portal.models import Report
from apps.portal.reports import charts, dashboards, keeping, suggest
from apps.portal.reports import spec as specs
from apps.portal.reports.run import Outcome, run
from apps.portal.reports.spec import Spec
from apps.portal.views.frame import actor_of, page


@require_GET
@page
def index(request: HttpRequest) -> HttpResponse:
    """Show the reports that there are, and what could be asked."""
    by, locale = actor_of(request), show.locale()
    rows = []
    for row in keeping.visible(by):
        definition = catalog().object(row.object_name)
        chart = (row.body.get("chart") or ["column"])[0]
        icon = specs.CHARTS.get(chart, specs.CHARTS["column"])[0]
        label = definition.label_for(locale, plural=True)
        rows.append({"row": row, "icon": icon, "object": label, "mine": row.user_id == by.user_id})
    context = {"nav_current": "reports", "rows": rows, "groups": _suggested(request)}
    return render(request, "portal/reports/index.html", context)


def _suggested(request: HttpRequest) -> list[dict[str, Any]]:
    by, locale, found = actor_of(request), show.locale(), []
    access = access_for(by)
    for definition in catalog():
        if not access.can("read", definition):
            continue
        made = suggest.of(definition, access.clear(definition))
        found.append({
            "label": definition.label_for(locale, plural=True),
            "icon": navigation.icon_of(definition),
            "new": reverse("portal:report-new") + f"?object={definition.name}",
            "items": [
                {"title": s.title, "icon": specs.CHARTS[s.spec.chart][0], "href": _new(s.spec)} for s in made[1:]
            ],
        })  # fmt: skip
    return found


def _new(spec: Spec) -> str:
    return reverse("portal:report-new") + spec.query()


@require_GET
@page
def new(request: HttpRequest) -> HttpResponse:
    """Show the builder with the answer to what the address asks."""
    definition, access, spec = _asked(request, request.GET)
    if not request.GET.keys() & {"g", "m", "f", "chart"}:
        made = suggest.of(definition, access.clear(definition))
        spec = made[1].spec if len(made) > 1 else spec
    return _page(request, definition, access, spec, None)


@require_GET
@page
def one(request: HttpRequest, report_id: UUID) -> HttpResponse:
    """Show a kept report, or what the address makes of it."""
    row = keeping.get(report_id, actor_of(request))
    given: Any = request.GET if request.GET.keys() & {"g", "m", "f", "chart"} else row.body
    definition, access = records.rights(row.object_name, actor_of(request))
    access.require("read", definition)
    return _page(request, definition, access, specs.read(given, definition, access.clear(definition)), row)


def _asked(request: HttpRequest, given: QueryDict) -> tuple[ObjectDef, Access, Spec]:
    definition, access = records.rights(given.get("object", ""), actor_of(request))
    access.require("read", definition)
    return definition, access, specs.read(given, definition, access.clear(definition))


def _page(
    request: HttpRequest, definition: ObjectDef, access: Access, spec: Spec, row: Report | None
) -> HttpResponse:
    by, locale, clear = actor_of(request), show.locale(), access.clear(definition)
    specs.require_clear(spec)
    outcome = run(spec, definition, by=by)
    names = records.names_for(
        definition, [{c.field: c.value} for c in spec.conditions], [c.field for c in spec.conditions], by=by
    )
    chips = listing.chips(spec.conditions, lambda left: spec.query(conditions=left), definition, names)
    context = {
        "object": definition,
        "plural": definition.label_for(locale, plural=True),
        "nav_current": "reports",
        "crumbs": [(_("Reports"), reverse("portal:reports")), (row.name if row else _("New report"), "")],
        "report": row,
        "may_change": row is not None and keeping.may_change(row, by),
        "changed": row is not None and spec.params() != specs.read(row.body, definition, clear).params(),
        "spec": spec,
        "address": spec,
        "outcome": outcome,
        "table": table_of(outcome),
        "chart": charts.draw(outcome, charts.Size(820, 300)),
        "builder": _choices(spec, definition, clear),
        "chips": chips,
        "clear_href": spec.query(conditions=()),
        "filter_group": builder.Builder(definition, clear, records.members().items()).whole(spec.conditions),
        "filter_to": str(row.pk) if row else "new",
        "may_export": bool(access.can("export", definition)),
        "dashboards": [d for d in dashboards.visible(by) if keeping.may_change(d, by)] if row else [],
    }
    return render(request, "portal/reports/report.html", context)


def table_of(outcome: Outcome) -> list[dict[str, Any]]:
    """Return the lines of the table: a category with its figures."""
    return [
        {"label": category.label, "tone": category.tone, "figures": [s.figures[n] for s in outcome.series]}
        for n, category in enumerate(outcome.categories)
    ]


def _choices(spec: Spec, definition: ObjectDef, clear: frozenset[str]) -> dict[str, Any]:
    """Return what the builder's form offers."""
    fields = [f for f in definition.all_fields.values() if f.name in clear and not f.hidden]
    keys: list[tuple[str, str]] = []
    for field in filter(specs.groupable, fields):
        label = show.label(definition, field.name)
        if not specs.dated(field):
            keys.append((field.name, label))
            continue
        keys += [(f"{field.name}:{name}", f"{label}, {words}") for name, words in specs.BUCKET_LABELS.items()]
    figures = [("count", specs.label_of(specs.COUNT, definition))]
    for function in ("sum", "avg", "min", "max"):
        figures += [
            (m.encoded(), specs.label_of(m, definition))
            for m in (specs.Measure(function, f.name) for f in fields if specs.countable(f))
        ]
    chosen = [g.encoded() for g in spec.groups]
    measured = [m.encoded() for m in spec.measures]
    return {
        "keys": keys,
        "figures": figures,
        "groups": [*chosen, "", ""][:2],
        "measures": [
            *measured,
            *([""] if len(spec.groups) < 2 and len(measured) < specs.MOST_MEASURES else []),
        ],
        "charts": [(name, icon, words, name == spec.chart) for name, (icon, words) in specs.CHARTS.items()],
        "conditions": [c.encoded() for c in spec.conditions],
    }


@require_POST
@page
def save(request: HttpRequest) -> HttpResponse:
    """Keep the report under a name."""
    wanted = request.POST.get("report", "")
    row = keeping.save(
        report_id=UUID(wanted) if wanted else None,
        name=request.POST.get("name", ""),
        query=request.POST.get("query", ""),
        shared="shared" in request.POST,
        by=actor_of(request),
    )
    messages.success(request, _("The report “%(name)s” is saved.") % {"name": row.name})
    return HttpResponseRedirect(reverse("portal:report", args=[row.pk]))


@require_POST
@page
def delete(request: HttpRequest, report_id: UUID) -> HttpResponse:
    """Delete a kept report."""
    keeping.delete(report_id=report_id, by=actor_of(request))
    messages.success(request, _("The report is deleted."))
    return HttpResponseRedirect(reverse("portal:reports"))


@require_GET
@page
def as_file(request: HttpRequest) -> HttpResponse:
    """Send the report's table as CSV; needs the right to export, and leaves an entry."""
    by = actor_of(request)
    definition, access, spec = _asked(request, request.GET)
    access.require("export", definition)
    specs.require_clear(spec)
    outcome = run(spec, definition, by=by)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([export.harmless(head) for head in (outcome.axis, *outcome.heads)])
    for line in table_of(outcome):
        values = ["" if f.value is None else f"{f.value.normalize():f}" for f in line["figures"]]
        writer.writerow([export.harmless(line["label"]), *values])
    details = {"object": definition.name, "rows": len(outcome.categories), "query": spec.params()}
    ledger.record("report.exported", by=by, target=f"object:{definition.name}", details=details)
    answer = HttpResponse("\ufeff" + text.getvalue(), content_type="text/csv; charset=utf-8")
    name = slugify(definition.label_for(show.locale(), plural=True), allow_unicode=True) or definition.name
    answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}.csv"
    return answer
