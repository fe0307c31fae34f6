"""Django's way in: operators, on the platform's own host only. Members sign in through the services."""

from typing import Any
from uuid import UUID

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from apps.core.errors import Problem
from apps.identity.models import User
from apps.identity.place import place_of
from apps.identity.services.sign_in import verify

PATH = "apps.identity.backend.OperatorBackend"


class OperatorBackend(ModelBackend):
    """Checks an operator's password with the same throttle and ledger as every sign-in."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **_: Any
    ) -> User | None:
        """Return the operator, or None; on a tenant's host always None."""
        if request is None or not username or password is None:
            return None
        place = place_of(request)
        if place.tenant is not None:
            return None
        try:
            return verify(email=username, password=password, place=place, operators_only=True)
        except Problem:
            return None

    def get_user(self, user_id: UUID | str) -> User | None:
        return User.objects.filter(pk=user_id, is_active=True).first()
