"""The tables of the proofs: one Merkle tree per ledger, its tiles, its signed checkpoints, and what left the house.

`tenant_id` is the ledger's: a tenant's, `NIL` for the platform's own ledger, `ROOTS` for the platform's tree over
all checkpoints. No foreign key, as everywhere in the ledger.
"""

from typing import ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Func, Q

ROOTS = UUID(int=1)
EMPTY_ROOT = bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")


class Tree(models.Model):
    """How far a ledger's tree has grown, and the name it is signed under for good.

    `link` is the chain's hash of entry `size`; `error` says why the tree stands still, empty when it moves;
    `anchored` says of each place outside how many entries its newest checkpoint of this tree covers.
    """

    placement: ClassVar[str] = "public"

    tenant_id = models.UUIDField(primary_key=True)
    origin = models.TextField()
    size = models.BigIntegerField(default=0)
    root = models.BinaryField(default=EMPTY_ROOT)
    link = models.BinaryField(default=bytes(32))
    error = models.TextField(default="", db_default="")
    anchored = models.JSONField(default=dict, db_default={})
    moved_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))

    class Meta:
        db_table = "audit_tree"

    def __str__(self) -> str:
        return f"{self.origin}:{self.size}"


class Tile(models.Model):
    """Up to 256 neighbouring hashes, 32 bytes each: at level 0 leaves, at level n roots of full tiles of n-1."""

    placement: ClassVar[str] = "public"

    pk = models.CompositePrimaryKey("tenant_id", "level", "number")
    tenant_id = models.UUIDField()
    level = models.SmallIntegerField()
    number = models.BigIntegerField()
    hashes = models.BinaryField()

    class Meta:
        db_table = "audit_tile"

    def __str__(self) -> str:
        return f"{self.tenant_id}/{self.level}/{self.number}"


class Checkpoint(models.Model):
    """A signed statement of a tree's size and root; `position` is its leaf in the platform's tree, once it has one."""

    placement: ClassVar[str] = "public"

    pk = models.CompositePrimaryKey("tenant_id", "size")
    tenant_id = models.UUIDField()
    size = models.BigIntegerField()
    root = models.BinaryField()
    note = models.TextField()
    at = models.DateTimeField()
    position = models.BigIntegerField(null=True)

    class Meta:
        db_table = "audit_checkpoint"
        indexes = [
            models.Index(
                fields=["at"],
                name="audit_checkpoint_ungathered",
                condition=Q(position__isnull=True) & ~Q(tenant_id=ROOTS),
            ),
            models.Index(fields=["position"], name="audit_checkpoint_position"),
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id}:{self.size}"


class AnchorState(models.Model):
    """What one place outside the database has been told: all checkpoints up to `position` of the platform's tree.

    A tenant's own place carries its address in `address` and counts entries of the tenant's tree instead.
    """

    placement: ClassVar[str] = "public"

    pk = models.CompositePrimaryKey("tenant_id", "name")
    tenant_id = models.UUIDField()
    name = models.TextField()
    address = models.TextField(default="", db_default="")
    position = models.BigIntegerField(default=0, db_default=0)
    pushed_at = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)
    failures = models.IntegerField(default=0, db_default=0)
    error = models.TextField(default="", db_default="")

    class Meta:
        db_table = "audit_anchor"

    def __str__(self) -> str:
        return f"{self.name}:{self.position}"
