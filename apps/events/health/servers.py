"""What the product leans on: the database's room, cache, broker and disk. Each answer is bounded in time."""

import secrets
import shutil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import connections
from django.utils.translation import gettext_lazy as _
from kombu import Connection

from apps.core.health import Finding, Status, check
from apps.core.scope import platform_scope

PATIENCE = 2.0
LOW_SPACE, NO_SPACE = 0.10, 0.03
BUSY, FULL = 0.8, 0.95
OLD_TRANSACTION = 300.0
LOAD = """
SELECT count(*) FILTER (WHERE backend_type = 'client backend'),
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
       coalesce(extract(epoch FROM max(clock_timestamp() - xact_start)
                        FILTER (WHERE state IS NOT NULL AND backend_type = 'client backend'
                                AND pid <> pg_backend_pid())), 0),
       pg_database_size(current_database())
FROM pg_stat_activity
"""


@check("database_load", title=_("Database load"), group="data", measure="database_connections")
def database_load() -> Finding:
    """Judge how many of the server's connections are taken and how long the oldest transaction is open."""
    with platform_scope("health: database load"), connections["default"].cursor() as cursor:
        cursor.execute(LOAD)
        taken, most, oldest, size = cursor.fetchone()
    share = taken / max(1, most)
    figures = {
        "database_connections": taken,
        "database_connections_limit": most,
        "database_oldest_transaction_seconds": round(float(oldest), 3),
        "database_size_bytes": size,
    }
    message = f"{taken} of {most} connections are taken, the oldest transaction is {oldest:.0f} s old."
    status: Status = "failed" if share >= FULL else "degraded" if share >= BUSY else "ok"
    if status == "ok" and oldest > OLD_TRANSACTION:
        status = "degraded"
    return Finding(status, message, figures)


@check("cache", title=_("Cache"), group="machine")
def shared_cache() -> Finding:
    """Write a value and read it back."""
    where = settings.CACHES["default"]["BACKEND"].rsplit(".", 1)[-1]
    key, value = f"health:{secrets.token_hex(8)}", secrets.token_hex(8)
    cache.set(key, value, 30)
    found = cache.get(key)
    cache.delete(key)
    if found != value:
        return Finding("failed", f"{where} did not give back what was written.")
    if where == "LocMemCache":
        return Finding("ok", "No shared cache is configured; each process keeps its own.")
    return Finding("ok", "The shared cache gives back what was written.")


@check("broker", title=_("Broker"), group="work")
def broker() -> Finding:
    """Connect to the broker that rings for jobs; without one the workers ask the database by themselves."""
    url = settings.CELERY_BROKER_URL
    if url.startswith("memory:"):
        return Finding("ok", "No broker is configured; workers ask the database by themselves.")
    options: dict[str, Any] = {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE}
    try:
        with Connection(url, connect_timeout=PATIENCE, transport_options=options) as connection:
            connection.ensure_connection(max_retries=1, timeout=PATIENCE)
            ping = getattr(getattr(connection.default_channel, "client", None), "ping", None)
            if ping is not None:
                ping()
    except Exception as error:  # noqa: BLE001 - every transport has errors of its own
        message = f"The broker does not answer ({type(error).__name__}); the sweeper rings instead, jobs start later."
        return Finding("degraded", message)
    return Finding("ok", "The broker answers.")


@check("disk", title=_("Disk"), group="machine", measure="disk_used_ratio")
def disk() -> Finding:
    """Judge the free space where files and archives lie, on this machine."""
    worst_free, where = 1.0, ""
    figures: dict[str, float] = {}
    for name, root in (("files", settings.MEDIA_ROOT), ("exports", settings.EXPORT_ROOT)):
        usage = shutil.disk_usage(_existing(Path(root)))
        share = usage.free / max(1, usage.total)
        figures[f"disk_{name}_free_bytes"] = usage.free
        if share < worst_free:
            worst_free, where = share, name
    figures["disk_used_ratio"] = round(1 - worst_free, 4)
    status: Status = "failed" if worst_free < NO_SPACE else "degraded" if worst_free < LOW_SPACE else "ok"
    return Finding(status, f"{worst_free:.0%} of the disk is free where {where or 'files'} lie.", figures)


def _existing(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
