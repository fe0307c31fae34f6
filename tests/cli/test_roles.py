"""The two logins: what the application may do, what it may not, and that preparing is safe to repeat."""

import os
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import sql

from apps.cli.launch import roles

PASSWORD = "0123456789abcdef"


@pytest.fixture
def names(admin_url):
    """Names of this test alone; logins are shared by a whole cluster."""
    word = os.urandom(4).hex()
    found = {"database": f"roles_{word}", "app_role": f"app_{word}", "owner_role": f"owner_{word}"}
    yield found
    roles.drop(admin_url, database=found["database"])
    with psycopg.connect(admin_url, autocommit=True) as admin:
        for key in ("app_role", "owner_role"):
            admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(found[key])))


@pytest.fixture
def urls(admin_url, names):
    return roles.prepare(admin_url, app_password=PASSWORD, owner_password=PASSWORD, **names)


def test_the_logins_have_no_right_beyond_their_own(admin_url, names, urls):
    with psycopg.connect(admin_url) as admin:
        rows = admin.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, rolreplication, rolcanlogin FROM pg_roles"
            " WHERE rolname = ANY(%s)",
            [[names["app_role"], names["owner_role"]]],
        ).fetchall()
    assert rows == [(False, False, False, False, False, True)] * 2


def test_the_application_reads_and_writes_what_the_owner_makes_anywhere(urls):
    app_url, owner_url = urls
    with psycopg.connect(owner_url) as owner:
        owner.execute("CREATE SCHEMA t_new")
        owner.execute("CREATE TABLE t_new.thing (id serial PRIMARY KEY, word text)")
        owner.execute("CREATE TABLE public.thing (id serial PRIMARY KEY)")
    with psycopg.connect(app_url) as app:
        app.execute("INSERT INTO t_new.thing (word) VALUES ('a')")
        app.execute("UPDATE t_new.thing SET word = 'b'")
        assert app.execute("SELECT word FROM t_new.thing").fetchall() == [("b",)]
        app.execute("DELETE FROM t_new.thing")
        app.execute("INSERT INTO public.thing DEFAULT VALUES")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE public.mine (id int)",
        "CREATE SCHEMA mine",
        "CREATE TEMPORARY TABLE mine (id int)",
        "CREATE TABLE t_new.mine (id int)",
        "DROP TABLE t_new.thing",
        "ALTER TABLE t_new.thing DISABLE ROW LEVEL SECURITY",
        "TRUNCATE t_new.thing",
        "CREATE ROLE another",
        "CREATE DATABASE another",
    ],
)
def test_the_application_owns_nothing_and_makes_nothing(urls, statement):
    app_url, owner_url = urls
    with psycopg.connect(owner_url) as owner:
        owner.execute("CREATE SCHEMA t_new")
        owner.execute("CREATE TABLE t_new.thing (id serial PRIMARY KEY)")
    with (
        psycopg.connect(app_url, autocommit=True) as app,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        app.execute(statement)


def test_a_stranger_has_no_way_into_the_database(admin_url, names, urls):
    app_url, _ = urls
    with psycopg.connect(admin_url) as admin:
        granted = admin.execute(
            "SELECT datacl::text FROM pg_database WHERE datname = %s", [names["database"]]
        ).fetchone()
    assert granted is not None
    assert "{=" not in granted[0]  # nothing for PUBLIC
    assert ",=" not in granted[0]
    psycopg.connect(app_url).close()


def test_preparing_again_and_at_the_same_time_changes_nothing(admin_url, names):
    def go(_):
        return roles.prepare(admin_url, app_password=PASSWORD, owner_password=PASSWORD, **names)

    with ThreadPoolExecutor(5) as pool:
        answers = set(pool.map(go, range(5)))
    assert len(answers) == 1
    with psycopg.connect(answers.pop()[1]) as owner:
        owner.execute("CREATE TABLE public.kept (id int)")
    go(0)
    with psycopg.connect(go(0)[0]) as app:
        assert app.execute("SELECT count(*) FROM public.kept").fetchone() == (0,)


def test_a_login_with_too_many_rights_is_mended(admin_url, names, urls):
    with psycopg.connect(admin_url, autocommit=True) as admin:
        role = sql.Identifier(names["app_role"])
        admin.execute(sql.SQL("ALTER ROLE {} SUPERUSER BYPASSRLS CREATEDB").format(role))
        roles.prepare(admin_url, app_password=PASSWORD, owner_password=PASSWORD, **names)
        row = admin.execute(
            "SELECT rolsuper OR rolbypassrls OR rolcreatedb FROM pg_roles WHERE rolname = %s",
            [names["app_role"]],
        ).fetchone()
    assert row == (False,)


def test_a_derived_password_is_the_same_for_everyone_who_knows_the_administrators():
    first = roles.derived_password("secret", "aibos_app")
    assert first == roles.derived_password("secret", "aibos_app")
    assert first != roles.derived_password("secret", "aibos_owner")
    assert first != roles.derived_password("other", "aibos_app")
    assert roles.derived_password(None, "aibos_app") is None


def test_urls_carry_any_password_and_any_address():
    url = roles.url_for(
        {"host": "::1", "port": "5433", "sslmode": "require"}, user="a b", password="p@/:?", database="d"
    )
    assert url == "postgresql://a%20b:p%40%2F%3A%3F@[::1]:5433/d?sslmode=require"
    socket = roles.url_for({"host": "/run/pg", "port": "5433"}, user="a", password=None, database="d")
    assert socket == "postgresql://a@:5433/d?host=%2Frun%2Fpg"
    assert psycopg.conninfo.conninfo_to_dict(socket)["host"] == "/run/pg"
