"""The reference of declared settings: what each means and the value in force; secrets are never shown."""

from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from apps.console.pages.page import ConsolePage
from apps.core.declared import Declaration, declarations

UNKNOWN = object()


class SettingsPage(ConsolePage):
    """All environment variables that this installation reads."""

    template_name = "console/settings.html"
    title = _("Settings")
    superuser_only = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The declared settings, searched by name and meaning."""
        asked = self.request.GET.get("q", "").strip().lower()
        rows = [
            row(item)
            for item in declarations("setting")
            if asked in item.key.lower() or asked in item.doc.lower()
        ]
        return super().get_context_data(rows=rows, q=asked, **kwargs)


def row(item: Declaration) -> dict[str, Any]:
    """One setting for the page; a secret says only whether it is set."""
    value = getattr(settings, "ENV", {}).get(item.key, item.default)
    if item.secret:
        shown: Any = _("set") if value else _("not set")
    else:
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
    return {
        "key": item.key,
        "doc": item.doc,
        "type": item.type,
        "value": shown,
        "secret": item.secret,
        "changed": value != item.default and not item.secret,
        "enforced_by": item.enforced_by,
    }
