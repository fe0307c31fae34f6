"""Behind PgBouncer in transaction mode, with one server connection, no tenant ever reads another's row."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from apps.core.db.walls import build_walls
from apps.core.scope import TenantRef
from tests.programs import PGBOUNCER
from tests.servers import ROOT, free_port

pytestmark = pytest.mark.service


@pytest.fixture
def probe(acme: TenantRef, globex: TenantRef, superuser_url: str) -> Iterator[list[TenantRef]]:
    """A walled table in both tenants, each with its own name in it."""
    with psycopg.connect(superuser_url, autocommit=True) as admin:
        for ref in (acme, globex):
            admin.execute(
                f"CREATE TABLE {ref.schema}.pool_probe (id bigint GENERATED ALWAYS AS IDENTITY, name text)"
            )
            admin.execute(f"ALTER TABLE {ref.schema}.pool_probe OWNER TO aibos_owner")
            admin.execute(f"INSERT INTO {ref.schema}.pool_probe (name) VALUES ('{ref.slug}')")
            admin.execute(f"GRANT ALL ON {ref.schema}.pool_probe TO aibos_app")
            build_walls(ref.schema, ref.id)
        yield [acme, globex]
        for ref in (acme, globex):
            admin.execute(f"DROP TABLE {ref.schema}.pool_probe")


@pytest.fixture
def pooler(superuser_url: str, tmp_path: Path) -> Iterator[int]:
    """PgBouncer in transaction mode with a pool of one in front of this file's database."""
    program = PGBOUNCER.needed()
    parts, port = urlsplit(superuser_url), free_port()
    logins = (urlsplit(os.environ["DATABASE_URL"]), urlsplit(os.environ["DATABASE_OWNER_URL"]))
    (tmp_path / "users").write_text("".join(f'"{one.username}" "{one.password or ""}"\n' for one in logins))
    (tmp_path / "ini").write_text(
        f"[databases]\n* = host={parts.hostname} port={parts.port}\n[pgbouncer]\nlisten_addr=127.0.0.1\n"
        f"listen_port={port}\nauth_type=trust\nauth_file={tmp_path}/users\npool_mode=transaction\n"
        f"default_pool_size=1\nmax_client_conn=100\nunix_socket_dir=\nignore_startup_parameters=options,extra_float_digits\n"
        f"logfile={tmp_path}/log\n"
    )
    command = [program, str(tmp_path / "ini")]
    if os.geteuid() == 0:
        shutil.chown(tmp_path, "nobody")
        for folder in (tmp_path, *tmp_path.parents):
            if folder.stat().st_uid == 0 and str(folder).startswith("/tmp/"):
                folder.chmod(0o755)
        command = [program, "-u", "nobody", str(tmp_path / "ini")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(100):
        try:
            psycopg.connect(f"postgresql://aibos_app@127.0.0.1:{port}{parts.path}").close()
            break
        except psycopg.OperationalError:
            time.sleep(0.05)
    yield port
    process.terminate()
    process.wait()


def wrong_reads(mode: str, port: int, tenants: list[TenantRef], rounds: int) -> int:
    """Run four processes of two threads through the pooler; return how many reads were another tenant's."""
    base = urlsplit(os.environ["DATABASE_URL"])
    env = os.environ | {
        "DATABASE_URL": f"postgresql://aibos_app@127.0.0.1:{port}{base.path}",
        "DATABASE_OWNER_URL": f"postgresql://aibos_owner@127.0.0.1:{port}{base.path}",
        "DATABASE_PREPARE": "false",
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
    }
    named = [f"{ref.id},{ref.slug},{ref.schema}" for ref in tenants]
    command = [sys.executable, "-m", "tests.tenants.pooler_worker", mode, str(rounds), *named]
    running = [
        subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    answers = [process.communicate()[0].strip() for process in running]
    assert all(process.returncode == 0 for process in running)
    counted = [[int(number) for number in answer.split()] for answer in answers]
    assert [done for _wrong, done in counted] == [rounds * 2] * 4, "a client did not finish its rounds"
    return sum(wrong for wrong, _done in counted)


def test_scopes_hold_behind_a_transaction_pooler(probe: list[TenantRef], pooler: int) -> None:
    assert wrong_reads("scoped", pooler, probe, 300) == 0


def test_settings_of_the_session_leak_behind_the_same_pooler(
    probe: list[TenantRef], pooler: int, superuser_url: str
) -> None:
    """Negative control: SET search_path in one transaction, read in the next, without the second wall."""
    with psycopg.connect(superuser_url, autocommit=True) as admin:
        for ref in probe:
            admin.execute(f"ALTER TABLE {ref.schema}.pool_probe DISABLE ROW LEVEL SECURITY")
    assert wrong_reads("session", pooler, probe, 300) > 0
