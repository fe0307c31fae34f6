"""The look of the console: settings.UNFOLD."""

from typing import Any

from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _

from apps.console.tokens import scales


def _static(name: str) -> Any:
    return lambda _request: static(name)


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": _("AI-BOS console"),
    "SITE_HEADER": "AI-BOS",
    "SITE_URL": None,
    "SITE_SUBHEADER": _("Console"),
    "SITE_ICON": {"light": _static("console/mark.svg"), "dark": _static("console/mark.svg")},
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _static("console/favicon.svg")}],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "8px",
    "COLORS": scales(),
    "STYLES": [_static("css/tokens.css"), _static("console/console.css")],
    "SCRIPTS": [_static("console/theme.js"), _static("console/console.js")],
    "ENVIRONMENT": "apps.console.navigation.environment",
    "ACCOUNT": {"navigation": "apps.console.navigation.account"},
    "COMMAND": {"search_models": False, "show_history": False},
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "show_all_applications": False,
        "navigation": "apps.console.navigation.sidebar",
    },
}
