"""Dashboards: who sees which, their parts, and what each part shows under the reader's rights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.audit import ledger
from apps.core.actor import Actor
from apps.core.errors import Conflict, Invalid, NotFound, PermissionDenied, Problem
from apps.core.ids import uuid7
from apps.objects.catalog import catalog
from apps.permissions.access import access_for
from apps.portal import records, saved_views, show
from apps.portal.listing import address as addresses
from apps.portal.listing import page as listing
from apps.portal.models import Dashboard, Report
from apps.portal.reports import charts, keeping
from apps.portal.reports import spec as specs
from apps.portal.reports.run import Outcome, run

SIZES = (1, 2, 3, 4)
CANVAS = {
    1: charts.Size(380, 240),
    2: charts.Size(600, 250),
    3: charts.Size(880, 270),
    4: charts.Size(1160, 280),
}
MOST_WIDGETS, MOST_PER_MEMBER, LISTED = 24, 50, 6


@dataclass(frozen=True)
class Widget:
    """One part as the template draws it; `problem` is why there is nothing to draw."""

    id: str
    title: str
    size: int
    href: str = ""
    icon: str = "chart-bar"
    outcome: Outcome | None = None
    chart: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[listing.Row, ...] = ()
    problem: str = ""

    @property
    def kind(self) -> str:
        """What it is: number, chart, table or list."""
        if self.outcome is None:
            return "list"
        if not self.outcome.spec.groups or self.outcome.spec.chart == "number":
            return "number"
        return "table" if self.outcome.spec.chart == "table" else "chart"


def visible(by: Actor) -> list[Dashboard]:
    """Return the member's own and the shared dashboards, by name."""
    rows = Dashboard.objects.filter(Q(user_id=by.user_id) | Q(shared=True))
    return sorted(rows, key=lambda row: (row.user_id != by.user_id, row.name.casefold()))


def get(dashboard_id: UUID, by: Actor) -> Dashboard:
    """Return a dashboard that the member may see; raises NotFound for any other."""
    row: Dashboard | None = Dashboard.objects.filter(
        Q(user_id=by.user_id) | Q(shared=True), pk=dashboard_id
    ).first()
    if row is None:
        raise NotFound(_("There is no such dashboard."))
    return row


@transaction.atomic
def create(*, name: str, shared: bool, widgets: list[dict[str, Any]], by: Actor) -> Dashboard:
    """Make a dashboard; `widgets` without their ids."""
    if by.user_id is None:
        raise PermissionDenied
    if Dashboard.objects.filter(user_id=by.user_id).count() >= MOST_PER_MEMBER:
        raise Conflict(_("You have 50 dashboards. Delete one first."), code="QUOTA_EXCEEDED")
    row = Dashboard(user_id=by.user_id, name=keeping.named(name), shared=shared)
    row.widgets = [widget | {"id": str(uuid7())} for widget in widgets[:MOST_WIDGETS]]
    _save(row)
    after = {"name": row.name, "shared": row.shared, "widgets": len(row.widgets)}
    ledger.record("dashboard.created", by=by, target=f"dashboard:{row.id}", after=after)
    return row


def _save(row: Dashboard) -> None:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise Conflict(_("You have a dashboard of this name already.")) from error


@transaction.atomic
def change(*, dashboard_id: UUID, act: Mapping[str, str], by: Actor) -> Dashboard:
    """Change a dashboard: `action` is rename, add, move, resize or remove; raises `Invalid` for anything else."""
    get(dashboard_id, by)
    row: Dashboard = Dashboard.objects.select_for_update().get(pk=dashboard_id)
    keeping.require_change(row, by)
    before = {"name": row.name, "shared": row.shared, "widgets": len(row.widgets)}
    action = "move" if "to" in act else act.get("action", "")
    if action == "rename":
        row.name, row.shared = keeping.named(act.get("name", "")), bool(act.get("shared"))
    elif action == "add":
        if len(row.widgets) >= MOST_WIDGETS:
            raise Conflict(_("A dashboard has at most 24 parts."), code="QUOTA_EXCEEDED")
        row.widgets = [*row.widgets, _widget(act, by) | {"id": str(uuid7())}]
    else:
        row.widgets = _rearranged(row.widgets, action, act)
    _save(row)
    after = {"name": row.name, "shared": row.shared, "widgets": len(row.widgets)}
    details = {"action": action}
    ledger.record(
        "dashboard.updated", by=by, target=f"dashboard:{row.id}", before=before, after=after, details=details
    )
    return row


@transaction.atomic
def delete(*, dashboard_id: UUID, by: Actor) -> None:
    """Delete a dashboard; its reports stay."""
    row = get(dashboard_id, by)
    keeping.require_change(row, by)
    ledger.record("dashboard.deleted", by=by, target=f"dashboard:{row.id}", before={"name": row.name})
    row.delete()


def _widget(act: Mapping[str, str], by: Actor) -> dict[str, Any]:
    """Return what the form adds: `what` is `report:<id>` or `list:<object>[:<id of a saved view>]`."""
    kind, _colon, rest = act.get("what", "").partition(":")
    size = _size(act.get("size", "2"))
    if kind == "report":
        try:
            return {"report": str(keeping.get(UUID(rest), by).pk), "size": size}
        except ValueError as error:
            raise Invalid(_("Choose a report or a list."), code="INVALID_REQUEST") from error
    if kind == "list":
        name, _colon, view_id = rest.partition(":")
        definition, access = records.rights(name, by)
        access.require("read", definition)
        views = saved_views.visible(name, by.user_id) if by.user_id else []
        view = next((v for v in views if v.id == view_id), None)
        return {
            "object": name,
            "query": view.query if view else {},
            "title": view.name if view else "",
            "size": size,
        }
    raise Invalid(_("Choose a report or a list."), code="INVALID_REQUEST")


def _size(text: str) -> int:
    if not text.isdigit() or int(text) not in SIZES:
        raise Invalid(_("Choose one of the sizes."), code="INVALID_REQUEST")
    return int(text)


def _rearranged(widgets: list[dict[str, Any]], action: str, act: Mapping[str, str]) -> list[dict[str, Any]]:
    at = next((n for n, widget in enumerate(widgets) if widget["id"] == act.get("widget")), None)
    if at is None:
        raise NotFound(_("This part is not on the dashboard."))
    made = list(widgets)
    if action == "remove":
        del made[at]
    elif action == "resize":
        made[at] = made[at] | {"size": _size(act.get("size", ""))}
    elif action == "move" and act.get("to") in ("earlier", "later"):
        other = max(0, min(len(made) - 1, at + (1 if act["to"] == "later" else -1)))
        made[at], made[other] = made[other], made[at]
    else:
        raise Invalid(_("There is no such action."), code="INVALID_REQUEST")
    return made


def widgets(row: Dashboard, by: Actor) -> list[Widget]:
    """Return the parts as the member may see them; one that they may not says so and hides nothing else."""
    shared = {str(r.pk): r for r in keeping.visible(by)}
    return [_shown(part, shared, by) for part in row.widgets]


def _shown(part: Mapping[str, Any], reports: Mapping[str, Report], by: Actor) -> Widget:
    try:
        return _of_report(part, reports, by) if "report" in part or "body" in part else _of_list(part, by)
    except Problem as problem:
        problem_text = (
            problem.message if problem.code != "PERMISSION_DENIED" else _("This is not visible to you.")
        )
        return Widget(part["id"], str(part.get("title") or ""), part["size"], problem=problem_text)


def _of_report(part: Mapping[str, Any], reports: Mapping[str, Report], by: Actor) -> Widget:
    row = reports.get(str(part.get("report")))
    if row is None and "body" not in part:
        raise NotFound(_("This report is gone, or is not visible to you."))
    name, body = (row.object_name, row.body) if row else (str(part["object"]), part["body"])
    definition, access = records.rights(name, by)
    spec = specs.read(body, definition, access.clear(definition))
    access.require("read", definition)
    specs.require_clear(spec)
    outcome = run(spec, definition, by=by)
    page = reverse("portal:report", args=[row.pk]) if row else reverse("portal:report-new") + spec.query()
    return Widget(
        id=part["id"],
        title=row.name if row else str(part.get("title") or ""),
        size=part["size"],
        href=page,
        icon=specs.CHARTS[spec.chart][0],
        outcome=outcome,
        chart=charts.draw(outcome, CANVAS[part["size"]]),
    )


def _of_list(part: Mapping[str, Any], by: Actor) -> Widget:
    definition, access = records.rights(str(part["object"]), by)
    access.require("read", definition)
    given = {name: list(values) for name, values in part.get("query", {}).items() if name != "as"}
    address = addresses.from_query(
        "?" + urlencode(given, doseq=True), definition, access.readable(definition), access.clear(definition)
    )
    most = 2 + part["size"]
    columns = tuple(dict.fromkeys([definition.name_field, *address.columns]))
    columns = tuple(name for name in columns if name in access.readable(definition))[:most]
    body = listing.ast(address, definition) | {"limit": LISTED, "after": ""}
    found = records.find(definition, body, by=by)
    names = records.names_for(definition, found.rows, columns, by=by)
    shown = addresses.ListAddress(columns, address.sort)
    return Widget(
        id=part["id"],
        title=str(part.get("title") or definition.label_for(show.locale(), plural=True)),
        size=part["size"],
        href=reverse("portal:list", args=[definition.name]) + address.query(),
        icon="list",
        columns=tuple(show.label(definition, name) for name in columns),
        rows=tuple(listing.rows(found.rows, shown, definition, names)),
    )


def choices(by: Actor) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return what can be put on a dashboard: (heading, [(value, words)])."""
    access, locale = access_for(by), show.locale()
    lists = []
    for definition in catalog():
        if access.can("read", definition):
            plural = definition.label_for(locale, plural=True)
            lists.append((f"list:{definition.name}", plural))
            views = saved_views.visible(definition.name, by.user_id) if by.user_id else []
            lists += [(f"list:{definition.name}:{view.id}", f"{plural}: {view.name}") for view in views]
    reports = [(f"report:{row.pk}", row.name) for row in keeping.visible(by)]
    return [(_("Reports"), reports), (_("Lists"), lists)]
