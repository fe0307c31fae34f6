"""`manage.py prepare_database`: the two logins and the database on a server of yours."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.cli.launch import commands


class Command(BaseCommand):
    """Creates or mends the application's and the owner's login and prints their URLs; safe to run again."""

    help = __doc__ or ""
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        commands.add_database_arguments(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        code = commands.prepare_database(argparse.Namespace(**options))
        if code:
            raise CommandError("The database was not prepared.", returncode=code)
