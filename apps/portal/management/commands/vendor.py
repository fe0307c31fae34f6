"""``manage.py vendor check|refresh``: the browser libraries under static/vendor."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.portal import vendoring


class Command(BaseCommand):
    """Verify the vendored browser files, or fetch them again from the npm registry."""

    help = "check: compare static/vendor with its manifest (offline). refresh: fetch the versions it names."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("verb", choices=["check", "refresh"])

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        root = Path(settings.BASE_DIR) / "static" / "vendor"
        if verb == "refresh":
            written = vendoring.refresh(
                root, os.environ.get("NPM_CONFIG_REGISTRY", vendoring.REGISTRY).rstrip("/")
            )
            self.stdout.write(f"{len(written)} files written under static/vendor.")
        faults = vendoring.check(root)
        for fault in faults:
            self.stderr.write(f"{fault.path}: {fault.reason}")
        if faults:
            raise CommandError("static/vendor differs from manifest.json; run: manage.py vendor refresh")
        self.stdout.write("static/vendor matches its manifest.")
