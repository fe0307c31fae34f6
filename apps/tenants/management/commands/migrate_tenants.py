"""`manage.py migrate_tenants [--only SLUG]`: the tenants that are behind; resumes where it stopped."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.tenants.migrate import migrate_one, migrate_tenants


class Command(BaseCommand):
    """Migrates tenants in parallel; a broken one is reported and does not stop the rest."""

    help = __doc__ or ""
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--only", help="slug of the one tenant to migrate")
        parser.add_argument("--parallel", type=int, default=2, help="tenants migrated at the same time")

    def handle(self, *_args: Any, **options: Any) -> None:
        only = options["only"]
        outcomes = [migrate_one(only)] if only else migrate_tenants(options["parallel"])
        for outcome in outcomes:
            self.stdout.write(f"{outcome.slug}: {outcome.message}")
        if any(not outcome.ok for outcome in outcomes):
            msg = "Some tenants were not migrated; mend the cause and run this again."
            raise CommandError(msg)
