"""The second wall: row-level security under every table, so that a forgotten scope reads nothing.

A tenant's tables carry a policy whose condition is a constant: the tenant in force must be the schema's own.
PostgreSQL evaluates it once a statement. Shared tables with a `tenant_id` column compare it row by row; the
platform scope (`app.tenant = '*'`) sees all of them. Tables without a tenant (users, plans) have no wall.
"""

from uuid import UUID

from psycopg import sql

from apps.core.db.here import here

TABLES = """
SELECT c.relname,
       EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id'
               AND NOT a.attisdropped) AS has_tenant,
       c.relrowsecurity AND c.relforcerowsecurity
       AND EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'tenant_wall') AS walled
FROM pg_class c WHERE c.relnamespace = %s::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1
"""
SHARED = sql.SQL(
    "tenant_id = nullif(nullif(current_setting('app.tenant', true), '*'), '')::uuid"
    " OR current_setting('app.tenant', true) = '*'"
)
OPEN_TABLES = frozenset({"django_migrations"})  # bookkeeping of the schema itself, no tenant's data


def build_walls(schema: str, tenant_id: UUID | None = None) -> list[str]:
    """Put the wall under every table of `schema` that lacks it; return the tables that got one.

    `tenant_id` is the owner of a tenant's schema; None stands for the shared schema. Needs the owner's login.
    """
    connection = here() if here().is_owner else here("owner")
    built = []
    with connection.cursor() as cursor:
        for table in unwalled(schema, cursor, tenant=tenant_id is not None):
            condition = _constant(tenant_id) if tenant_id is not None else SHARED
            for statement in _statements(schema, table, condition):
                cursor.execute(statement)
            built.append(table)
    return built


def unwalled(schema: str, cursor: "object", *, tenant: bool) -> list[str]:
    """Return the tables of `schema` that ought to have a wall and have none."""
    cursor.execute(TABLES, [f'"{schema}"'])  # type: ignore[attr-defined]
    rows = cursor.fetchall()  # type: ignore[attr-defined]
    return [
        name
        for name, has_tenant, walled in rows
        if not walled and name not in OPEN_TABLES and (tenant or has_tenant)
    ]


def _constant(tenant_id: UUID) -> sql.Composed:
    # The sub-select is run once a statement. Written without it, PostgreSQL asks for every row and, worse,
    # believes that one row in 200 passes: it then sorts ten thousand records where an index has the first 25.
    return sql.SQL("(SELECT current_setting('app.tenant', true) = {})").format(sql.Literal(str(tenant_id)))


def _statements(schema: str, table: str, condition: sql.Composable) -> list[sql.Composed]:
    name = sql.Identifier(schema, table)
    return [
        sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(name),
        sql.SQL("ALTER TABLE {} FORCE ROW LEVEL SECURITY").format(name),
        sql.SQL("DROP POLICY IF EXISTS tenant_wall ON {}").format(name),
        sql.SQL("CREATE POLICY tenant_wall ON {} USING ({}) WITH CHECK ({})").format(
            name, condition, condition
        ),
    ]
