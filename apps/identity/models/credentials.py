"""What a caller can show: sessions, keys and refresh tokens; secrets are stored only as SHA-256."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.ids import uuid7


class Session(models.Model):
    """One sign-in: a browser's cookie, a program's opaque token, or a family of refresh tokens.

    `tenant` is empty for sign-ins on the platform's own host that chose no tenant; `host` is
    empty only for token families, which are bound to their tenant alone. A session whose
    `renewed_at` lies before its user's `sessions_valid_from` is over.
    """

    placement: ClassVar[str] = "public"

    class Kind(models.TextChoices):
        WEB = "web", _("Browser")
        API = "api", _("Program")
        TOKEN = "token", _("Access tokens")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices, default=Kind.WEB)
    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, null=True, related_name="+")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        related_name="identity_sessions",
    )
    host = models.CharField(_("host"), max_length=253, blank=True)
    ip = models.GenericIPAddressField(_("IP address"), null=True, blank=True)
    user_agent = models.CharField(_("device"), max_length=300, blank=True)
    data = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(_("signed in"), auto_now_add=True)
    renewed_at = models.DateTimeField(_("last proof of the password"))
    last_seen_at = models.DateTimeField(_("last seen"))
    expires_at = models.DateTimeField(_("expires"), db_index=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    ended_reason = models.CharField(max_length=32, blank=True)

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        indexes: ClassVar = [
            models.Index(
                fields=["user", "-created_at"],
                condition=models.Q(ended_at=None),
                name="identity_session_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} session of {self.user_id}"


class RefreshToken(models.Model):
    """One link of a rotation chain; the chain itself is a Session of kind `token`."""

    placement: ClassVar[str] = "public"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, null=True, related_name="+")
    session = models.ForeignKey(Session, models.CASCADE, related_name="refresh_tokens")
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("refresh token")
        verbose_name_plural = _("refresh tokens")

    def __str__(self) -> str:
        return f"refresh token of {self.session_id}"


class ApiKey(models.Model):
    """A program's key in one tenant; it acts as the member who made it and never exceeds them."""

    placement: ClassVar[str] = "public"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="api_keys")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_keys")
    name = models.CharField(_("name"), max_length=100)
    prefix = models.CharField(_("prefix"), max_length=16, unique=True, editable=False)
    secret_hash = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField(_("scopes"), default=list)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        indexes: ClassVar = [models.Index(fields=["tenant", "user"], name="identity_apikey_holder")]

    def __str__(self) -> str:
        return f"{self.name} (osk_{self.prefix})"
