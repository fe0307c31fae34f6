"""`manage.py encryption status|rotate|destroy --tenant SLUG`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.actor import SYSTEM
from apps.core.errors import Problem
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.objects.encryption import rotation
from apps.tenants.queries import tenant_by_slug


class Command(BaseCommand):
    help = "Show, renew or destroy the keys of a tenant's encrypted fields."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        told = {
            "status": "say which keys exist and how many values each of them seals",
            "rotate": "make a new key and queue the job that seals every value with it",
            "destroy": "destroy every key: what is encrypted can never be read again",
        }
        for verb, words in told.items():
            one = verbs.add_parser(verb, help=words)
            one.add_argument("--tenant", required=True)
            if verb == "destroy":
                one.add_argument("--reason", required=True, help="kept in the ledger")
                one.add_argument("--yes", required=True, metavar="SLUG", help="the tenant's slug once more")

    def handle(self, *_args: Any, **options: Any) -> None:
        with platform_scope("encryption keys of a tenant"):
            found = tenant_by_slug(options["tenant"])
        if found is None:
            raise CommandError(f"There is no tenant {options['tenant']}.")
        try:
            getattr(self, f"do_{options['verb']}")(found.ref, options)
        except Problem as error:
            raise CommandError(error.message) from error

    def do_status(self, tenant: TenantRef, _options: dict[str, Any]) -> None:
        with tenant_scope(tenant):
            found = rotation.standing()
        if not found.versions:
            self.stdout.write("No key: nothing is encrypted here, or the keys were destroyed.")
        for version in found.versions:
            self.stdout.write(f"key {version}: {found.values.get(version, 0)} values")
        if lost := sum(count for version, count in found.values.items() if version not in found.versions):
            self.stdout.write(f"{lost} values whose key is gone")

    def do_rotate(self, tenant: TenantRef, _options: dict[str, Any]) -> None:
        with tenant_scope(tenant):
            job = rotation.rotate(by=SYSTEM)
        self.stdout.write(f"A new key is in use; job {job} seals the older values with it.")

    def do_destroy(self, tenant: TenantRef, options: dict[str, Any]) -> None:
        if options["yes"] != tenant.slug:
            raise CommandError("--yes names another tenant.")
        with tenant_scope(tenant):
            gone = rotation.destroy(by=SYSTEM, reason=options["reason"])
        self.stdout.write(f"{gone} keys destroyed.")
