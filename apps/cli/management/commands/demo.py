"""`manage.py demo`: the tenants acme and globex with members, the CRM and its demo records."""

from typing import Any

from django.core.management.base import BaseCommand

from apps.cli.demonstration import make_demo
from apps.cli.launch.places import places


class Command(BaseCommand):
    help = "Make the demo tenants, members and records; what is there already stays."

    def handle(self, *_args: Any, **_options: Any) -> None:
        file = places().var / "demo.json"
        found = make_demo(file=file, tell=self.stdout.write)
        for tenant in found["tenants"]:
            for member in tenant["members"]:
                self.stdout.write(f"{tenant['host']}  {member['email']}  {member['rights']}")
        self.stdout.write(f"Passwords and keys: {file}")
