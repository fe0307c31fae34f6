"""The application's registration."""

from django.apps import AppConfig


class PermissionsConfig(AppConfig):
    name = "apps.permissions"
    label = "permissions"
    placement = "tenant"
    default_auto_field = "django.db.models.BigAutoField"
