"""The health page: every registered check with its finding and figures."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.console.pages.page import ConsolePage
from apps.console.panels import Badge, Tone
from apps.core import health

TONES: dict[str, Tone] = {"ok": "success", "degraded": "warning", "failed": "danger"}
LABELS = {"ok": _("well"), "degraded": _("degraded"), "failed": _("failed")}


def badge(status: str) -> Badge:
    """The status of a check as a badge."""
    return Badge(LABELS.get(status, status), TONES.get(status, "neutral"))


class HealthPage(ConsolePage):
    """Runs the checks now."""

    template_name = "console/health.html"
    title = _("Health")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Findings, the worst on top."""
        findings = health.run()
        rank = {"failed": 0, "degraded": 1, "ok": 2}
        checks = [
            {
                "name": name,
                "badge": badge(found.status),
                "message": found.message,
                "figures": found.figures,
                "ms": round(found.seconds * 1000, 1),
            }
            for name, found in sorted(findings.items(), key=lambda item: (rank[item[1].status], item[0]))
        ]
        return super().get_context_data(checks=checks, overall=badge(health.worst(findings)), **kwargs)
