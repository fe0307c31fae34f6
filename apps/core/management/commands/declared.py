"""`manage.py declared check|docs`: no key without its code, its test and its line in the reference."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core import reference


class Command(BaseCommand):
    """Checks the register of settings and YAML keys, or writes the reference pages from it."""

    help = __doc__ or ""
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("verb", choices=["check", "docs"])

    def handle(self, *_args: Any, **options: Any) -> None:
        folder = settings.BASE_DIR / "docs" / "reference"
        if options["verb"] == "docs":
            for path in reference.write(folder):
                self.stdout.write(f"wrote {path.relative_to(settings.BASE_DIR)}")
            return
        faults = reference.orphans(settings.BASE_DIR)
        faults += [
            f"docs/reference/{name} is out of date: run `manage.py declared docs`."
            for name in reference.outdated(folder)
        ]
        if faults:
            raise CommandError("\n".join(faults))
        self.stdout.write("Every declared key has its code, its test and its line.")
