"""The application's registration."""

from django.apps import AppConfig

from apps.objects.facts import declare_events, declare_record_events
from apps.objects.parse.declare import declare_shapes


class ObjectsConfig(AppConfig):
    name = "apps.objects"
    label = "objects"
    placement = "tenant"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        declare_shapes()
        declare_events()
        declare_record_events()
        from apps.objects.transfer import jobs  # noqa: F401, PLC0415 - registers the tasks; needs the models
