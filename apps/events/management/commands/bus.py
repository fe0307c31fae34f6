"""`manage.py bus status`, and `manage.py bus rewind --minutes 90` after a server lost what it had acknowledged."""

import datetime as dt
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.core.actor import SYSTEM
from apps.core.scope import platform_scope
from apps.events.bus import choice
from apps.events.bus.rewind import rewind
from apps.events.delivery import GROUP
from apps.events.reader import lag
from apps.events.relay import name_of


class Command(BaseCommand):
    """Shows the bus, or carries events to it again."""

    help = "Show the bus, or carry events to it again."

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("status", help="Health, and how far relay and handlers are behind.")
        again = acts.add_parser("rewind", help="Let the relay begin again; what was handled is passed over.")
        again.add_argument("--minutes", type=int, required=True, help="How far back.")

    def handle(self, *_args: Any, **options: Any) -> None:
        bus = choice.current()
        if options["act"] == "status":
            found, behind = bus.health(), bus.lag(GROUP)
            self.stdout.write(f"{bus.name}: {found.status}. {found.message}")
            if not bus.is_log:
                carried = lag(name_of(bus), bus=bus.name)
                self.stdout.write(f"relay: {carried.events} events behind, {carried.seconds:.1f} s")
            self.stdout.write(f"{GROUP}: {behind.events} events behind, {behind.seconds:.1f} s")
            return
        since = timezone.now() - dt.timedelta(minutes=options["minutes"])
        with platform_scope("events: carry again"):
            done = rewind(bus, since=since, by=SYSTEM)
        if not done:
            msg = "There is nothing to carry: PostgreSQL is the bus, or the log holds nothing of that time."
            raise CommandError(msg)
        self.stdout.write(f"Events since {since:%Y-%m-%d %H:%M:%S} UTC are carried to {bus.name} again.")
