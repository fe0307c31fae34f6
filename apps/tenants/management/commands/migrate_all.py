"""`manage.py migrate_all`: the shared schema, the template and every tenant."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.tenants.migrate import migrate_shared, migrate_tenants


class Command(BaseCommand):
    """Brings the whole installation to the migrations on disk; safe to run again."""

    help = __doc__ or ""
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--parallel", type=int, default=2, help="tenants migrated at the same time")

    def handle(self, *_args: Any, **options: Any) -> None:
        migrate_shared(verbosity=max(0, options["verbosity"] - 1))
        outcomes = migrate_tenants(
            options["parallel"], lambda out: self.stdout.write(f"{out.slug}: {out.message}")
        )
        broken = [out.slug for out in outcomes if not out.ok]
        if broken:
            msg = f"{len(broken)} of {len(outcomes)} tenants were not migrated: {', '.join(broken)}"
            raise CommandError(msg)
        self.stdout.write(f"Shared schema and template are current; {len(outcomes)} tenants migrated.")
