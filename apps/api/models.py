"""The answers that writes with an `Idempotency-Key` gave, kept so that a retry gets the same one."""

from typing import ClassVar

from django.db import models

from apps.core.ids import uuid7


class IdempotencyAnswer(models.Model):
    """What one write answered; stored in the transaction of its effect, so both exist or neither does.

    `lookup` is the SHA-256 of caller, method, path and key; `fingerprint` that of query string and body. A
    `sealed` body can be read with the caller's key only.
    """

    placement: ClassVar[str] = "public"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant_id = models.UUIDField()
    lookup = models.BinaryField(max_length=32)
    fingerprint = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    body = models.BinaryField()
    sealed = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant_id", "lookup"], name="api_idempotency_once"),
        ]

    def __str__(self) -> str:
        return f"{self.status} for {bytes(self.lookup).hex()[:12]}"
