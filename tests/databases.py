"""One database per file of tests, copied from a migrated template that serves until a migration changes."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from apps.cli.launch import roles

ROOT = Path(__file__).resolve().parent.parent
LOCK = 0x54455354  # "TEST"
# Later databases of one process start at later clocks, so that no cache of the platform outlives its database.
LATER = """
INSERT INTO public.tenant_clock (key, ticks) VALUES ('00000000-0000-0000-0000-000000000000', %s)
ON CONFLICT (key) DO UPDATE SET ticks = EXCLUDED.ticks
"""


def fingerprint() -> str:
    """Return a hash of everything that shapes the template database."""
    paths = [*ROOT.glob("apps/*/migrations/*.py"), *ROOT.glob("apps/core/db/*.py")]
    paths += [
        ROOT / "apps/tenants/schemas.py",
        ROOT / "apps/tenants/migrate.py",
        ROOT / "apps/cli/launch/roles.py",
    ]
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def create(admin_url: str) -> tuple[str, str, str]:
    """Create a database of this process; return its name, the application's URL and the owner's."""
    template = f"aibos_template_{fingerprint()}"
    name = f"aibos_test_{os.getpid()}_{os.urandom(3).hex()}"
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        known = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [template]).fetchone()
        if not known:
            _make_template(admin, admin_url, template)
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
        admin.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
    app, owner = roles.prepare(admin_url, database=name)
    with psycopg.connect(as_superuser(admin_url, name)) as admin:
        admin.execute(LATER, [time.time_ns() // 1000])
    return name, app, owner


def drop(admin_url: str, name: str) -> None:
    """Drop a run's database with whoever is still connected to it."""
    roles.drop(admin_url, database=name)


def as_superuser(admin_url: str, name: str) -> str:
    """Return the URL of the administrator's login in a run's database."""
    parts = urlsplit(admin_url)
    return urlunsplit(parts._replace(path=f"/{name}"))


def _make_template(admin: psycopg.Connection, admin_url: str, template: str) -> None:
    building = f"{template}_{os.getpid()}"
    app, owner = roles.prepare(admin_url, database=building)
    env = os.environ | {
        "DATABASE_URL": app,
        "DATABASE_OWNER_URL": owner,
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
    }
    try:
        done = subprocess.run(
            [sys.executable, "manage.py", "migrate_all"],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            msg = f"migrate_all failed:\n{done.stdout}\n{done.stderr}"
            raise RuntimeError(msg)
        admin.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                sql.Identifier(building), sql.Identifier(template)
            )
        )
    finally:
        roles.drop(admin_url, database=building)
