"""Registration of the identity app: its jobs, and the step of provisioning that makes the first owner."""

from django.apps import AppConfig


class IdentityConfig(AppConfig):
    name = "apps.identity"
    label = "identity"
    placement = "public"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.identity import mails  # noqa: F401, PLC0415 - registers the jobs; needs the models
        from apps.identity.services.first_owner import seed_owner  # noqa: PLC0415
        from apps.tenants.provision import Step, steps  # noqa: PLC0415

        steps.register("owner", Step("Owner", seed_owner))
        from apps.identity.archive import PART  # noqa: PLC0415
        from apps.tenants.archiving import parts  # noqa: PLC0415

        parts.register("people", PART)
        from apps.identity.queries import active_members  # noqa: PLC0415
        from apps.tenants.quotas import Gauge, gauges  # noqa: PLC0415

        gauges.register("members", Gauge(active_members))
        from apps.core.chores import Chore, chores  # noqa: PLC0415
        from apps.identity.session_store import SessionStore  # noqa: PLC0415

        chores.register(
            "identity.old_sessions", Chore("Remove old sessions", 86_400, SessionStore.clear_expired)
        )
