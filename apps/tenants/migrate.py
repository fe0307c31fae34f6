"""Migrations: the shared schema, the template, then every tenant, in parallel, each on its own.

A tenant whose schema carries the fingerprint of the migrations on disk is passed over without a look. One
that fails keeps its error, is rolled back alone and does not stop the others; the next run resumes.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.core.management import call_command
from django.core.management.commands.migrate import Command as Migrate
from django.db.migrations.recorder import MigrationRecorder

from apps.core.db.here import here
from apps.core.db.owner import owner_session
from apps.core.db.walls import build_walls
from apps.core.ids import NIL
from apps.core.scope import platform_scope
from apps.tenants.models import Tenant, TenantDdl
from apps.tenants.schemas import TEMPLATE, migrations_version, save_template
from apps.tenants.states import State

LOCK = 0x41_49_42_4F_53  # one run at a time: an advisory lock, "AIBOS"


@dataclass(frozen=True)
class Outcome:
    """What became of one tenant's migration."""

    slug: str
    ok: bool
    message: str


def migrate_shared(verbosity: int = 0) -> None:
    """Bring the shared schema and the template to the migrations on disk, with their walls."""
    with owner_session() as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        try:
            _migrate_schema("public", None, verbosity)
            if not _template_is_current():
                with connection.cursor() as cursor:
                    cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {TEMPLATE}")
                _migrate_schema(TEMPLATE, NIL, verbosity)
                with platform_scope("template of new tenants"):
                    save_template()
        finally:
            connection.set_schema_to_public()
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def _template_is_current() -> bool:
    with platform_scope("template of new tenants"):
        return TenantDdl.objects.filter(version=migrations_version()).exists()


def _migrate_schema(schema: str, tenant_id: UUID | None, verbosity: int) -> None:
    connection = here("owner")
    wall = str(tenant_id) if tenant_id else "*"
    connection.set_schema(schema, include_public=False)
    MigrationRecorder(connection).ensure_schema()
    connection.set_schema(schema)
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.tenant', %s, false)", [wall])
    alias, connection.alias = connection.alias, "owner"
    try:
        call_command(Migrate(), database="owner", verbosity=verbosity, interactive=False, skip_checks=True)
    finally:
        connection.alias = alias
    build_walls(schema, tenant_id)


def pending() -> list[Tenant]:
    """Return the tenants whose schema is not at the migrations on disk; needs a scope."""
    closed = (State.PROVISIONING, State.FAILED)
    return list(Tenant.objects.exclude(state__in=closed).exclude(schema_version=migrations_version()))


def migrate_one(slug: str) -> Outcome:
    """Migrate one tenant on the owner's login and note the outcome in its row."""
    with platform_scope("migration of a tenant"):
        tenant = Tenant.objects.get(slug=slug)
    error = ""
    try:
        with owner_session():
            _migrate_schema(tenant.schema_name, tenant.id, 0)
            here("owner").set_schema_to_public()
    except Exception as problem:  # noqa: BLE001 - whatever broke this tenant must not stop the others
        error = f"{type(problem).__name__}: {problem}"
        here("owner").close()
    with platform_scope("migration of a tenant"):
        values = (
            {"schema_error": error} if error else {"schema_error": "", "schema_version": migrations_version()}
        )
        Tenant.objects.filter(pk=tenant.pk).update(**values)
    return Outcome(slug, not error, error or "migrated")


def migrate_tenants(parallel: int = 2, tell: Callable[[Outcome], None] = lambda _: None) -> list[Outcome]:
    """Migrate every tenant that needs it, `parallel` processes at a time; return what became of each."""
    with platform_scope("migration of all tenants"):
        slugs = [tenant.slug for tenant in pending()]
    outcomes = []
    for outcome in _run(slugs, parallel):
        tell(outcome)
        outcomes.append(outcome)
    return outcomes


def _run(slugs: list[str], parallel: int) -> Iterator[Outcome]:
    if len(slugs) <= 1 or parallel <= 1:
        yield from map(migrate_one, slugs)
        return
    with ThreadPoolExecutor(parallel) as pool:
        for future in as_completed([pool.submit(_in_process, slug) for slug in slugs]):
            yield future.result()


def _in_process(slug: str) -> Outcome:
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "migrate_tenants", "--only", slug]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    last = (done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or ["no answer"])[-1]
    return Outcome(slug, done.returncode == 0, last)
