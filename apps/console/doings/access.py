"""Deeds on memberships, invitations, sessions and keys; each in the scope of its tenant."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminSelectWidget

from apps.console.deeds import Deed, DeedForm, Outcome
from apps.core.actor import Actor
from apps.core.scope import tenant_scope
from apps.identity.models import ApiKey, Invitation, Membership, MembershipState, Role, Session
from apps.identity.services import invitations, keys, members, sessions
from apps.tenants.models import Tenant
from apps.tenants.states import State


def _keys_of(row: Membership) -> Any:
    count = ApiKey.objects.filter(tenant=row.tenant_id, user=row.user_id, revoked_at=None).count()
    return ngettext("%(n)s API key stops working.", "%(n)s API keys stop working.", count) % {"n": count}


class SuspendMember(Deed):
    """Close the tenant to one person."""

    name = "suspend"
    label = gettext_lazy("Suspend")
    icon = "pause_circle"
    danger = True

    def offered(self, row: Membership) -> bool:
        """While active."""
        return row.state == MembershipState.ACTIVE

    def question(self, row: Membership) -> Any:
        return _("Suspend %(name)s in %(tenant)s?") % {"name": row.user, "tenant": row.tenant}

    def consequences(self, row: Membership) -> Sequence[Any]:
        return (_("Sessions in this tenant end at once."), _keys_of(row), _("Records stay with their owner."))

    def perform(self, *, row: Membership, form: DeedForm, by: Actor) -> Outcome:
        """Suspend in the tenant's scope."""
        with tenant_scope(row.tenant.ref):
            members.suspend(user_id=row.user_id, by=by)
        return Outcome(_("%(name)s is suspended in %(tenant)s.") % {"name": row.user, "tenant": row.tenant})


class ReactivateMember(Deed):
    """Open the tenant to the person again."""

    name = "reactivate"
    label = gettext_lazy("Reactivate")
    icon = "play_circle"
    primary = True

    def offered(self, row: Membership) -> bool:
        """While suspended."""
        return row.state == MembershipState.SUSPENDED

    def question(self, row: Membership) -> Any:
        return _("Reactivate %(name)s in %(tenant)s?") % {"name": row.user, "tenant": row.tenant}

    def consequences(self, row: Membership) -> Sequence[Any]:
        return (_("The person can sign in again, and their API keys work again."),)

    def perform(self, *, row: Membership, form: DeedForm, by: Actor) -> Outcome:
        """Reactivate in the tenant's scope."""
        with tenant_scope(row.tenant.ref):
            members.reactivate(user_id=row.user_id, by=by)
        return Outcome(_("%(name)s is active in %(tenant)s.") % {"name": row.user, "tenant": row.tenant})


class RoleForm(DeedForm):
    """Which role."""

    role = forms.ChoiceField(label=gettext_lazy("Role"), choices=Role.choices, widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, row: Membership, **kwargs: Any) -> None:
        super().__init__(*args, row=row, **kwargs)
        self.initial = {"role": row.role}


class ChangeRole(Deed):
    """What the person may do with the tenant itself."""

    name = "role"
    label = gettext_lazy("Change role")
    icon = "badge"
    form_class = RoleForm

    def question(self, row: Membership) -> Any:
        return _("Change the role of %(name)s in %(tenant)s") % {"name": row.user, "tenant": row.tenant}

    def consequences(self, row: Membership) -> Sequence[Any]:
        return (_("Rights on records come from permission sets and stay as they are."),)

    def perform(self, *, row: Membership, form: DeedForm, by: Actor) -> Outcome:
        """Change it in the tenant's scope."""
        with tenant_scope(row.tenant.ref):
            members.change_role(user_id=row.user_id, role=form.cleaned_data["role"], by=by)
        return Outcome(_("%(name)s has another role now.") % {"name": row.user})


class RemoveMember(Deed):
    """Take a person out of a tenant."""

    name = "remove"
    label = gettext_lazy("Remove")
    icon = "person_remove"
    danger = True

    def question(self, row: Membership) -> Any:
        return _("Remove %(name)s from %(tenant)s?") % {"name": row.user, "tenant": row.tenant}

    def consequences(self, row: Membership) -> Sequence[Any]:
        return (
            _("Sessions in this tenant end, and the membership is gone."),
            _keys_of(row),
            _("Records stay with their owner. The person's account stays."),
        )

    def perform(self, *, row: Membership, form: DeedForm, by: Actor) -> Outcome:
        """Remove in the tenant's scope."""
        with tenant_scope(row.tenant.ref):
            members.remove(user_id=row.user_id, by=by)
        text = _("%(name)s is removed from %(tenant)s.") % {"name": row.user, "tenant": row.tenant}
        return Outcome(text, reverse("console:identity_membership_changelist"))


class RevokeInvitation(Deed):
    """Make an invitation's link worthless."""

    name = "revoke"
    label = gettext_lazy("Withdraw")
    icon = "unsubscribe"
    danger = True

    def offered(self, row: Invitation) -> bool:
        """While somebody could accept it."""
        return row.status in {"pending", "expired"}

    def question(self, row: Invitation) -> Any:
        return _("Withdraw the invitation of %(email)s to %(tenant)s?") % {
            "email": row.email,
            "tenant": row.tenant,
        }

    def consequences(self, row: Invitation) -> Sequence[Any]:
        return (_("The link in the mail does not work any more. A new invitation can be sent."),)

    def perform(self, *, row: Invitation, form: DeedForm, by: Actor) -> Outcome:
        """Withdraw in the tenant's scope."""
        with tenant_scope(row.tenant.ref):
            invitations.revoke(invitation_id=row.pk, by=by)
        return Outcome(_("The invitation of %(email)s is withdrawn.") % {"email": row.email})


class ShowLink(Deed):
    """Show an invitation's link, to hand it over where mail does not arrive."""

    name = "link"
    label = gettext_lazy("Show link")
    icon = "link"

    def offered(self, row: Invitation) -> bool:
        """While it can be accepted."""
        return row.status == "pending"

    def question(self, row: Invitation) -> Any:
        return _("Show the link of %(email)s to %(tenant)s?") % {"email": row.email, "tenant": row.tenant}

    def consequences(self, row: Invitation) -> Sequence[Any]:
        return (
            _("Whoever has the link can join as this person. Hand it over safely."),
            _("That you looked is written into the tenant's own ledger."),
        )

    def perform(self, *, row: Invitation, form: DeedForm, by: Actor) -> Outcome:
        """Ask for it in the tenant's scope."""
        with tenant_scope(row.tenant.ref):
            link = invitations.link_of(invitation_id=row.pk, by=by)
        return Outcome(_("The link of %(email)s") % {"email": row.email}, secret=link)


class InviteForm(DeedForm):
    """Whom, and as what."""

    email = forms.EmailField(label=gettext_lazy("Email address"), widget=UnfoldAdminEmailInputWidget)
    role = forms.ChoiceField(label=gettext_lazy("Role"), choices=Role.choices, widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, row: Tenant, **kwargs: Any) -> None:
        super().__init__(*args, row=row, **kwargs)
        self.initial = {"role": Role.MEMBER}


class Invite(Deed):
    """Ask somebody into a tenant."""

    name = "invite"
    label = gettext_lazy("Invite")
    icon = "person_add"
    form_class = InviteForm

    def offered(self, row: Tenant) -> bool:
        """While its doors are open."""
        return row.state == State.ACTIVE

    def question(self, row: Tenant) -> Any:
        return _("Invite somebody to %(tenant)s") % {"tenant": row}

    def consequences(self, row: Tenant) -> Sequence[Any]:
        return (_("The person gets a mail with a link and becomes a member when they open it."),)

    def perform(self, *, row: Tenant, form: DeedForm, by: Actor) -> Outcome:
        """Invite in the tenant's scope."""
        values = form.cleaned_data
        with tenant_scope(row.ref):
            invitations.invite(email=values["email"], role=values["role"], by=by)
        return Outcome(_("%(email)s is invited to %(tenant)s.") % {"email": values["email"], "tenant": row})


class EndSession(Deed):
    """Sign one device out."""

    name = "end"
    label = gettext_lazy("End session")
    icon = "logout"
    danger = True

    def offered(self, row: Session) -> bool:
        """While it has not ended."""
        return row.ended_at is None and row.user_id is not None

    def question(self, row: Session) -> Any:
        return _("End this session of %(name)s?") % {"name": row.user}

    def consequences(self, row: Session) -> Sequence[Any]:
        return (_("The person is signed out on this device with the next request."),)

    def perform(self, *, row: Session, form: DeedForm, by: Actor) -> Outcome:
        """End it."""
        sessions.end_session(session_id=row.pk, by=by)
        return Outcome(_("The session of %(name)s is over.") % {"name": row.user})


class RevokeKey(Deed):
    """Make a key worthless."""

    name = "revoke"
    label = gettext_lazy("Revoke")
    icon = "key_off"
    danger = True

    def offered(self, row: ApiKey) -> bool:
        """While it works."""
        return row.revoked_at is None

    def question(self, row: ApiKey) -> Any:
        return _("Revoke the key “%(key)s” of %(tenant)s?") % {"key": row.name, "tenant": row.tenant}

    def consequences(self, row: ApiKey) -> Sequence[Any]:
        return (
            _("Programs that use it are answered 401 with their next request. This cannot be undone."),
            _("The key acts for %(name)s.") % {"name": row.user},
        )

    def perform(self, *, row: ApiKey, form: DeedForm, by: Actor) -> Outcome:
        """Revoke in the tenant's scope."""
        with tenant_scope(row.tenant.ref):
            keys.revoke_key(key_id=row.pk, by=by)
        return Outcome(_("The key “%(key)s” is revoked.") % {"key": row.name})
