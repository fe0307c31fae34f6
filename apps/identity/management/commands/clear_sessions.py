"""`manage.py clear_sessions`: removes the rows of sessions that ended more than 30 days ago; run it daily."""

from typing import Any

from django.core.management.base import BaseCommand

from apps.identity.session_store import SessionStore


class Command(BaseCommand):
    """Removes old sessions of all tenants with their refresh tokens; safe to run at any time."""

    help = __doc__ or ""

    def handle(self, *_args: Any, **_options: Any) -> None:
        SessionStore.clear_expired()
        self.stdout.write("Old sessions are removed.")
