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
        from apps.core import reference  # noqa: PLC0415
        from apps.core.chores import Chore, chores  # noqa: PLC0415
        from apps.objects import kind_page, telling  # noqa: PLC0415
        from apps.objects.audience import declare_audiences  # noqa: PLC0415
        from apps.objects.encryption import carrying, rotation  # noqa: PLC0415
        from apps.objects.records import tally  # noqa: PLC0415
        from apps.objects.transfer import jobs  # noqa: F401, PLC0415 - registers the tasks; needs the models
        from apps.objects.transfer.queries import stored_bytes  # noqa: PLC0415
        from apps.tenants.archiving import parts  # noqa: PLC0415
        from apps.tenants.quotas import Gauge, gauges, stores  # noqa: PLC0415

        declare_audiences()
        telling.register()
        parts.register("column keys", carrying.PART)
        gauges.register("records", Gauge(tally.used))
        stores.register("imports", Gauge(stored_bytes))
        reference.pages.register(kind_page.NAME, reference.Page(kind_page.page))
        chores.register(
            "objects.keys", Chore("Destroy old keys of encrypted fields", 3600, rotation.retire_all)
        )
        chores.register("objects.tally", Chore("Correct the count of records", 300, tally.correct_all))
