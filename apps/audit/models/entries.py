"""The ledger's tables: rows waiting to be chained, one head per ledger, and the chained entries.

No foreign key: the ledger outlives what it describes. The key of the platform's ledger is the nil UUID.
"""

from typing import ClassVar

from django.db import models
from django.db.models import Func, Q

from apps.core.ids import NIL, uuid7

GENESIS = bytes(32)


class Xid8Field(models.Field):
    """A PostgreSQL transaction id that never wraps (`xid8`), filled by the transaction that writes the row."""

    def db_type(self, connection: object) -> str:
        return "xid8"


class Pending(models.Model):
    """An entry written by a business transaction and not chained yet; `tenant_id` null: the platform's."""

    placement: ClassVar[str] = "public"

    id = models.BigAutoField(primary_key=True)
    entry_id = models.UUIDField(default=uuid7)
    xid = Xid8Field(db_default=Func(function="pg_current_xact_id"))
    tenant_id = models.UUIDField(null=True)
    action = models.TextField()
    target = models.TextField(null=True)  # noqa: DJ001 - null is "nothing in particular"
    body = models.BinaryField()
    written_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))

    class Meta:
        indexes = [
            models.Index(fields=["tenant_id", "xid", "id"], name="audit_pending_order"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target or ''}".strip()


class Head(models.Model):
    """The last link of one ledger; `error` says why its chain stands still, empty when it moves."""

    placement: ClassVar[str] = "public"

    tenant_id = models.UUIDField(primary_key=True, default=NIL)
    seq = models.BigIntegerField(default=0)
    hash = models.BinaryField(default=GENESIS)
    error = models.TextField(default="", db_default="")
    moved_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))

    def __str__(self) -> str:
        return f"{self.tenant_id}:{self.seq}"


class Entry(models.Model):
    """A chained entry. `body` is the truth; `id`, `action`, `target`, `actor` and `at` repeat it for look-ups.

    `id` is a UUIDv7, so it is the order of time as well, the same before and after chaining.
    """

    placement: ClassVar[str] = "both"

    seq = models.BigIntegerField(primary_key=True)
    hash = models.BinaryField()
    prev = models.BinaryField()
    body = models.BinaryField()
    id = models.UUIDField(unique=True, editable=False)
    action = models.TextField()
    target = models.TextField(null=True)  # noqa: DJ001 - null is "nothing in particular"
    actor = models.TextField()
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(
                fields=["target", "id"], name="audit_entry_target", condition=Q(target__isnull=False)
            ),
            models.Index(fields=["actor", "id"], name="audit_entry_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.action}"
