"""The two database logins and their rights, for the embedded server and for any other."""

import hashlib
import hmac
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from apps.core.db import folding

LOCK_KEY = 0x41_49_42_4F_53  # "AIBOS"; one preparation at a time in a cluster
EXTENSIONS = ("pg_trgm", "unaccent")  # used where present, needed nowhere
SAFE_ATTRIBUTES = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOREPLICATION"


class RolesUnfit(RuntimeError):
    """A login has rights that would open the walls between tenants, and we may not take them away."""


def prepare(
    admin_url: str,
    *,
    database: str,
    app_role: str = "aibos_app",
    owner_role: str = "aibos_owner",
    app_password: str | None = None,
    owner_password: str | None = None,
) -> tuple[str, str]:
    """Create or mend both logins and the database; return (app URL, owner URL).

    Idempotent and safe when several processes call it at once. Without a password given, one is derived
    from the administrator's (so every caller arrives at the same); a server that asks for none gets none.
    """
    admin = _admin_parameters(admin_url)
    app_password = app_password or derived_password(admin.get("password"), app_role)
    owner_password = owner_password or derived_password(admin.get("password"), owner_role)
    with psycopg.connect(make_conninfo("", **admin), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK_KEY])
        _ensure_role(connection, owner_role, owner_password)
        _ensure_role(connection, app_role, app_password)
        _ensure_database(connection, database, owner_role, app_role)
        with psycopg.connect(make_conninfo("", **admin | {"dbname": database}), autocommit=True) as inside:
            _grant_inside(inside, owner_role, app_role)
            _add_extensions(inside)
            _trust_comparisons(inside)
    return (
        url_for(admin, user=app_role, password=app_password, database=database),
        url_for(admin, user=owner_role, password=owner_password, database=database),
    )


def drop(admin_url: str, *, database: str) -> None:
    """Drop the database with whoever is connected to it; the logins stay."""
    with psycopg.connect(make_conninfo("", **_admin_parameters(admin_url)), autocommit=True) as connection:
        connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database))
        )


def derived_password(admin_password: str | None, role: str) -> str | None:
    """The password of a login that was given none: a keyed hash of the administrator's, or none at all."""
    if not admin_password:
        return None
    return hmac.new(admin_password.encode(), f"aibos role {role}".encode(), hashlib.sha256).hexdigest()


def url_for(parameters: dict[str, str], *, user: str, password: str | None, database: str) -> str:
    """A postgresql:// URL to the same server as `parameters`, with another login and database."""
    extra = {
        key: value
        for key, value in parameters.items()
        if key not in {"user", "password", "dbname", "host", "port", "hostaddr"}
    }
    host, port = parameters.get("host", ""), parameters.get("port", "")
    if host.startswith("/"):  # a socket's folder
        extra["host"] = host
        host = ""
    login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    address = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    query = f"?{urlencode(extra)}" if extra else ""
    return f"postgresql://{login}@{address}/{quote(database, safe='')}{query}"


def _admin_parameters(admin_url: str) -> dict[str, str]:
    parameters = {key: str(value) for key, value in conninfo_to_dict(admin_url).items()}
    return {"dbname": "postgres"} | parameters


def _ensure_role(connection: psycopg.Connection, role: str, password: str | None) -> None:
    name = sql.Identifier(role)
    row = connection.execute(
        "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolbypassrls OR rolreplication, rolcanlogin"
        " FROM pg_roles WHERE rolname = %s",
        [role],
    ).fetchone()
    if row is None:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN " + SAFE_ATTRIBUTES).format(name))
    elif row[0]:
        try:
            connection.execute(sql.SQL("ALTER ROLE {} " + SAFE_ATTRIBUTES).format(name))
        except psycopg.errors.InsufficientPrivilege as error:
            raise RolesUnfit(
                f"The login {role} has more rights than it may have. Run as an administrator: "
                f'ALTER ROLE "{role}" {SAFE_ATTRIBUTES};'
            ) from error
    if row is not None and not row[1]:
        connection.execute(sql.SQL("ALTER ROLE {} LOGIN").format(name))
    if password:
        # Hashed here, so that the plain word reaches neither the wire nor the server's log.
        hashed = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(hashed.decode())))


def _ensure_database(connection: psycopg.Connection, database: str, owner: str, app: str) -> None:
    is_super = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    if is_super is not None and not is_super[0]:
        # An administrator without superuser rights may give a database only to a role it belongs to.
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(owner)))
    names = {"db": sql.Identifier(database), "owner": sql.Identifier(owner), "app": sql.Identifier(app)}
    row = connection.execute(
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", [database]
    ).fetchone()
    if row is None:
        # template0: nobody can be connected to it, so no "is being accessed by other users".
        connection.execute(
            sql.SQL("CREATE DATABASE {db} OWNER {owner} ENCODING 'UTF8' TEMPLATE template0").format(**names)
        )
    elif row[0] != owner:
        connection.execute(sql.SQL("ALTER DATABASE {db} OWNER TO {owner}").format(**names))
    for statement in (
        "REVOKE ALL ON DATABASE {db} FROM PUBLIC",
        "REVOKE ALL ON DATABASE {db} FROM {app}",
        "GRANT CONNECT ON DATABASE {db} TO {app}",
    ):
        connection.execute(sql.SQL(statement).format(**names))


def _grant_inside(connection: psycopg.Connection, owner: str, app: str) -> None:
    names = {"owner": sql.Identifier(owner), "app": sql.Identifier(app)}
    defaults = "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} "
    for statement in (
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC, {app}",
        "GRANT USAGE, CREATE ON SCHEMA public TO {owner}",
        "GRANT USAGE ON SCHEMA public TO {app}",
        defaults + "GRANT USAGE ON SCHEMAS TO {app}",
        defaults + "GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app}",
        defaults + "GRANT USAGE, SELECT ON SEQUENCES TO {app}",
        defaults + "GRANT EXECUTE ON FUNCTIONS TO {app}",
    ):
        connection.execute(sql.SQL(statement).format(**names))


def _add_extensions(connection: psycopg.Connection) -> None:
    rows = connection.execute(
        "SELECT name FROM pg_available_extensions WHERE name = ANY(%s) AND installed_version IS NULL",
        [list(EXTENSIONS)],
    ).fetchall()
    for (name,) in rows:
        try:
            connection.execute(
                sql.SQL("CREATE EXTENSION IF NOT EXISTS {} SCHEMA public").format(sql.Identifier(name))
            )
        except psycopg.errors.InsufficientPrivilege:
            continue  # a managed server may forbid it; search then works without


def _trust_comparisons(connection: psycopg.Connection) -> None:
    """Let indexes serve text patterns, arrays and numbers below the tenants' walls; needs a superuser.

    Without one the same records are found, by reading them all.
    """
    try:
        connection.execute(folding.ENSURE)
    except psycopg.errors.InsufficientPrivilege:
        return  # the owner's migration makes them
    for (name,) in connection.execute(folding.UNTRUSTED, [list(folding.TRUSTED)]).fetchall():
        try:
            connection.execute("ALTER FUNCTION " + name + " LEAKPROOF")
        except psycopg.errors.InsufficientPrivilege:
            return
