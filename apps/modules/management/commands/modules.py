"""`manage.py modules check|register|list|plan|install|upgrade|uninstall`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.actor import SYSTEM
from apps.core.db.owner import owner_session
from apps.core.errors import Problem
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.modules import catalogue, install
from apps.modules.source import load
from apps.objects.parse import DefinitionErrors
from apps.tenants.queries import tenant_by_slug


class Command(BaseCommand):
    help = "Check modules, enter them into the catalogue, and install them for a tenant."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        check = verbs.add_parser("check", help="judge a module's folder")
        check.add_argument("folder")
        register = verbs.add_parser("register", help="enter the modules on disk into the catalogue")
        register.add_argument(
            "--replace", action="store_true", help="accept other content under the same version"
        )
        verbs.add_parser(
            "list", help="show the catalogue and, with --tenant, what is installed"
        ).add_argument("--tenant")
        for verb in ("plan", "install", "upgrade", "uninstall"):
            one = verbs.add_parser(verb)
            one.add_argument("module")
            one.add_argument("--tenant", required=True)
            one.add_argument("--version", dest="wanted")
            one.add_argument("--demo", action="store_true", help="create the module's demo records")
            one.add_argument("--force", action="store_true", help="allow the loss of data")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            getattr(self, f"do_{options['verb']}")(options)
        except DefinitionErrors as error:
            raise CommandError(str(error)) from error
        except Problem as error:
            raise CommandError(f"{error.message} {error.cure or ''}".strip()) from error

    def do_check(self, options: dict[str, Any]) -> None:
        source = load(Path(options["folder"]))
        counts = f"{len(source.objects)} objects, {len(source.permission_sets)} permission sets"
        self.stdout.write(f"{source.manifest.id} {source.manifest.version}: {counts}. {source.checksum}")

    def do_register(self, options: dict[str, Any]) -> None:
        with platform_scope("registering modules"):
            made, kept_out = catalogue.register_all(by=SYSTEM, replace=options["replace"] or settings.DEBUG)
        for version in made:
            self.stdout.write(f"{version.manifest['id']} {version.version} {version.checksum}")
        if kept_out:
            raise CommandError("\n".join(str(error) for error in kept_out))

    def do_list(self, options: dict[str, Any]) -> None:
        with platform_scope("listing modules"):
            for version in catalogue.available():
                self.stdout.write(f"{version.module.code} {version.version}  {version.module.name}")
        if options["tenant"]:
            with tenant_scope(self.tenant(options)):
                for row in install.installed():
                    self.stdout.write(f"installed: {row.module} {row.version}")

    def do_plan(self, options: dict[str, Any]) -> None:
        with tenant_scope(self.tenant(options)):
            plan = install.plan_module(options["module"], options["wanted"])
        for step in plan.steps:
            self.stdout.write(f"[{step.risk}] {step.sentence}")
        self.stdout.write("\n".join(plan.sql) if plan.steps else "Nothing to do.")

    def do_install(self, options: dict[str, Any]) -> None:
        with owner_session(), tenant_scope(self.tenant(options)):
            row = install.install(
                options["module"], by=SYSTEM, version=options["wanted"], demo=options["demo"]
            )
            self.stdout.write(f"Installed {row.module} {row.version}.")

    def do_upgrade(self, options: dict[str, Any]) -> None:
        with owner_session(), tenant_scope(self.tenant(options)):
            row = install.upgrade(
                options["module"], by=SYSTEM, version=options["wanted"], allow_destructive=options["force"]
            )
            self.stdout.write(f"{row.module} is at {row.version}.")

    def do_uninstall(self, options: dict[str, Any]) -> None:
        with owner_session(), tenant_scope(self.tenant(options)):
            install.uninstall(options["module"], by=SYSTEM, allow_data_loss=options["force"])
            self.stdout.write(f"Removed {options['module']}.")

    def tenant(self, options: dict[str, Any]) -> TenantRef:
        """Return the tenant that the command names."""
        with platform_scope("finding a tenant"):
            found = tenant_by_slug(options["tenant"])
        if found is None:
            raise CommandError(f"There is no tenant {options['tenant']}.")
        return found.ref
