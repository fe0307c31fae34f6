"""Registration of the CLI app and of the variables its launcher reads."""

from django.apps import AppConfig

from apps.cli.launch.options import VARIABLES
from apps.core.declared import declare


class CliConfig(AppConfig):
    name = "apps.cli"
    label = "cli"
    placement = "public"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        for key, kind, default, doc in VARIABLES:
            declare(
                kind="setting",
                key=key,
                doc=doc,
                type=kind,
                default=default,
                enforced_by="apps.cli.launch.options:read",
                tested_by="tests/cli/test_options.py::test_every_variable_has_its_effect",
            )
