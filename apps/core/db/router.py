"""Which table goes into which schema: every model of ours says so in `placement`."""

from typing import Any

from django.apps import apps

from apps.core.db.here import here

OURS = "apps."


class PlacementRouter:
    """Migrates a model into `public`, the tenants' schemas or both, on the owner's connection alone."""

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **hints: Any) -> bool:
        """Return whether this schema of this connection holds the model's table."""
        connection = here(db)
        if not connection.is_owner:
            return False
        where = hints.get("placement") or self._placement(app_label, model_name)
        kind = "public" if connection.schema_name == "public" else "tenant"
        return where in (kind, "both")

    def _placement(self, app_label: str, model_name: str | None) -> str:
        config = apps.get_app_config(app_label)
        if not config.name.startswith(OURS):
            return "public"
        default: str = getattr(config, "placement", "public")
        try:
            model = config.get_model(model_name) if model_name else None
        except LookupError:
            model = None
        if model is None:
            return "both" if model_name is None else default
        while isinstance(model._meta.auto_created, type):  # a table between two others lives with its maker
            model = model._meta.auto_created
        return str(getattr(model, "placement", default))
