"""`manage.py tenants`: open, list, move, export, import and remove tenants from the command line."""

from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.actor import SYSTEM
from apps.core.errors import Problem
from apps.core.scope import platform_scope
from apps.tenants import archiving, lifecycle, removal
from apps.tenants.models import Tenant
from apps.tenants.provision import Order, create_tenant
from apps.tenants.states import State


class Command(BaseCommand):
    """The operator's tool where no browser is at hand; every act is in the ledger as the system's."""

    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="all tenants with their states")
        opened = verbs.add_parser("open", help="open a tenant")
        opened.add_argument("slug")
        opened.add_argument("--name", default="")
        opened.add_argument("--plan")
        opened.add_argument("--host")
        opened.add_argument("--owner", default="", help="address of the person who will own it")
        moved = verbs.add_parser("move", help="suspend, archive, activate or delete a tenant")
        moved.add_argument("slug")
        moved.add_argument("state", choices=[State.ACTIVE, State.SUSPENDED, State.ARCHIVED, State.DELETED])
        moved.add_argument("--reason", default="")
        verbs.add_parser("export", help="write a signed archive").add_argument("slug")
        imported = verbs.add_parser("import", help="open a tenant from an archive")
        imported.add_argument("path", type=Path)
        imported.add_argument("slug")
        imported.add_argument("--host")
        imported.add_argument("--trust", help="fingerprint of the other installation's key")
        verbs.add_parser("remove_due", help="remove the data of tenants whose grace period is over")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['verb']}")(options)
        except Problem as problem:
            lines = [problem.message, *(f"{item.field}: {item.message}" for item in problem.fields)]
            raise CommandError("\n".join([*lines, problem.cure or ""]).strip()) from problem

    def _list(self, _options: dict[str, Any]) -> None:
        with platform_scope("command: list of tenants"):
            for tenant in Tenant.objects.all():
                self.stdout.write(f"{tenant.slug}\t{tenant.state}\t{tenant.name}")

    def _open(self, options: dict[str, Any]) -> None:
        slug = options["slug"]
        seed = {"owner_email": options["owner"]} if options["owner"] else {}
        wanted = Order(
            slug=slug, name=options["name"] or slug, plan=options["plan"], host=options["host"], seed=seed
        )
        made = create_tenant(by=SYSTEM, wanted=wanted, default_host=self._host(slug))
        self.stdout.write(f"{made.slug} is open.")

    def _move(self, options: dict[str, Any]) -> None:
        with platform_scope("command: move of a tenant"):
            moved = lifecycle.move(
                tenant_id=self._id(options["slug"]), to=options["state"], by=SYSTEM, reason=options["reason"]
            )
            self.stdout.write(f"{moved.slug} is {moved.state}.")

    def _export(self, options: dict[str, Any]) -> None:
        with platform_scope("command: export of a tenant"):
            tenant_id = self._id(options["slug"])
        self.stdout.write(str(archiving.export(tenant_id=tenant_id, by=SYSTEM)))

    def _import(self, options: dict[str, Any]) -> None:
        slug = options["slug"]
        made = archiving.restore(
            path=options["path"],
            slug=slug,
            host=options["host"] or self._host(slug),
            by=SYSTEM,
            trusted=options["trust"],
        )
        self.stdout.write(f"{made.slug} is open; its ledger verifies.")

    def _remove_due(self, _options: dict[str, Any]) -> None:
        gone = removal.remove_due(by=SYSTEM)
        self.stdout.write(f"Removed: {', '.join(gone) or 'none'}.")

    def _id(self, slug: str) -> UUID:
        found = Tenant.objects.filter(slug=slug).first()
        if found is None:
            raise CommandError(f"There is no tenant {slug!r}.")
        return found.pk

    def _host(self, slug: str) -> str:
        return f"{slug}.{settings.TENANT_DOMAIN}"
