"""The scope: one tenant at a time, gone with the transaction."""

import threading

import psycopg
import pytest
from django.db import OperationalError, connection, connections, transaction

from apps.core import health
from apps.core.clock import Clocked, bump
from apps.core.db import fast, loss
from apps.core.db.base import DatabaseWrapper
from apps.core.scope import (
    ScopeConflict,
    ScopeMissing,
    TenantRef,
    current_tenant,
    platform_scope,
    tenant_key,
    tenant_scope,
)
from apps.tenants.models import Tenant


def setting(name: str) -> str:
    with connection.raw_cursor() as cursor:
        return cursor.execute("SELECT coalesce(current_setting(%s, true), '')", [name]).fetchone()[0]


def test_a_query_outside_a_scope_is_refused(acme: TenantRef) -> None:
    with pytest.raises(ScopeMissing):
        Tenant.objects.count()


def test_a_scope_ends_with_its_transaction(acme: TenantRef) -> None:
    with tenant_scope(acme):
        assert setting("app.tenant") == str(acme.id)
        assert setting("search_path") == '"t_acme", public'
    assert setting("app.tenant") == ""
    assert "t_acme" not in setting("search_path")


def test_the_platform_s_scope_is_back_after_a_tenant_s(acme: TenantRef) -> None:
    with platform_scope("test"):
        with tenant_scope(acme):
            assert current_tenant() == acme
        assert setting("app.tenant") == "*"
        assert setting("search_path") == "public"


def test_a_failed_inner_scope_leaves_the_outer_one_as_it_was(acme: TenantRef) -> None:
    with platform_scope("test"):
        with pytest.raises(ZeroDivisionError), tenant_scope(acme):
            raise ZeroDivisionError
        assert setting("app.tenant") == "*"


def test_two_tenants_never_share_a_transaction(acme: TenantRef, globex: TenantRef) -> None:
    with tenant_scope(acme), pytest.raises(ScopeConflict), tenant_scope(globex):
        pass
    with tenant_scope(acme), pytest.raises(ScopeConflict), platform_scope("test"):
        pass


def test_a_new_thread_has_no_scope(acme: TenantRef) -> None:
    seen: list[object] = []

    def work() -> None:
        try:
            seen.append(Tenant.objects.count())
        except ScopeMissing as error:
            seen.append(error)
        finally:
            connections["default"].close()

    with tenant_scope(acme):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert isinstance(seen[0], ScopeMissing)


def test_keys_name_their_tenant_or_are_refused(acme: TenantRef) -> None:
    with pytest.raises(ScopeMissing):
        tenant_key("cache", "x")
    with tenant_scope(acme):
        assert tenant_key("cache", "x") == f"{acme.id}:cache:x"


def test_a_fast_read_leaves_the_connection_clean(acme: TenantRef) -> None:
    answer = fast.read(acme, "SELECT current_setting('app.tenant'), current_setting('search_path')")
    assert answer.rows == [(str(acme.id), '"t_acme", public')]
    assert setting("app.tenant") == ""


def end_connection(superuser_url: str) -> int:
    """Let the server close this thread's connection; return the process that served it."""
    pid = connection.connection.info.backend_pid
    with psycopg.connect(superuser_url, autocommit=True) as admin:
        assert admin.execute("SELECT pg_terminate_backend(%s, 5000)", [pid]).fetchone() == (True,)
    return pid


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks whether a connection has ended."""
    monkeypatch.setattr(DatabaseWrapper, "drop_if_ended", lambda self: None)


@pytest.mark.parametrize("writes", [False, True])
def test_a_fast_statement_survives_a_closed_connection(
    acme: TenantRef, superuser_url: str, writes: bool
) -> None:
    fast.read(acme, "SELECT 1")
    end_connection(superuser_url)
    assert fast.read(acme, "SELECT 2", writes=writes).rows == [(2,)]


def test_a_read_that_breaks_is_asked_again_and_a_write_is_not(
    acme: TenantRef, superuser_url: str, blind: None
) -> None:
    """The control: here the statement goes out on the dead connection."""
    fast.read(acme, "SELECT 1")
    end_connection(superuser_url)
    assert fast.read(acme, "SELECT 2").rows == [(2,)]
    end_connection(superuser_url)
    with pytest.raises(psycopg.OperationalError):
        fast.read(acme, "SELECT 3", writes=True)
    assert fast.read(acme, "SELECT 4", writes=True).rows == [(4,)]


def test_a_clocked_value_is_loaded_again_when_the_clock_moved(acme: TenantRef, globex: TenantRef) -> None:
    loads: list[str] = []
    cache = Clocked(lambda: loads.append(current_tenant().slug) or len(loads))
    with tenant_scope(acme):
        assert (cache.get(), cache.get()) == (1, 1)
    with tenant_scope(globex):
        assert cache.get() == 2
    with tenant_scope(acme):
        bump(acme.id)
    with tenant_scope(acme):
        assert cache.get() == 3
    with tenant_scope(globex):
        assert cache.get() == 2


def test_nothing_uncommitted_is_cached(acme: TenantRef) -> None:
    state = ["old"]
    cache = Clocked(lambda: state[0])
    with tenant_scope(acme):
        bump(acme.id)
        state[0] = "uncommitted"
        assert cache.get() == "uncommitted"
        transaction.set_rollback(True)
    state[0] = "old"
    with tenant_scope(acme):
        assert cache.get() == "old"


def test_a_scope_inside_a_bare_transaction_ends_cleanly(acme: TenantRef) -> None:
    with transaction.atomic(), tenant_scope(acme):
        assert setting("app.tenant") == str(acme.id)


def test_what_runs_on_commit_is_outside_the_scope(acme: TenantRef, globex: TenantRef) -> None:
    seen = []

    def after() -> None:
        with tenant_scope(globex):
            seen.append(current_tenant())

    with tenant_scope(acme):
        transaction.on_commit(after)
    assert seen == [globex]


def test_a_scope_survives_a_connection_that_the_server_closed(acme: TenantRef, superuser_url: str) -> None:
    with tenant_scope(acme):
        pass
    before = end_connection(superuser_url)
    with tenant_scope(acme):
        assert connections["default"].connection.info.backend_pid != before
    before = end_connection(superuser_url)
    with platform_scope("test"):
        assert connections["default"].connection.info.backend_pid != before


def test_readiness_is_asked_on_a_new_connection_after_the_server_went(
    acme: TenantRef, superuser_url: str
) -> None:
    """The check runs outside any scope, on a thread that may serve nothing else for minutes."""
    assert health.run(critical_only=True)["database"].status == "ok"
    end_connection(superuser_url)
    assert health.run(critical_only=True)["database"].status == "ok"


def test_readiness_would_stay_failed_on_the_dead_connection(
    acme: TenantRef, superuser_url: str, blind: None
) -> None:
    """The control."""
    assert health.run(critical_only=True)["database"].status == "ok"
    end_connection(superuser_url)
    connections["default"].close_if_unusable_or_obsolete()  # as after every request
    assert [health.run(critical_only=True)["database"].status for _ in range(3)] == ["failed"] * 3
    connections["default"].close()


def test_a_connection_that_lives_is_kept(acme: TenantRef) -> None:
    with tenant_scope(acme):
        pid = connections["default"].connection.info.backend_pid
    with tenant_scope(acme):
        assert connections["default"].connection.info.backend_pid == pid


def test_a_connection_lost_inside_a_scope_is_lost_with_it_alone(acme: TenantRef, superuser_url: str) -> None:
    with pytest.raises(OperationalError) as lost, tenant_scope(acme):
        end_connection(superuser_url)
        Tenant.objects.count()
    assert loss.is_lost(lost.value)  # though Django has another connection by now
    assert connections["default"].connection.closed is False
    with tenant_scope(acme):
        assert Tenant.objects.filter(pk=acme.id).count() == 1


@pytest.mark.parametrize("statement", ["SELECT 1 / 0", "SELEKT", "SELECT no_such", "SELECT pg_sleep(9)"])
def test_a_refused_statement_is_no_lost_connection(acme: TenantRef, statement: str) -> None:
    """The control: these say that the statement is wrong, or took too long."""
    with pytest.raises(loss.ERRORS) as refused, tenant_scope(acme), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 50")
        cursor.execute(statement)
        cursor.fetchone()
    assert not loss.is_lost(refused.value)


def test_nobody_answering_is_a_lost_connection() -> None:
    with pytest.raises(psycopg.OperationalError) as away:
        psycopg.connect("postgresql://nobody@127.0.0.1:1/none", connect_timeout=2)
    assert loss.is_lost(away.value)


def test_a_lost_connection_is_known_to_django(acme: TenantRef, superuser_url: str, blind: None) -> None:
    """The control, and the second net: otherwise a serving thread would keep the dead connection for ever."""
    with tenant_scope(acme):
        pass
    pid = end_connection(superuser_url)
    with pytest.raises(OperationalError), tenant_scope(acme):
        pass
    connections["default"].close_if_unusable_or_obsolete()
    with tenant_scope(acme):
        assert connections["default"].connection.info.backend_pid != pid
