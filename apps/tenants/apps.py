from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "apps.tenants"
    label = "tenants"
    placement = "public"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.audit import carrying  # noqa: PLC0415
        from apps.audit.directory import Directory, directories  # noqa: PLC0415 - models must be loaded
        from apps.core.chores import Chore, chores  # noqa: PLC0415
        from apps.tenants import archiving, importing, provision, queries  # noqa: F401, PLC0415 - register tasks
        from apps.tenants.quotas import declare_quotas  # noqa: PLC0415
        from apps.tenants.removal import remove_due  # noqa: PLC0415

        declare_quotas()
        chores.register(
            "tenants.remove_due", Chore("Remove tenants whose grace period is over", 3600, remove_due)
        )
        archiving.parts.register(
            "ledger",
            archiving.Part(
                lambda tenant: carrying.export(tenant.pk),
                lambda tenant, rows: carrying.restore(tenant.pk, rows),
            ),
        )
        directories.register("tenants", Directory(find=queries.ref_of, every=queries.refs))
