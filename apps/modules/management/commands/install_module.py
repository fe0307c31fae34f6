"""`manage.py install_module PATH --tenant SLUG`: a folder or a compiled artifact, for one tenant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.actor import SYSTEM
from apps.core.db.owner import owner_session
from apps.core.errors import Problem
from apps.core.scope import platform_scope, tenant_scope
from apps.modules import packages
from apps.objects.parse import DefinitionErrors
from apps.tenants.queries import tenant_by_slug


class Command(BaseCommand):
    help = "Install a module from a folder or a compiled artifact (objectstack.json), or bring it up to date."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path)
        parser.add_argument("--tenant", required=True)
        parser.add_argument("--force", action="store_true", help="allow the loss of data by an upgrade")

    def handle(self, *_args: Any, **options: Any) -> None:
        with platform_scope("finding a tenant"):
            found = tenant_by_slug(options["tenant"])
        if found is None:
            raise CommandError(f"There is no tenant {options['tenant']}.")
        try:
            source = packages.read(options["path"])
            with owner_session(), tenant_scope(found.ref):
                row = packages.bring(source, by=SYSTEM, allow_destructive=options["force"])
                notices = packages.notices(row)
        except DefinitionErrors as error:
            raise CommandError(str(error)) from error
        except Problem as error:
            raise CommandError(f"{error.message} {error.cure or ''}".strip()) from error
        for notice in notices:
            self.stderr.write(f"{notice['outcome']:8} {notice['path']}: {notice['reason']}")
        counts = f"{len(source.objects)} objects, {len(source.permission_sets)} permission sets"
        self.stdout.write(f"Installed {row.module} {row.version}: {counts}, {len(notices)} notices.")
