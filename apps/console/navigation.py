"""The console's way around: by meaning, with icons; what an operator may not open is not offered."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from apps.console.operator import sees_everything


def _item(title: Any, icon: str, name: str, *, everything: bool = False) -> dict[str, Any]:
    item: dict[str, Any] = {"title": title, "icon": icon, "link": reverse_lazy(f"console:{name}")}
    if everything:
        item["permission"] = sees_everything
    return item


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups of the side navigation."""
    return [
        {"items": [_item(_("Dashboard"), "space_dashboard", "index")]},
        {
            "title": _("Customers"),
            "items": [
                _item(_("Tenants"), "domain", "tenants_tenant_changelist"),
                _item(_("Hosts"), "language", "tenants_host_changelist"),
                _item(_("Plans"), "sell", "tenants_plan_changelist"),
                _item(_("Modules"), "extension", "catalogue"),
            ],
        },
        {
            "title": _("People and access"),
            "items": [
                _item(_("People"), "group", "identity_user_changelist", everything=True),
                _item(_("Memberships"), "badge", "identity_membership_changelist"),
                _item(_("Invitations"), "mail", "identity_invitation_changelist"),
                _item(_("Sessions"), "devices", "identity_session_changelist"),
                _item(_("API keys"), "key", "identity_apikey_changelist"),
            ],
        },
        {
            "title": _("Running"),
            "items": [
                _item(_("Jobs"), "work_history", "events_job_changelist"),
                _item(_("Dead letters"), "unsubscribe", "dead_letters"),
                _item(_("Schedules"), "calendar_clock", "events_schedule_changelist"),
                _item(_("Webhooks"), "webhook", "events_webhookendpoint_changelist"),
                _item(_("Incoming webhooks"), "move_to_inbox", "events_webhooksource_changelist"),
                _item(_("Ledger"), "menu_book", "ledger"),
                _item(_("Integrity"), "verified_user", "integrity"),
                _item(_("Health"), "monitor_heart", "health"),
                _item(_("Settings"), "tune", "settings", everything=True),
            ],
        },
    ]


def account(request: HttpRequest) -> list[dict[str, Any]]:
    """Links in the menu of the person."""
    return [{"title": _("Change password"), "link": reverse_lazy("console:own_password")}]


def environment(request: HttpRequest) -> tuple[Any, str] | None:
    """A label on top of every page, so that nobody takes production for a test."""
    name = getattr(settings, "PROFILE", "")
    return {"development": (_("Development"), "info"), "test": (_("Test"), "warning")}.get(str(name))
