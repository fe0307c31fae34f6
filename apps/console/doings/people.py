"""Deeds on people: operators' rights, sessions, accounts."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from guardian.shortcuts import get_objects_for_user
from unfold.widgets import UnfoldAdminSelectWidget

from apps.console.deeds import Deed, DeedForm, Outcome, TypedNameForm, rows_for
from apps.core import context
from apps.core.actor import Actor
from apps.identity.models import Membership, Session, User
from apps.identity.place import Place
from apps.identity.rules import OPERATE
from apps.identity.services import accounts, operators
from apps.identity.services.sessions import end_everywhere
from apps.tenants.models import Tenant


def granted_to(user: User) -> Any:
    """The tenants that have been granted to an operator."""
    return get_objects_for_user(user, OPERATE, Tenant, accept_global_perms=False)


def open_sessions_of(user: User) -> int:
    """How many sessions have not been ended."""
    return Session.objects.filter(user=user, ended_at=None).count()


def _sessions_end(user: User) -> Any:
    count = open_sessions_of(user)
    return ngettext("%(n)s session ends.", "%(n)s sessions end.", count) % {"n": count}


class OnPeople(Deed):
    """People are global, so only superusers act on them."""

    superuser_only = True


class SendReset(OnPeople):
    """Mail a link for a new password."""

    name = "reset"
    label = gettext_lazy("Send password link")
    icon = "lock_reset"

    def offered(self, row: User) -> bool:
        """Not for closed accounts."""
        return row.is_active

    def question(self, row: User) -> Any:
        return _("Mail %(email)s a link to choose a new password?") % {"email": row.email}

    def consequences(self, row: User) -> Sequence[Any]:
        return (
            _("The link is mailed to the person and works once. You do not see it."),
            _("The old password works until a new one is chosen; then all sessions end."),
        )

    def perform(self, *, row: User, form: DeedForm, by: Actor) -> Outcome:
        """Ask for the mail as the person could themselves."""
        accounts.request_reset(email=row.email, place=Place(host="", ip=context.ip.get()))
        return Outcome(_("A link is on its way to %(email)s.") % {"email": row.email})


class EndSessions(OnPeople):
    """Sign a person out everywhere."""

    name = "end-sessions"
    label = gettext_lazy("End all sessions")
    icon = "logout"
    danger = True

    def offered(self, row: User) -> bool:
        """Where there is something to end."""
        return open_sessions_of(row) > 0

    def question(self, row: User) -> Any:
        return _("Sign %(name)s out everywhere?") % {"name": row.get_full_name()}

    def consequences(self, row: User) -> Sequence[Any]:
        return (_sessions_end(row), _("API keys keep working; revoke them on their own pages."))

    def perform(self, *, row: User, form: DeedForm, by: Actor) -> Outcome:
        """End them in every tenant."""
        end_everywhere(user=row, by=by, reason="ended by an operator")
        return Outcome(_("%(name)s is signed out everywhere.") % {"name": row.get_full_name()})


class CloseAccount(OnPeople):
    """Close an account in every tenant."""

    name = "close"
    label = gettext_lazy("Close account")
    icon = "person_off"
    danger = True
    form_class = TypedNameForm

    def offered(self, row: User) -> bool:
        """While it is open."""
        return row.is_active

    def question(self, row: User) -> Any:
        return _("Close the account of %(name)s?") % {"name": row.get_full_name()}

    def consequences(self, row: User) -> Sequence[Any]:
        count = Membership.objects.filter(user=row).count()
        places = ngettext(
            "The person is locked out of %(n)s tenant.", "The person is locked out of %(n)s tenants.", count
        )
        return (
            places % {"n": count},
            _sessions_end(row),
            _("Records keep their owner. The account can be opened again."),
        )

    def perform(self, *, row: User, form: DeedForm, by: Actor) -> Outcome:
        """Close it."""
        operators.set_active(user_id=row.pk, active=False, by=by)
        return Outcome(_("The account of %(name)s is closed.") % {"name": row.get_full_name()})


class OpenAccount(OnPeople):
    """Open a closed account again."""

    name = "open"
    label = gettext_lazy("Open account")
    icon = "person_check"
    primary = True

    def offered(self, row: User) -> bool:
        """While it is closed."""
        return not row.is_active

    def question(self, row: User) -> Any:
        return _("Open the account of %(name)s again?") % {"name": row.get_full_name()}

    def consequences(self, row: User) -> Sequence[Any]:
        return (_("The person can sign in with the old password."),)

    def perform(self, *, row: User, form: DeedForm, by: Actor) -> Outcome:
        """Open it."""
        operators.set_active(user_id=row.pk, active=True, by=by)
        return Outcome(_("The account of %(name)s is open.") % {"name": row.get_full_name()})


class Dismiss(OnPeople):
    """Take the operator's rights away."""

    name = "dismiss"
    label = gettext_lazy("Take operator rights")
    icon = "shield_person"
    danger = True

    def offered(self, row: User) -> bool:
        """Operators only."""
        return row.is_staff

    def question(self, row: User) -> Any:
        return _("Take the operator rights of %(name)s?") % {"name": row.get_full_name()}

    def consequences(self, row: User) -> Sequence[Any]:
        return (
            _("The console is closed to this person."),
            _sessions_end(row),
            _("Memberships in tenants stay."),
        )

    def perform(self, *, row: User, form: DeedForm, by: Actor) -> Outcome:
        """Dismiss."""
        operators.dismiss_operator(user_id=row.pk, by=by)
        return Outcome(_("%(name)s is no operator any more.") % {"name": row.get_full_name()})


class TenantForm(DeedForm):
    """Which tenant."""

    tenant = forms.ModelChoiceField(
        label=gettext_lazy("Tenant"), queryset=Tenant.objects.none(), widget=UnfoldAdminSelectWidget
    )

    def rows(self) -> Any:
        """The tenants to choose from: those not granted yet."""
        return Tenant.objects.exclude(pk__in=granted_to(self.row).values("pk"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows_for(self, "tenant", self.rows())


class GrantedForm(TenantForm):
    """Which of the granted tenants."""

    def rows(self) -> Any:
        return granted_to(self.row)


class Grant(OnPeople):
    """Let an operator act on a tenant."""

    name = "grant"
    label = gettext_lazy("Grant tenant")
    icon = "domain_add"
    form_class = TenantForm

    def offered(self, row: User) -> bool:
        """Superusers have all tenants already."""
        return row.is_staff and not row.is_superuser

    def question(self, row: User) -> Any:
        return _("Grant %(name)s a tenant") % {"name": row.get_full_name()}

    def consequences(self, row: User) -> Sequence[Any]:
        return (_("The operator can suspend, export, delete and manage the members of this tenant."),)

    def perform(self, *, row: User, form: DeedForm, by: Actor) -> Outcome:
        """Grant it."""
        tenant = form.cleaned_data["tenant"]
        operators.grant_tenant(user_id=row.pk, tenant_id=tenant.pk, by=by)
        return Outcome(
            _("%(name)s operates %(tenant)s now.") % {"name": row.get_full_name(), "tenant": tenant.name}
        )


class Withdraw(OnPeople):
    """Take a tenant from an operator."""

    name = "withdraw"
    label = gettext_lazy("Withdraw tenant")
    icon = "domain_disabled"
    danger = True
    form_class = GrantedForm

    def offered(self, row: User) -> bool:
        """Where one has been granted."""
        return row.is_staff and not row.is_superuser and granted_to(row).exists()

    def question(self, row: User) -> Any:
        return _("Withdraw a tenant from %(name)s") % {"name": row.get_full_name()}

    def consequences(self, row: User) -> Sequence[Any]:
        return (_("The tenant disappears from the operator's console with the next page."),)

    def perform(self, *, row: User, form: DeedForm, by: Actor) -> Outcome:
        """Withdraw it."""
        tenant = form.cleaned_data["tenant"]
        operators.withdraw_tenant(user_id=row.pk, tenant_id=tenant.pk, by=by)
        text = _("%(name)s does not operate %(tenant)s any more.")
        return Outcome(text % {"name": row.get_full_name(), "tenant": tenant.name})
