from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "apps.portal"
    label = "portal"
    placement = "tenant"
    default_auto_field = "django.db.models.BigAutoField"
