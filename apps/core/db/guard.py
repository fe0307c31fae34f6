"""What must be true of the database before this process serves; a wrong login is refused, not warned about."""

from typing import Any

from django.core.checks import CheckMessage, Critical, register
from django.utils.translation import gettext_lazy as _

from apps.core.db.here import here
from apps.core.health import Finding, check

ROLE = """
SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb,
       (SELECT count(*) FROM pg_class c WHERE c.relowner = r.oid),
       EXISTS (SELECT 1 FROM pg_auth_members m JOIN pg_roles o ON o.oid = m.roleid
               WHERE m.member = r.oid AND (o.rolsuper OR o.rolbypassrls
               OR EXISTS (SELECT 1 FROM pg_class c WHERE c.relowner = o.oid)))
FROM pg_roles r WHERE rolname = current_user
"""
UNWALLED = """
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND (
    (n.nspname LIKE 't\\_%' AND c.relname <> 'django_migrations')
    OR (n.nspname = 'public' AND EXISTS (
        SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)))
AND NOT (c.relrowsecurity AND c.relforcerowsecurity
    AND EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'tenant_wall'))
UNION ALL
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'm' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
UNION ALL
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'v' AND (n.nspname LIKE 't\\_%' OR n.nspname = 'public')
AND NOT coalesce(c.reloptions::text LIKE '%security_invoker=true%', false)
ORDER BY 1
"""


def role_faults(row: tuple[Any, ...]) -> list[str]:
    """Return what is wrong with the application's login, given a row of `ROLE`."""
    name, superuser, bypass, create_role, create_db, owned, strong_member = row
    faults = {
        f"{name} is a superuser": superuser,
        f"{name} may bypass row-level security": bypass,
        f"{name} may create roles": create_role,
        f"{name} may create databases": create_db,
        f"{name} owns {owned} relations": owned,
        f"{name} is a member of a role that owns tables or is stronger": strong_member,
    }
    return [text for text, wrong in faults.items() if wrong]


def login_faults() -> list[str]:
    """Ask the server about the application's login."""
    with here().raw_cursor() as cursor:
        row = cursor.execute(ROLE).fetchone()
    return role_faults(row) if row else ["The login is unknown to the server"]


def unwalled() -> list[str]:
    """Return every table without its wall, materialised view, and view that does not act as its caller."""
    with here().raw_cursor() as cursor:
        return [row[0] for row in cursor.execute(UNWALLED).fetchall()]


@register("walls", deploy=False)
def walls_check(app_configs: Any, databases: Any = None, **_kwargs: Any) -> list[CheckMessage]:
    """`manage.py check --database default`: refuse a login that the second wall would not hold."""
    if not databases or "default" not in databases:
        return []
    cure = "Give the application a login of its own: manage.py prepare_database."
    return [Critical(text, hint=cure, id="aibos.E001") for text in login_faults()]


@check("database", critical=True, title=_("Database"), group="data")
def database_check() -> Finding:
    """The database answers, and the application's login is the weak one."""
    faults = login_faults()
    if faults:
        return Finding("failed", "; ".join(faults))
    return Finding("ok", "The database answers; the login is walled in.")


@check("walls", title=_("Walls between tenants"), group="data")
def tables_check() -> Finding:
    """Every table that holds a tenant's data has its wall."""
    bare = unwalled()
    if bare:
        return Finding("failed", f"No wall: {', '.join(bare[:10])}", {"tables": len(bare)})
    return Finding("ok", "Every table has its wall.")
