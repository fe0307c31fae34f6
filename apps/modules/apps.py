from django.apps import AppConfig


class ModulesConfig(AppConfig):
    name = "apps.modules"
    label = "modules"
    placement = "public"
    default_auto_field = "django.db.models.BigAutoField"
