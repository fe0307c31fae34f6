"""The app of the API."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "apps.api"
    label = "api"
    placement = "public"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.core.checks import register  # noqa: PLC0415

        from apps.api import checks, idempotency  # noqa: PLC0415 - needs the models
        from apps.api.limits import used  # noqa: PLC0415
        from apps.core.chores import Chore, chores  # noqa: PLC0415
        from apps.tenants.quotas import Gauge, gauges  # noqa: PLC0415

        register(checks.areas_exist)
        gauges.register("requests_minute", Gauge(used))
        chores.register("api.old_answers", Chore("Remove old idempotent answers", 900, idempotency.sweep))
