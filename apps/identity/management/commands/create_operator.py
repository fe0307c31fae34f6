"""`manage.py create_operator EMAIL [--superuser]`: the first operator of an installation, or another one."""

import getpass
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.actor import SYSTEM
from apps.core.errors import Problem
from apps.core.scope import platform_scope
from apps.identity.services.operators import create_operator


class Command(BaseCommand):
    """Asks for the password, or reads it from standard input; never takes it from the command line."""

    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", default="")
        parser.add_argument("--superuser", action="store_true", help="may act on every tenant")

    def handle(self, *_args: Any, **options: Any) -> None:
        password = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
        try:
            with platform_scope("manage.py create_operator"):
                create_operator(
                    email=options["email"],
                    name=options["name"],
                    password=password,
                    superuser=options["superuser"],
                    by=SYSTEM,
                )
        except Problem as problem:
            raise CommandError(
                " ".join([problem.message, *(item.message for item in problem.fields)])
            ) from problem
        self.stdout.write(f"{options['email']} is an operator now.")
