"""Keeping reports: who sees which, saving, sharing, deleting."""

from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import QueryDict
from django.utils.translation import gettext as _

from apps.audit import ledger
from apps.core.actor import Actor
from apps.core.errors import Conflict, FieldError, Invalid, NotFound, PermissionDenied
from apps.objects.catalog import catalog
from apps.permissions.access import access_for
from apps.portal.models import Dashboard, Report
from apps.portal.reports import spec as specs

MOST_PER_MEMBER = 200


def visible(by: Actor) -> list[Report]:
    """Return the member's own and the shared reports on objects that they may read, by name."""
    access, found = access_for(by), []
    for row in Report.objects.filter(Q(user_id=by.user_id) | Q(shared=True)):
        definition = catalog().find(row.object_name)
        if definition is not None and access.can("read", definition):
            found.append(row)
    return sorted(found, key=lambda row: row.name.casefold())


def get(report_id: UUID, by: Actor) -> Report:
    """Return a report that the member may see; raises NotFound for any other."""
    row: Report | None = Report.objects.filter(Q(user_id=by.user_id) | Q(shared=True), pk=report_id).first()
    if row is None:
        raise NotFound(_("There is no such report."))
    return row


def may_change(row: Report | Dashboard, by: Actor) -> bool:
    """Say whether the member may change it: who made it, and who manages the settings where it is shared."""
    return row.user_id == by.user_id or (row.shared and access_for(by).has_system("manage_settings"))


def require_change(row: Report | Dashboard, by: Actor) -> None:
    """Raise `PermissionDenied` unless the member may change it."""
    if not may_change(row, by):
        raise PermissionDenied(_("Only who made this, or an administrator, may change it."))


def named(name: str) -> str:
    """Return a name as it is kept; raises `Invalid` for none or a long one."""
    label = name.strip()
    if not label or len(label) > 80:
        message = _("Give it a name of at most 80 characters.")
        raise Invalid(message, [FieldError("name", "required", message)])
    return label


@transaction.atomic
def save(*, report_id: UUID | None, name: str, query: str, shared: bool, by: Actor) -> Report:
    """Keep a report's address under a name, as a new report or in the place of one."""
    if by.user_id is None:
        raise PermissionDenied
    given = QueryDict(query.lstrip("?"))
    definition = catalog().object(given.get("object", ""))
    access = access_for(by)
    access.require("read", definition)
    spec = specs.read(given, definition, access.clear(definition))
    specs.require_clear(spec)
    row = get(report_id, by) if report_id else Report(user_id=by.user_id)
    before = {"name": row.name, "shared": row.shared} if report_id else None
    if report_id:
        require_change(row, by)
    elif Report.objects.filter(user_id=by.user_id).count() >= MOST_PER_MEMBER:
        raise Conflict(_("You have 200 reports. Delete one first."), code="QUOTA_EXCEEDED")
    row.object_name, row.name, row.shared, row.body = definition.name, named(name), shared, spec.params()
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise Conflict(_("You have a report of this name already.")) from error
    after = {"name": row.name, "shared": row.shared, "object": row.object_name}
    ledger.record("report.saved", by=by, target=f"report:{row.id}", before=before, after=after)
    return row


@transaction.atomic
def delete(*, report_id: UUID, by: Actor) -> None:
    """Delete a report; dashboards that show it say that it is gone."""
    row = get(report_id, by)
    require_change(row, by)
    before = {"name": row.name, "object": row.object_name}
    ledger.record("report.deleted", by=by, target=f"report:{row.id}", before=before)
    row.delete()
