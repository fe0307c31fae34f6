"""Deeds on webhooks: an operator may stop one that does harm, and let it go on; each in the scope of its tenant."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.console.deeds import Deed, DeedForm, Outcome
from apps.core.actor import Actor
from apps.core.scope import TenantRef, tenant_scope
from apps.events.models import EndpointState, WebhookEndpoint, WebhookSource
from apps.events.webhooks import endpoints, sources
from apps.tenants.models import Tenant


def _ref(row: WebhookEndpoint | WebhookSource) -> TenantRef:
    return Tenant.objects.get(pk=row.tenant_id).ref


class PauseWebhook(Deed):
    """Send nothing more to an address."""

    name = "pause"
    label = gettext_lazy("Pause")
    icon = "pause_circle"
    danger = True

    def offered(self, row: WebhookEndpoint) -> bool:
        """While active."""
        return row.state == EndpointState.ACTIVE

    def question(self, row: WebhookEndpoint) -> Any:
        return _("Pause the webhook to %(host)s?") % {"host": endpoints.host_of(row)}

    def consequences(self, row: WebhookEndpoint) -> Sequence[Any]:
        return (
            _("Nothing is sent to the address any more, until somebody switches the webhook on."),
            _("Events of the meantime are not kept for it; what waits can be sent again afterwards."),
        )

    def perform(self, *, row: WebhookEndpoint, form: DeedForm, by: Actor) -> Outcome:
        """Pause in the tenant's scope."""
        with tenant_scope(_ref(row)):
            endpoints.pause(endpoint_id=row.pk, by=by)
        return Outcome(_("The webhook to %(host)s is paused.") % {"host": endpoints.host_of(row)})


class ResumeWebhook(Deed):
    """Send again."""

    name = "resume"
    label = gettext_lazy("Switch on")
    icon = "play_circle"
    primary = True

    def offered(self, row: WebhookEndpoint) -> bool:
        """While paused or switched off."""
        return row.state != EndpointState.ACTIVE

    def question(self, row: WebhookEndpoint) -> Any:
        return _("Switch on the webhook to %(host)s?") % {"host": endpoints.host_of(row)}

    def consequences(self, row: WebhookEndpoint) -> Sequence[Any]:
        return (_("Events are sent again from the next one on."),)

    def perform(self, *, row: WebhookEndpoint, form: DeedForm, by: Actor) -> Outcome:
        """Resume in the tenant's scope."""
        with tenant_scope(_ref(row)):
            endpoints.resume(endpoint_id=row.pk, by=by)
        return Outcome(_("The webhook to %(host)s is active.") % {"host": endpoints.host_of(row)})


class PauseSource(Deed):
    """Refuse all messages of a sender."""

    name = "pause"
    label = gettext_lazy("Pause")
    icon = "pause_circle"
    danger = True

    def offered(self, row: WebhookSource) -> bool:
        """While active."""
        return row.state == EndpointState.ACTIVE

    def question(self, row: WebhookSource) -> Any:
        return _("Pause the incoming webhook %(name)s?") % {"name": row.name}

    def consequences(self, row: WebhookSource) -> Sequence[Any]:
        return (_("The sender gets an error for every message; most senders try again for some time."),)

    def perform(self, *, row: WebhookSource, form: DeedForm, by: Actor) -> Outcome:
        """Pause in the tenant's scope."""
        with tenant_scope(_ref(row)):
            sources.switch(source_id=row.pk, on=False, by=by)
        return Outcome(_("%(name)s is paused.") % {"name": row.name})


class ResumeSource(Deed):
    """Take messages again."""

    name = "resume"
    label = gettext_lazy("Switch on")
    icon = "play_circle"
    primary = True

    def offered(self, row: WebhookSource) -> bool:
        """While paused."""
        return row.state != EndpointState.ACTIVE

    def question(self, row: WebhookSource) -> Any:
        return _("Switch on the incoming webhook %(name)s?") % {"name": row.name}

    def consequences(self, row: WebhookSource) -> Sequence[Any]:
        return (_("Genuine messages become events again."),)

    def perform(self, *, row: WebhookSource, form: DeedForm, by: Actor) -> Outcome:
        """Resume in the tenant's scope."""
        with tenant_scope(_ref(row)):
            sources.switch(source_id=row.pk, on=True, by=by)
        return Outcome(_("%(name)s takes messages.") % {"name": row.name})
