from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "apps.core"
    label = "core"
    placement = "public"

    def ready(self) -> None:
        from apps.core import chores  # noqa: F401, PLC0415 - registers its task
        from apps.core.db import guard  # noqa: F401, PLC0415 - registers its checks
