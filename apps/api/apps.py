"""The app of the API."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "apps.api"
    label = "api"
    placement = "public"
    default_auto_field = "django.db.models.BigAutoField"
