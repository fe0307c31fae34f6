"""What the ledger knows of people: their keys, who was erased, what is held back, and how long entries stay.

`tenant_id` names the ledger; the nil UUID is the platform's.
"""

from typing import ClassVar

from django.db import models
from django.db.models import Func, Q

from apps.core.ids import NIL, uuid7


class SubjectKey(models.Model):
    """A key that seals the personal data of one subject in one ledger, itself wrapped; deleting it erases them."""

    placement: ClassVar[str] = "public"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant_id = models.UUIDField(default=NIL)
    subject = models.TextField()
    wrapped = models.BinaryField()
    created_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))

    class Meta:
        indexes = [models.Index(fields=["tenant_id", "subject"], name="audit_key_subject")]

    def __str__(self) -> str:
        return self.subject


class Erasure(models.Model):
    """A subject whose keys were destroyed: nothing sealed for it, before or after, can be read again."""

    placement: ClassVar[str] = "public"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant_id = models.UUIDField(default=NIL)
    subject = models.TextField()
    reason = models.TextField()
    keys = models.PositiveIntegerField(default=0)
    erased_by = models.TextField()
    erased_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "subject"], name="audit_erased_once"),
        ]

    def __str__(self) -> str:
        return self.subject


class Hold(models.Model):
    """A legal hold: while it stands, the subject (empty: the whole ledger) is neither erased nor pruned."""

    placement: ClassVar[str] = "public"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant_id = models.UUIDField(default=NIL)
    subject = models.TextField(default="", blank=True)
    reason = models.TextField()
    placed_by = models.TextField()
    placed_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))
    released_by = models.TextField(default="", blank=True)
    released_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["tenant_id", "subject"],
                name="audit_hold_standing",
                condition=Q(released_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return self.subject or "whole ledger"


class Retention(models.Model):
    """How long one ledger keeps its entries, and up to where they were removed; `days` null: for ever."""

    placement: ClassVar[str] = "public"

    tenant_id = models.UUIDField(primary_key=True, default=NIL)
    days = models.PositiveIntegerField(null=True)
    pruned_seq = models.BigIntegerField(default=0)
    pruned_hash = models.BinaryField(default=bytes(32))
    pruned_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))

    def __str__(self) -> str:
        return f"{self.tenant_id}: {self.days or 'for ever'}"


class ExportPosition(models.Model):
    """Up to which entry one ledger was sent to one outside system."""

    placement: ClassVar[str] = "public"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant_id = models.UUIDField(default=NIL)
    target = models.TextField()
    seq = models.BigIntegerField(default=0)
    error = models.TextField(default="", blank=True)
    moved_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "target"], name="audit_export_once"),
        ]

    def __str__(self) -> str:
        return f"{self.target}: {self.seq}"
