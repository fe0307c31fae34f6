"""One client of the pooler test: reads and writes for two tenants in turn, and counts what was wrong.

Usage: python -m tests.tenants.pooler_worker MODE ROUNDS TENANT…, a tenant as id,slug,schema.
MODE is `scoped` (the product's way) or `session` (the unsafe way: SET search_path once per tenant).
"""

import os
import random
import sys
import threading
from uuid import UUID

import django
import psycopg

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
django.setup()

from django.db import connections, transaction  # noqa: E402

from apps.core.db import fast  # noqa: E402
from apps.core.scope import TenantRef, tenant_scope  # noqa: E402

READ = "SELECT DISTINCT name FROM pool_probe"
WRITE = "INSERT INTO pool_probe (name) VALUES (%s)"


_unsafe = threading.local()


class Undone(Exception):
    """Rolls a transaction back on purpose."""


def scoped(tenant: TenantRef, dice: random.Random) -> list[str]:
    """One unit of work as the product does it, by one of its several ways."""
    way = dice.randrange(5)
    if way == 0:
        return [row[0] for row in fast.read(tenant, READ).rows]
    with transaction.atomic() if way == 1 else tenant_scope(tenant), tenant_scope(tenant):
        with connections["default"].cursor() as cursor:
            cursor.execute(WRITE, [tenant.slug])
            if way == 2:
                try:
                    with transaction.atomic():
                        cursor.execute(WRITE, ["never"])
                        raise Undone
                except Undone:
                    pass
            cursor.execute(READ)
            found = [row[0] for row in cursor.fetchall()]
        if way == 3:
            transaction.set_rollback(True)
    return found


def session(tenant: TenantRef, dice: random.Random) -> list[str]:
    """The unsafe way: the search path is set for the session, then used in another transaction."""
    client = _unsafe.__dict__.setdefault("client", None) or psycopg.connect(
        os.environ["DATABASE_URL"], autocommit=True, prepare_threshold=None
    )
    _unsafe.client = client
    client.execute(f"SET search_path = {tenant.schema}")
    return [row[0] for row in client.execute(READ).fetchall()]


def work(
    mode: str, rounds: int, tenants: list[TenantRef], seed: int, wrong: list[str], done: list[int]
) -> None:
    dice = random.Random(seed)
    one = scoped if mode == "scoped" else session
    for _ in range(rounds):
        tenant = dice.choice(tenants)
        found = one(tenant, dice)
        wrong += [f"{tenant.slug} read {name}" for name in found if name != tenant.slug]
        done.append(1)
    for connection in connections.all():
        connection.close()


def main() -> None:
    mode, rounds = sys.argv[1], int(sys.argv[2])
    tenants = [TenantRef(UUID(a), b, c) for a, b, c in (item.split(",") for item in sys.argv[3:])]
    wrong: list[str] = []
    done: list[int] = []
    threads = [
        threading.Thread(target=work, args=(mode, rounds, tenants, os.getpid() * 10 + number, wrong, done))
        for number in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(len(wrong), len(done))


main()
