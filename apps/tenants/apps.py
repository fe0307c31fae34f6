from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "apps.tenants"
    label = "tenants"
    placement = "public"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.audit.directory import Directory, directories  # noqa: PLC0415 - models must be loaded
        from apps.tenants import archiving, importing, provision, queries  # noqa: F401, PLC0415 - register tasks

        directories.register("tenants", Directory(find=queries.ref_of, every=queries.refs))
