"""Puts durable work behind `core.queue`, and the relay, the health checks and the tenants' events in place."""

from importlib import import_module

from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "apps.events"
    label = "events"
    placement = "public"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("apps.events.delivery")
        import_module("apps.events.hooks")
        import_module("apps.events.reference")
        for checks in ("backlog", "servers", "processes", "probe", "verifying", "tampering"):
            import_module(f"apps.events.health.{checks}")
        import_module("apps.events.tenant_events")
        chores = import_module("apps.core.chores")
        days = chores.Chore(
            "Make and drop days of the event log", 3600, import_module("apps.events.partitions").keep
        )
        chores.chores.register("events.days", days)
        for part in ("fanout", "deliveries", "receiving", "keeping", "health"):
            import_module(f"apps.events.webhooks.{part}")
        import_module("apps.events.jobs.replay")
        import_module("apps.events.schedules.announcing")
        import_module("apps.core.queue").use(import_module("apps.events.jobs.work").Work())
