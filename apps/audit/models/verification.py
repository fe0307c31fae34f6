"""The table of verifications: when a ledger was recomputed, by whom, and what was found."""

from typing import ClassVar

from django.db import models
from django.db.models import Func

from apps.core.ids import uuid7


class Verification(models.Model):
    """One recomputation of one ledger; `bad_seq` is null when it held. `tenant_id` null: the platform's.

    `details` say what was proven besides: signed entries, checkpoints compared, what each anchor said.
    """

    placement: ClassVar[str] = "public"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant_id = models.UUIDField(null=True)
    at = models.DateTimeField(db_default=Func(function="clock_timestamp"))
    actor = models.TextField()
    entries = models.BigIntegerField()
    pending = models.BigIntegerField()
    head = models.TextField()
    seconds = models.FloatField()
    bad_seq = models.BigIntegerField(null=True)
    flaw = models.TextField(default="", db_default="")
    message = models.TextField(default="", db_default="")
    details = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["tenant_id", "-id"], name="audit_verification_list")]

    def __str__(self) -> str:
        return f"{self.tenant_id or 'platform'} {self.at:%Y-%m-%d %H:%M}"

    @property
    def ok(self) -> bool:
        """Whether the ledger held."""
        return self.bad_seq is None
