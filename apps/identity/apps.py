from django.apps import AppConfig


class IdentityConfig(AppConfig):
    name = "apps.identity"
    label = "identity"
    placement = "public"
    default_auto_field = "django.db.models.BigAutoField"
