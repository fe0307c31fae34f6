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
        import_module("apps.audit.siem.health")
        chores = import_module("apps.core.chores")
        verify = import_module("apps.audit.verdicts").judge_nightly
        chores.chores.register("audit.verify", chores.Chore("Verify every ledger", 86_400, verify))
        sweep = import_module("apps.audit.privacy.erasure").sweep
        chores.chores.register(
            "audit.erasures", chores.Chore("Destroy late keys of erased subjects", 3600, sweep)
        )
        prune = import_module("apps.audit.privacy.retention").prune_all
        chores.chores.register(
            "audit.retention", chores.Chore("Remove what ledgers no longer keep", 86_400, prune)
        )
        thin = import_module("apps.audit.merkle.thinning").thin
        chores.chores.register(
            "audit.thin", chores.Chore("Thin old checkpoints of the ledgers", 86_400, thin)
        )
