"""Keys over time: a new one, every value sealed with it while people work, old ones destroyed, or all of them at once.

A value says which key sealed it, so the work needs no list: what is left to do is what still names an older key.
Killed at any point it goes on from there.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from psycopg import sql

from apps.audit import ledger
from apps.core import clock, queue
from apps.core.actor import SYSTEM, Actor
from apps.core.db import fast
from apps.core.errors import Conflict, Invalid
from apps.core.scope import TenantRef, current_tenant, platform_scope, tenant_scope
from apps.core.sealing import SealBroken, unseal
from apps.objects.catalog import catalog
from apps.objects.definitions import ObjectDef
from apps.objects.encryption.models import ColumnKey
from apps.objects.encryption.ring import HEAD, PURPOSE, Ring, column_of, create, place_of, rings, wrapped
from apps.permissions.access import access_for
from apps.tenants.queries import refs, snapshot

PERMISSION = "manage_encryption"
TASK = "objects.reencrypt"
TARGET = "encryption:columns"
PORTION = 500
PASSES = 20
GRACE = dt.timedelta(
    hours=1
)  # longer than any transaction lives: one that began before may still write with its key
DATA, INDEX = ColumnKey.Purpose.DATA, ColumnKey.Purpose.INDEX


@dataclass(frozen=True)
class Standing:
    """How the keys of a tenant stand: their versions, and how many values each of them seals."""

    versions: Sequence[int]
    values: Mapping[int, int]
    broken: int = 0

    @property
    def left(self) -> int:
        """How many values older keys still seal."""
        return sum(
            count for version, count in self.values.items() if version != max(self.versions, default=0)
        )


@transaction.atomic
def rotate(*, by: Actor) -> UUID:
    """Make a new key, used from now on, and queue the job that seals every older value with it; returns the job's id.

    The wraps of all keys are renewed too, so that SECRET_KEY_FALLBACKS may be emptied afterwards.
    """
    access_for(by).require_system(PERMISSION)
    newest = ColumnKey.objects.filter(purpose=DATA).aggregate(Max("version"))["version__max"]
    if newest is None:
        raise Conflict(
            "This tenant has no encrypted fields yet, or its keys were destroyed.", code="INVALID_STATE"
        )
    _rewrap()
    create(DATA, newest + 1)
    clock.bump(current_tenant().id)
    ledger.record("encryption.rotated", by=by, target=TARGET, after={"version": newest + 1})
    return queue.enqueue(
        TASK, tenant=current_tenant().id, args={}, title="Seal values with the new key", by=by
    )


@transaction.atomic
def destroy(*, by: Actor, reason: str) -> int:
    """Destroy every key of the tenant: what is encrypted can never be read again, in no dump either. No way back."""
    access_for(by).require_system(PERMISSION)
    if not reason.strip():
        raise Invalid("Say why: the ledger keeps the reason.")
    gone, _ = ColumnKey.objects.all().delete()
    clock.bump(current_tenant().id)
    ledger.record(
        "encryption.destroyed", by=by, target=TARGET, details={"reason": reason.strip(), "keys": gone}
    )
    return gone


def standing() -> Standing:
    """Return how the keys of the tenant in force stand."""
    versions = sorted(ColumnKey.objects.filter(purpose=DATA).values_list("version", flat=True))
    values: dict[int, int] = {}
    for table, column in _columns():
        text = sql.SQL("SELECT substring({c}, 2, 4), count(*) FROM {t} WHERE {c} IS NOT NULL GROUP BY 1")
        with fast.cursor() as cursor:
            for raw, count in cursor.execute(text.format(c=column, t=table)).fetchall():
                version = int.from_bytes(raw, "big")
                values[version] = values.get(version, 0) + count
    return Standing(versions, values)


@queue.task(TASK, manages_scope=True)
def reencrypt(job: queue.JobHandle) -> dict[str, Any]:
    """Seal what older keys sealed with the newest one, in portions that hold no row longer than a moment."""
    assert job.tenant_id is not None
    with platform_scope("sealing values with a new key"):
        found = snapshot(job.tenant_id)
    assert found is not None
    done = broken = 0
    for _pass in range(PASSES):
        broken = 0
        for changed, unread in portions(found.ref):
            done, broken = done + changed, broken + unread
            job.progress(done)
            if job.cancelled():
                return {"values": done, "broken": broken, "left": True}
        with tenant_scope(found.ref):
            left = standing().left - broken
            if left <= 0:
                ledger.record("encryption.reencrypted", by=job.by, target=TARGET, details={"values": done})
                return {"values": done, "broken": broken}
    raise queue.Later("Records were locked all the time; some values are left.", after=60)


def portions(tenant: TenantRef) -> Iterator[tuple[int, int]]:
    """Seal every value with an older key anew, each portion in a transaction; yields (values sealed, unreadable)."""
    with tenant_scope(tenant):
        names = [obj.name for obj in catalog() if obj.encrypted_fields]
    for name in names:
        last: UUID | None = UUID(int=0)
        while last is not None:
            with tenant_scope(tenant):
                obj = catalog().find(name)
                if obj is None or not obj.encrypted_fields:
                    break
                last, changed, unread = _portion(tenant, obj, rings.get(), last)
            yield changed, unread


def _portion(tenant: TenantRef, obj: ObjectDef, ring: Ring, after: UUID) -> tuple[UUID | None, int, int]:
    """Seal the next records anew; those that somebody holds are left to the next pass, so nobody ever waits for two."""
    table, head = sql.Identifier(tenant.schema, obj.table), HEAD.pack(0, ring.newest)[1:]
    columns = [sql.Identifier(field.column) for field in obj.encrypted_fields]
    older = sql.SQL(" OR ").join(
        [sql.SQL("substring({}, 2, 4) <> {}").format(c, sql.Literal(head)) for c in columns]
    )
    text = sql.SQL(
        "SELECT id, {} FROM {} WHERE id > {} AND ({}) ORDER BY id LIMIT {} FOR UPDATE SKIP LOCKED"
    ).format(sql.SQL(", ").join(columns), table, sql.Literal(after), older, sql.Literal(PORTION))
    changed = unread = 0
    with fast.cursor() as cursor:
        rows = cursor.execute(text).fetchall()
        for record_id, *boxes in rows:
            values, lost = _sealed_anew(tenant, obj, ring, record_id, boxes)
            changed, unread = changed + len(values), unread + lost
            if values:
                sets = [sql.SQL("{} = %s").format(sql.Identifier(name)) for name in values]
                write = sql.SQL("UPDATE {} SET {} WHERE id = %s").format(table, sql.SQL(", ").join(sets))
                cursor.execute(write, [*values.values(), record_id])
    return (rows[-1][0] if len(rows) == PORTION else None), changed, unread


def _sealed_anew(
    tenant: TenantRef, obj: ObjectDef, ring: Ring, record_id: UUID, boxes: Sequence[bytes | None]
) -> tuple[dict[str, bytes], int]:
    values: dict[str, bytes] = {}
    lost = 0
    for field, box in zip(obj.encrypted_fields, boxes, strict=True):
        if box is None or HEAD.unpack_from(box)[1] == ring.newest:
            continue
        column = column_of(tenant.id, obj, field)
        try:
            values[field.column] = ring.close(column, record_id, ring.open(column, record_id, bytes(box)))
        except SealBroken:
            lost += 1
    return values, lost


def retire_all() -> str:
    """Destroy old keys that seal nothing any more and that no transaction can still write with; a chore."""
    with platform_scope("old keys of encrypted columns"):
        tenants = refs()
    return f"{sum(map(retire, tenants))} destroyed"


def retire(tenant: TenantRef, grace: dt.timedelta = GRACE) -> int:
    """Destroy the old keys of one tenant once the newest is older than `grace` and seals everything."""
    with tenant_scope(tenant):
        keys = ColumnKey.objects.filter(purpose=DATA).order_by("-version")
        newest = keys.first()
        if newest is None or keys.count() == 1 or newest.created_at > timezone.now() - grace:
            return 0
        if standing().left:
            return 0
        versions = list(keys.exclude(pk=newest.pk).values_list("version", flat=True))
        keys.exclude(pk=newest.pk).delete()
        clock.bump(tenant.id)
        ledger.record("encryption.retired", by=SYSTEM, target=TARGET, before={"versions": versions})
        return len(versions)


def _rewrap() -> None:
    for row in ColumnKey.objects.all():
        key = unseal(PURPOSE, place_of(row.purpose, row.version), bytes(row.wrapped))
        row.wrapped = wrapped(row.purpose, row.version, key)
        row.save(update_fields=["wrapped"])


def _columns() -> Iterator[tuple[sql.Identifier, sql.Identifier]]:
    schema = current_tenant().schema
    for obj in catalog():
        for field in obj.encrypted_fields:
            yield sql.Identifier(schema, obj.table), sql.Identifier(field.column)
