"""Django's session engine over `identity.Session`: the cookie's key is stored only as a hash.

A session is bound to the host and the tenant it was opened at (`bind`); at any other the cookie is anonymous.
Ending keeps the row, so that it can be listed; `clear_expired` removes old ones.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.core.scope import platform_scope
from apps.identity.grants import open_sessions
from apps.identity.models import Session
from apps.identity.place import Place
from apps.identity.secrets import digest, new_token
from apps.identity.services.sessions import end_session, member

KEEP_ENDED = timedelta(days=30)


class SessionStore(SessionBase):
    """One browser's session."""

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self.place = Place(host="")

    @classmethod
    def get_model_class(cls) -> type[Session]:
        """Return the table behind the engine, as Django's own database engine does."""
        return Session

    def bind(self, place: Place) -> None:
        """Say where the request comes from; call it before the session is read."""
        self.place = place

    def load(self) -> dict[str, Any]:
        row = self._row()
        if row is None:
            self._session_key = None
            return {}
        return self.decode(row.data)

    def exists(self, session_key: str) -> bool:
        return Session.objects.filter(token_hash=digest(session_key)).exists()

    def create(self) -> None:
        self._session_key = new_token()
        self.save(must_create=True)
        self.modified = True

    def save(self, must_create: bool = False) -> None:
        if self.session_key is None:
            self.create()
            return
        data: dict[str, Any] = self._get_session(no_load=must_create)  # type: ignore[attr-defined]
        user_id = UUID(data[SESSION_KEY]) if data.get(SESSION_KEY) else None
        if must_create:
            self._insert(self.session_key, data, user_id)
            return
        row = self._row()
        if row is None:
            raise UpdateError
        row.data, row.user_id = self.encode(data), user_id
        row.save(update_fields=["data", "user"])

    def delete(self, session_key: str | None = None) -> None:
        """End the session of the key, or this one."""
        key = session_key or self.session_key
        if key is None:
            return
        row = Session.objects.select_related("user").filter(token_hash=digest(key), ended_at=None).first()
        if row is None:
            return
        if row.user is not None:
            end_session(session_id=row.id, by=member(row.user, self.place.tenant))
        else:
            row.delete()

    @classmethod
    def clear_expired(cls) -> None:
        """Remove the rows of sessions that are long over; run it outside any scope."""
        with platform_scope("clearing old sessions"):
            old = timezone.now() - KEEP_ENDED
            Session.objects.filter(expires_at__lt=old).delete()
            Session.objects.filter(user=None, expires_at__lt=timezone.now()).delete()

    def _get_new_session_key(self) -> str:
        return new_token()

    def _row(self) -> Session | None:
        if not self.session_key:
            return None
        tenant = self.place.tenant
        rows = Session.objects.filter(
            token_hash=digest(self.session_key),
            kind=Session.Kind.WEB,
            host=self.place.host,
            tenant=tenant.id if tenant else None,
        )
        row = rows.first()
        if row is None or (row.user_id and not rows.filter(open_sessions()).exists()):
            return None
        return row if row.ended_at is None and row.expires_at > timezone.now() else None

    def _insert(self, key: str, data: dict[str, Any], user_id: UUID | None) -> None:
        now = timezone.now()
        tenant = self.place.tenant
        row = Session(
            token_hash=digest(key),
            kind=Session.Kind.WEB,
            tenant_id=tenant.id if tenant else None,
            user_id=user_id,
            host=self.place.host,
            ip=self.place.ip,
            user_agent=self.place.user_agent,
            data=self.encode(data),
            renewed_at=now,
            last_seen_at=now,
            expires_at=now + timedelta(seconds=settings.SESSION_COOKIE_AGE),
        )
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError as error:
            raise CreateError from error
