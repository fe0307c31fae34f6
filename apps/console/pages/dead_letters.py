"""Dead letters of all tenants: how many each task has left, and the page that replays many at once."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.db.models import Count, Max, Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import UnfoldAdminSelect2Widget, UnfoldAdminSelectWidget, UnfoldBooleanSwitchWidget

from apps.console.deeds import Outcome, offer
from apps.console.operator import jobs_of, sees_everything, tenants_of
from apps.console.pages.form_page import FormPage
from apps.console.pages.page import ConsolePage
from apps.console.panels import Link, Panel, Table
from apps.console.privacy import job_is_open
from apps.console.registers.states import job_badge
from apps.core.actor import Actor
from apps.core.errors import FieldError, Invalid
from apps.events.jobs import replay
from apps.events.jobs.states import DEAD, JobState
from apps.events.models import Job

MOST, NEWEST = 200, 25
PACES = (1, 5, 10, 50, 100)


class DeadLettersPage(ConsolePage):
    """The dead letters of the operator's tenants, by tenant and task, and the newest of them."""

    template_name = "console/dead_letters.html"
    title = gettext_lazy("Dead letters")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Counts, the newest letters, and where to replay them."""
        rows = jobs_of(self.request).filter(state__in=DEAD)
        counted = list(
            rows.values("tenant_id", "name")
            .annotate(
                failed=Count("pk", filter=Q(state=JobState.FAILED)),
                quarantined=Count("pk", filter=Q(state=JobState.QUARANTINED)),
                newest=Max("finished_at"),
            )
            .order_by("-failed", "name")[:MOST]
        )
        names = {row.pk: row.name for row in tenants_of(self.request)}
        panels = [
            Panel(_("By tenant and task"), table=_summary(counted, names), wide=True),
            Panel(_("Newest"), table=_newest(rows, names), wide=True),
        ]
        failed = sum(item["failed"] for item in counted)
        return super().get_context_data(panels=panels, empty=not counted, failed=failed, **kwargs)


def _summary(counted: Sequence[Any], names: dict[UUID, str]) -> Table:
    rows = []
    for item in counted:
        tenant = str(item["tenant_id"] or "none")
        jobs = reverse("console:events_job_changelist")
        listed = urlencode({"tenant": tenant, "name": item["name"], "state__in": "failed,quarantined"})
        asked = urlencode({"tenant": item["tenant_id"] or "", "task": item["name"]})
        rows.append(
            (
                names.get(item["tenant_id"], _("Platform")),
                Link(item["name"], f"{jobs}?{listed}"),
                item["failed"],
                item["quarantined"],
                item["newest"],
                Link(_("Replay"), f"{reverse('console:replay')}?{asked}") if item["failed"] else "",
            )
        )
    headers = [_("tenant"), _("task"), _("failed"), _("quarantined"), _("last failed"), _("many at once")]
    return Table(headers, rows, _("There are no dead letters."))


def _newest(rows: Any, names: dict[UUID, str]) -> Table:
    found: list[Job] = list(rows.order_by("-finished_at")[:NEWEST])
    lines = [
        (
            Link(job.title, reverse("console:events_job_change", args=[job.pk])),
            names.get(job.tenant_id, _("Platform")) if job.tenant_id else _("Platform"),
            job_badge(job.state),
            job.error[:160] if job_is_open(job.name, job.tenant_id) else "",
            job.finished_at,
        )
        for job in found
    ]
    return Table([_("job"), _("tenant"), _("state"), _("cause"), _("failed at")], lines, _("None."))


class ReplayForm(forms.Form):
    """Which letters, and how fast."""

    tenant = forms.ChoiceField(label=gettext_lazy("Tenant"), required=False, widget=UnfoldAdminSelect2Widget)
    task = forms.ChoiceField(label=gettext_lazy("Task"), required=False, widget=UnfoldAdminSelect2Widget)
    pace = forms.TypedChoiceField(
        label=gettext_lazy("Jobs a second"),
        coerce=int,
        choices=[(pace, pace) for pace in PACES],
        initial=replay.PER_SECOND,
        help_text=gettext_lazy("Slower is kinder to whatever failed before."),
        widget=UnfoldAdminSelectWidget,
    )
    lost = forms.BooleanField(
        label=gettext_lazy("Also those that ended together with their worker"),
        required=False,
        help_text=gettext_lazy("What takes its worker with it once may do so again."),
        widget=UnfoldBooleanSwitchWidget,
    )


class ReplayPage(FormPage):
    """Queues many dead letters again, so many a second."""

    title = gettext_lazy("Replay dead letters")
    lead = gettext_lazy(
        "Each is queued as it is and is one entry in its ledger. Quarantined ones are left out."
    )
    form_class = ReplayForm
    button = gettext_lazy("Begin the replay")
    back = "console:dead_letters"

    def trail(self) -> list[tuple[Any, str]]:
        return [(_("Dead letters"), reverse("console:dead_letters"))]

    def make(self, *args: Any) -> forms.Form:
        """The form with what there is to choose, and with what the address asks for."""
        form = super().make(*args)
        dead = jobs_of(self.request).filter(state=JobState.FAILED)
        waiting = {row["tenant_id"] for row in dead.values("tenant_id").distinct()}
        tenants = [(str(row.pk), row.name) for row in tenants_of(self.request) if row.pk in waiting]
        offer(
            form,
            "tenant",
            [*([("", _("All, and the platform"))] if sees_everything(self.request) else []), *tenants],
        )
        names = sorted({row["name"] for row in dead.values("name").distinct()})
        offer(form, "task", [("", _("All")), *((name, name) for name in names)])
        asked = self.request.GET
        form.initial = {
            "tenant": asked.get("tenant", ""),
            "task": asked.get("task", ""),
            "pace": replay.PER_SECOND,
        }
        return form

    def perform(self, *, form: Any, by: Actor) -> Outcome:
        """Start the job that does it."""
        values = form.cleaned_data
        if not values["tenant"] and not sees_everything(self.request):
            text = _("Choose a tenant.")
            raise Invalid(text, [FieldError("tenant", "required", text)])
        wish = replay.Wish(values["task"] or None, lost=values["lost"])
        tenant = UUID(values["tenant"]) if values["tenant"] else None
        count = replay.matching(wish, tenant_id=tenant)
        job = replay.replay(wish, by=by, per_second=values["pace"], tenant_id=tenant)
        text = ngettext("The replay of %(n)s job has begun.", "The replay of %(n)s jobs has begun.", count)
        return Outcome(text % {"n": count}, reverse("console:events_job_change", args=[job]))
