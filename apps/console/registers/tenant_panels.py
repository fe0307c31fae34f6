"""The page of a tenant: figures, addresses, people, modules, jobs and entries; never its records."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.audit import queries as ledger
from apps.console.archives import archives_of
from apps.console.installed import BUILT, installed_in, notices_in
from apps.console.operator import sees_everything
from apps.console.pages.ledger import ledger_url
from apps.console.panels import Badge, Fact, Link, Panel, Table
from apps.console.registers.states import job_badge
from apps.console.tenant_facts import meters, sizes_of
from apps.events.models import Job
from apps.identity.models import Membership
from apps.tenants.models import Host, Tenant


def panels_of(request: HttpRequest, row: Tenant) -> Sequence[Panel]:
    """The panels in order; a tenant without a schema has fewer."""
    panels = [_about(row), _hosts(row)]
    if row.state in BUILT:
        panels += [_usage(row), _modules(row), _members(row)]
    panels.append(_jobs(row))
    if row.state in BUILT:
        panels += [*_notices(row), _archives(row)]
    return [*panels, _entries(request, row)]


def _about(row: Tenant) -> Panel:
    facts = [
        Fact(_("address"), row.slug),
        Fact(_("id"), row.pk),
        Fact(_("schema"), row.schema_name),
        Fact(_("language"), dict(settings.LANGUAGES).get(row.locale, row.locale)),
        Fact(_("time zone"), row.time_zone),
        Fact(_("currency"), row.currency),
        Fact(_("created"), row.created_at),
        Fact(_("state since"), row.state_changed_at, row.state_reason),
    ]
    return Panel(_("Tenant"), facts=facts)


def _hosts(row: Tenant) -> Panel:
    rows: list[Sequence[Any]] = []
    for host in Host.objects.filter(tenant=row).order_by("-is_primary", "domain"):
        port = f":{settings.PORT}" if settings.PUBLIC_SCHEME == "http" else ""
        open_it = Link(_("Open"), f"{settings.PUBLIC_SCHEME}://{host.domain}{port}/")
        badge = Badge(_("primary"), "success") if host.is_primary else ""
        rows.append(
            (Link(host.domain, reverse("console:tenants_host_change", args=[host.pk])), badge, open_it)
        )
    return Panel(
        _("Hosts"),
        key="hosts",
        table=Table([_("domain"), _("kind"), _("portal")], rows, _("No address leads here.")),
    )


def _usage(row: Tenant) -> Panel:
    facts = [Fact(label, value) for label, value in meters(row).values()]
    _records, _size, tables = sizes_of(row)
    plan = Link(row.plan.name, reverse("console:tenants_plan_change", args=[row.plan_id]))
    facts = [Fact(_("plan"), plan), *facts, Fact(_("tables"), tables)]
    note = _("Storage is that of uploaded files; requests are those of the last minute.")
    return Panel(_("Plan and usage"), facts=facts, key="usage", note=note)


def _modules(row: Tenant) -> Panel:
    rows = [(each.name, each.version, each.installed_by, each.installed_at) for each in installed_in(row)]
    table = Table(
        [_("module"), _("version"), _("by"), _("installed")], rows, _("No module is installed yet.")
    )
    link = Link(_("Catalogue"), reverse("console:catalogue"))
    return Panel(_("Modules"), table=table, links=[link], key="modules")


OUTCOMES = {
    "parked": Badge(gettext_lazy("kept, does nothing yet"), "warning"),
    "refused": Badge(gettext_lazy("not taken over"), "danger"),
    "adapted": Badge(gettext_lazy("taken in another form"), "info"),
}


def _notices(row: Tenant) -> list[Panel]:
    """What of the tenant's packages does not run here; no panel without any."""
    found = [(each, notice) for each, notices in notices_in(row) for notice in notices]
    rows = [(each.name, n["path"], OUTCOMES[n["outcome"]], n["reason"]) for each, n in found]
    if not rows:
        return []
    table = Table([_("package"), _("part"), _("what became of it"), _("why")], rows, "")
    note = _("A package keeps working without these parts; its author may expect them.")
    return [
        Panel(_("Parts of packages that do not run here"), table=table, key="notices", note=note, wide=True)
    ]


def _members(row: Tenant) -> Panel:
    found = Membership.objects.filter(tenant=row).select_related("user").order_by("role", "user__email")
    rows: list[Sequence[Any]] = [
        (
            Link(place.user.email, reverse("console:identity_membership_change", args=[place.pk])),
            place.get_role_display(),
            place.get_state_display(),
        )
        for place in found[:8]
    ]
    listed = f"{reverse('console:identity_membership_changelist')}?tenant={row.slug}"
    links = [
        Link(_("All"), listed),
        Link(_("Invitations"), f"{reverse('console:identity_invitation_changelist')}?tenant={row.slug}"),
        Link(_("Keys"), f"{reverse('console:identity_apikey_changelist')}?tenant={row.slug}"),
    ]
    table = Table([_("email address"), _("role"), _("state")], rows, _("Nobody belongs to this tenant yet."))
    return Panel(_("Members"), table=table, links=links, key="members")


def _jobs(row: Tenant) -> Panel:
    own = Job.objects.filter(tenant_id=row.pk)
    about = Job.objects.filter(tenant_id=None, args__slug=row.slug)
    exports = Job.objects.filter(tenant_id=None, args__tenant_id=str(row.pk))
    rows: list[Sequence[Any]] = [
        (
            Link(job.title, reverse("console:events_job_change", args=[job.pk])),
            job_badge(job.state),
            job.created_at,
        )
        for job in (own | about | exports).order_by("-id")[:6]
    ]
    link = Link(_("All"), f"{reverse('console:events_job_changelist')}?tenant={row.pk}")
    table = Table([_("job"), _("state"), _("asked for")], rows, _("Nothing has been asked for yet."))
    return Panel(_("Jobs"), table=table, links=[link], key="jobs")


def _archives(row: Tenant) -> Panel:
    rows: list[Sequence[Any]] = [
        (
            Link(archive.name, reverse("console:download_archive", args=[row.pk, archive.name])),
            filesizeformat(archive.size),
            archive.made_at,
        )
        for archive in archives_of(row.pk)
    ]
    table = Table(
        [_("archive"), _("size"), _("written")], rows, _("Export the tenant to get a signed archive.")
    )
    return Panel(_("Archives"), table=table, key="archives")


def _entries(request: HttpRequest, row: Tenant) -> Panel:
    target = f"tenant:{row.pk}"
    entries = ledger.history(target, limit=8)
    cells = [
        (entry.at, entry.actor.label, entry.action, (entry.after or {}).get("state_reason", ""))
        for entry in entries
    ]
    links = []
    if row.state in BUILT:
        links.append(Link(_("The tenant's ledger"), ledger_url(book=row.slug)))
    if sees_everything(request):
        links.append(Link(_("All entries"), ledger_url(target=target)))
    table = Table(
        [_("when"), _("who"), _("what"), _("reason")], cells, _("Nothing has been written about it yet.")
    )
    return Panel(_("What operators did"), table=table, links=links, wide=True, key="entries")
