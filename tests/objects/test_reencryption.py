"""Sealing every value with a new key while people read and write, killed again and again.

AIBOS_SEAL=full takes 100,000 records, otherwise 1,500.
"""

import os
import random
import signal
import time

import pytest
from django.db import connections

from apps.core.actor import SYSTEM
from apps.core.scope import tenant_scope
from apps.objects import query, records
from apps.objects.encryption import rotation
from apps.objects.encryption.opening import close
from apps.objects.encryption.ring import rings
from apps.objects.parse import load_body
from apps.objects.publish import publish_in

ROWS = 100_000 if os.environ.get("AIBOS_SEAL") == "full" else 1_500
KILLS = 5
BODY = {
    "name": "qr_card",
    "label": "Card",
    "nameField": "name",
    "fields": {"name": {"type": "text"}, "code": {"type": "text", "encrypted": "equality"}},
}


class Here:
    """What sealing needs to know."""

    def __init__(self, tenant):
        self.tenant = tenant

    def ring(self):
        return rings.get()


@pytest.fixture
def cards(fresh_tenant):
    publish_in(fresh_tenant, [load_body(BODY)], by=SYSTEM)
    first = records.create("qr_card", {"name": "0", "code": "code 0"}, by=SYSTEM, tenant=fresh_tenant).id
    with tenant_scope(fresh_tenant), connections["default"].cursor() as cursor:
        obj, here = load_body(BODY), Here(fresh_tenant)
        cursor.execute(
            'INSERT INTO "obj_qr_card" (id, name) SELECT gen_random_uuid(), n::text FROM generate_series(1, %s) n'
            " RETURNING id, name",
            [ROWS],
        )
        found = cursor.fetchall()
        values = [(close(obj, obj.fields["code"], key, f"code {name}", here), key) for key, name in found]
        cursor.executemany('UPDATE "obj_qr_card" SET code = %s WHERE id = %s', values)
    return fresh_tenant, first, [str(key) for key, _name in found]


def sealing_process(tenant):
    """Fork a process that seals values anew, a moment after each portion; returns its id."""
    for connection in connections.all():
        connection.close()
    child = os.fork()
    if child:
        return child
    try:
        for _changed in rotation.portions(tenant):
            time.sleep(0.01)
    finally:
        os._exit(0)


def check(tenant, keys):
    """Read some records through the door; every value must be there."""
    for key in random.Random(len(keys)).sample(keys, 20):
        row = query.get("qr_card", key, by=SYSTEM, tenant=tenant).record()
        assert row["code"] == f"code {row['name']}"


def test_it_survives_kills_and_nobody_notices(cards, monkeypatch):
    tenant, first, keys = cards
    monkeypatch.setattr(rotation, "PORTION", max(20, ROWS // 200))
    with tenant_scope(tenant):
        rotation.rotate(by=SYSTEM)
        newest = rings.get().newest
        left = [rotation.standing().left]
    assert left[0] == ROWS + 1
    for kill in range(KILLS):
        child = sealing_process(tenant)
        time.sleep((0.05 + 0.03 * kill) * (ROWS / 1_500) ** 0.8)
        check(tenant, keys)
        records.update(
            "qr_card", first, {"code": f"code {kill}", "name": str(kill)}, by=SYSTEM, tenant=tenant
        )
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with tenant_scope(tenant):
            left.append(rotation.standing().left)
    assert left == sorted(left, reverse=True) and left[-1] < left[0], "what was sealed stays sealed"
    list(rotation.portions(tenant))
    with tenant_scope(tenant):
        standing = rotation.standing()
    assert standing.left == 0 and standing.values == {newest: ROWS + 1}
    check(tenant, [*keys, first])
    found = query.count("qr_card", {"where": {"code": "code 7"}}, by=SYSTEM, tenant=tenant)[0]
    assert found == 1
    print(f"\n{ROWS:,} values sealed anew, {KILLS} kills; left after each: {left}")


def test_a_value_written_in_between_is_not_lost(cards, monkeypatch):
    """The record is held from reading it to writing it; a writer waits, and then writes over the new seal."""
    tenant, first, _keys = cards
    with tenant_scope(tenant):
        rotation.rotate(by=SYSTEM)
        obj = rotation.catalog().object("qr_card")
        rotation._portion(tenant, obj, rings.get(), rotation.UUID(int=0))
    records.update("qr_card", first, {"code": "written later"}, by=SYSTEM, tenant=tenant)
    list(rotation.portions(tenant))
    assert query.get("qr_card", first, by=SYSTEM, tenant=tenant).record()["code"] == "written later"


def test_without_the_old_key_the_values_are_lost(cards):
    """Negative control: a rotation that dropped the old key first would be seen."""
    tenant, _first, keys = cards
    with tenant_scope(tenant):
        rotation.rotate(by=SYSTEM)
        rotation.ColumnKey.objects.filter(purpose="data", version=1).delete()
        rotation.clock.bump(tenant.id)
    with pytest.raises(AssertionError):
        check(tenant, keys)
