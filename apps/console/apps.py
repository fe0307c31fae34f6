"""The application's registration."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "apps.console"
    label = "console"
    placement = "public"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.core.traffic import Sink, sinks  # noqa: PLC0415 - after all applications are there
        from apps.events.minutes import keep  # noqa: PLC0415

        sinks.register("minutes", Sink(keep))
