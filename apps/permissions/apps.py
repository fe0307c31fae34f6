"""The application's registration."""

from django.apps import AppConfig

from apps.permissions.declarations import declare_keys


class PermissionsConfig(AppConfig):
    name = "apps.permissions"
    label = "permissions"
    placement = "tenant"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        declare_keys()
        from apps.permissions import emergency, webhooks  # noqa: PLC0415 - needs the models

        emergency.declare_events()
        webhooks.register()
