from django.apps import AppConfig


class ObjectsConfig(AppConfig):
    name = "apps.objects"
    label = "objects"
    placement = "tenant"
    default_auto_field = "django.db.models.BigAutoField"
