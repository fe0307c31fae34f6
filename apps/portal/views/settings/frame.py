"""The side menu of the settings, with what the member may open."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.events.jobs.work import may_handle
from apps.permissions.access import Access, access_for
from apps.portal.views.frame import actor_of


def base(request: HttpRequest, current: str) -> dict[str, Any]:
    """Return the context that every page of the settings shares."""
    access = access_for(actor_of(request))
    entries = [
        ("members", "users", _("Members"), True),
        ("permissions", "shield-lock", _("Permissions"), True),
        ("groups", "hierarchy-2", _("Roles and teams"), access.has_system("manage_permissions")),
        ("record-rules", "share", _("Rules about records"), access.has_system("manage_permissions")),
        ("access", "table", _("Who may do what"), True),
        ("objects", "table-options", _("Objects"), access.has_system("manage_metadata")),
        ("keys", "key", _("API keys"), True),
        ("webhooks", "webhook", _("Webhooks"), access.has_system("manage_webhooks")),
        ("brand", "palette", _("Branding"), access.has_system("manage_settings")),
        ("plan", "gauge", _("Plan and usage"), access.has_system("manage_settings")),
        ("modules", "packages", _("Modules"), True),
        ("ledger", "book-2", _("Ledger"), access.has_system("view_audit")),
        ("privacy", "fingerprint", _("Privacy"), access.has_system("manage_privacy")),
        ("jobs", "subtask", _("Jobs"), True),
        ("letters", "mailbox-off", _("Dead letters"), handles_letters(request)),
        ("status", "activity-heartbeat", _("Status"), True),
    ]
    menu = [
        {"name": name, "icon": icon, "label": label, "href": reverse(f"portal:{name}")}
        for name, icon, label, shown in entries
        if shown
    ]
    label = next((item["label"] for item in menu if item["name"] == current), "")
    crumbs = [(_("Settings"), reverse("portal:settings")), (label, "")]
    return {
        "nav_current": "settings",
        "settings_menu": menu,
        "settings_current": current,
        "crumbs": crumbs,
        "heading": label,
    }


def handles_letters(request: HttpRequest) -> bool:
    """Return whether who asks may see and handle dead letters: managers who may also read the ledger."""
    by = actor_of(request)
    return may_handle(by, by.tenant_id) and access_for(by).has_system("view_audit")


def access_of(request: HttpRequest) -> Access:
    """Return the rights of who asks."""
    return access_for(actor_of(request))
