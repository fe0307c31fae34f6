"""The first page: figures, tasks, charts."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.console.dashboard.charts import all_charts
from apps.console.dashboard.numbers import numbers
from apps.console.dashboard.ranges import RANGES, chosen
from apps.console.dashboard.todo import todo
from apps.console.pages.page import ConsolePage


class Dashboard(ConsolePage):
    """Is everything well, what needs me, how is it going."""

    template_name = "console/dashboard.html"
    title = _("Dashboard")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Everything for the chosen range."""
        span = chosen(self.request.GET.get("range"))
        context = super().get_context_data(
            numbers=numbers(self.request, span),
            tasks=todo(self.request),
            charts=all_charts(self.request, span),
            ranges=[{"key": each.key, "label": each.label, "now": each == span} for each in RANGES],
            **kwargs,
        )
        return context | {"crumbs": []}
