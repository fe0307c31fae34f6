"""`python -m bench.provision`: what it costs to open a tenant while more and more exist, replay beside migrations.

Needs DATABASE_ADMIN_URL. Options: --tenants 200, --samples 5. Prints milliseconds of wall time per tenant; the
schema is that of the platform with the CRM's tables beside it in the first row of each pair.
"""

import argparse
import os
import statistics
import sys
import time

import psycopg

from apps.cli.launch import roles
from bench.servers import in_database

NAME = "aibos_bench_provision"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tenants", type=int, default=200)
    options.add_argument("--samples", type=int, default=5)
    given = options.parse_args()
    admin = os.environ["DATABASE_ADMIN_URL"]
    roles.drop(admin, database=NAME)
    app, owner = roles.prepare(admin, database=NAME)
    os.environ |= {
        "DATABASE_URL": app,
        "DATABASE_OWNER_URL": owner,
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
    }
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate_all", verbosity=0)
    print(f"{'tenants':>8} {'bare schema ms':>15} {'with CRM ms':>12} {'by migrations ms':>17} {'tables':>7}")
    made = 0
    for wanted in sorted({0, 10, 50, given.tenants // 2, given.tenants}):
        while made < wanted:
            open_one(f"fill-{made}", ())
            made += 1
        bare = statistics.median(timed(open_one, f"bare-{wanted}-{n}", ()) for n in range(given.samples))
        full = statistics.median(
            timed(open_one, f"full-{wanted}-{n}", ("crm",)) for n in range(given.samples)
        )
        slow = timed(by_migrations, f"t_slow_{wanted}")
        made += 2 * given.samples
        print(f"{wanted:8} {bare:15.0f} {full:12.0f} {slow:17.0f} {tables(admin):7}")
    roles.drop(admin, database=NAME)


def timed(work, *args) -> float:
    start = time.perf_counter()
    work(*args)
    return (time.perf_counter() - start) * 1000


def open_one(slug: str, modules: tuple[str, ...]) -> None:
    from apps.core.actor import SYSTEM
    from apps.core.scope import platform_scope
    from apps.modules import catalogue
    from apps.tenants.provision import Order, create_tenant

    if modules and not getattr(open_one, "known", False):
        with platform_scope("bench"):
            catalogue.register_all(by=SYSTEM)
        open_one.known = True  # type: ignore[attr-defined]
    create_tenant(
        by=SYSTEM,
        wanted=Order(slug=slug, name=slug, seed={"modules": list(modules)}),
        default_host=f"{slug}.localhost",
    )


def by_migrations(schema: str) -> None:
    from apps.core.db.owner import owner_session
    from apps.core.ids import uuid7
    from apps.tenants.migrate import _migrate_schema

    with owner_session() as connection:
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA {schema}")
        _migrate_schema(schema, uuid7(), 0)
        connection.set_schema_to_public()


def tables(admin: str) -> int:
    with psycopg.connect(in_database(admin, NAME)) as connection:
        return connection.execute(
            "SELECT max(n) FROM (SELECT count(*) n FROM pg_tables WHERE schemaname LIKE 't\\_%' GROUP BY schemaname) x"
        ).fetchone()[0]


if __name__ == "__main__":
    sys.exit(main())
