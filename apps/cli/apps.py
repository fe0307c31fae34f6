"""Registration of the CLI app."""

from django.apps import AppConfig


class CliConfig(AppConfig):
    name = "apps.cli"
    label = "cli"
    placement = "public"
    default_auto_field = "django.db.models.BigAutoField"
