"""The application's registration."""

from importlib import import_module

from django.apps import AppConfig


class ModulesConfig(AppConfig):
    name = "apps.modules"
    label = "modules"
    placement = "public"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Fill the registries below; the models are loaded only now."""
        import_module("apps.modules.facts").declare()
        import_module("apps.modules.jobs")
