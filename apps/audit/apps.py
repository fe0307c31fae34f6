"""Puts the ledger's health checks in place."""

from importlib import import_module

from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "apps.audit"
    label = "audit"
    placement = "public"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("apps.audit.health")
