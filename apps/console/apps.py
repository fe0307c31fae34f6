from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "apps.console"
    label = "console"
    placement = "public"
    default_auto_field = "django.db.models.BigAutoField"
