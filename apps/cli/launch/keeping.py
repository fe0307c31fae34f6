"""`make backup` and `make restore`: one archive with the database, the files and the key that signed things.

The database is dumped by the administrator's login: row-level security is forced on the owner too, and a dump
that silently left rows out would be worse than none.
"""

import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from apps.cli.launch import options, ports, roles, surroundings
from apps.cli.launch.lock import Lock, Taken
from apps.cli.launch.passwords import secret
from apps.cli.launch.places import Places, places
from apps.cli.launch.postgres import Server, find_programs, server_environment
from apps.cli.launch.problems import StartProblem
from apps.cli.launch.processes import MARK, sweep
from apps.cli.launch.running import LOCK, OWN_PORTS
from apps.cli.launch.supervisor import Supervisor

DUMP, FILES, KEY, DEMO = "database.dump", "files", "secret-key", "demo.json"


def backup(target: Path) -> int:
    """Write the archive (mode 0600: it holds everything); the product may be running."""
    here = places()
    options.read()
    with administrator(here, alone=False) as (admin, database), tempfile.TemporaryDirectory() as scratch:
        dump = Path(scratch) / DUMP
        _run("pg_dump", "--format=custom", f"--file={dump}", f"--dbname={_inside(admin, database)}")
        unfinished = target.with_name(target.name + ".unfinished")
        unfinished.touch(mode=0o600)
        with tarfile.open(unfinished, "w") as archive:
            archive.add(dump, DUMP)
            for path, name in ((_files(here), FILES), (here.secrets / KEY, KEY), (here.var / DEMO, DEMO)):
                if path.exists():
                    archive.add(path, name)
        unfinished.replace(target)
    print(f"{target}: {target.stat().st_size // 1000} kB")
    return 0


def restore(source: Path) -> int:
    """Put an archive in the place of the present data; the product must not be running."""
    here = places()
    options.read()
    with administrator(here, alone=True) as (admin, database), tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(source) as archive:
            unpack(archive, Path(scratch))
        _replace_database(admin, database, Path(scratch) / DUMP, here)
        files = _files(here)
        shutil.rmtree(files, ignore_errors=True)
        if (Path(scratch) / FILES).exists():
            shutil.copytree(Path(scratch) / FILES, files)
        if (Path(scratch) / KEY).exists() and not os.environ.get("SECRET_KEY"):
            shutil.copyfile(Path(scratch) / KEY, here.secrets / KEY)
        if (Path(scratch) / DEMO).exists():
            shutil.copyfile(Path(scratch) / DEMO, here.var / DEMO)
    (here.postgres / "prepared.json").unlink(missing_ok=True)  # the archive may be older than this code
    _mark_restored(here, source)
    print(f"{source} is restored; start with: make run")
    return 0


def _mark_restored(here: Places, source: Path) -> None:
    """Leave word beside the ledgers' anchors, which know of the time after the backup; the next start takes it up."""
    folder = Path(os.environ.get("LEDGER_ANCHOR_ROOT") or here.var / "anchors")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "restored").write_text(f"the backup {source.name} was restored\n", encoding="utf-8")


def unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Unpack plain files and folders that stay inside `folder`; refuse an archive with anything else."""
    for member in archive.getmembers():
        inside = (folder / member.name).resolve().is_relative_to(folder.resolve())
        if not inside or not (member.isreg() or member.isdir()):
            raise StartProblem("E226", name=member.name)
        archive.extract(member, folder, set_attrs=False)


@contextmanager
def administrator(here: Places, *, alone: bool) -> Iterator[tuple[str, str]]:
    """The administrator's URL and the database's name: DATABASE_ADMIN_URL with DATABASE_URL, or the embedded
    server, started for the purpose when it is not running.
    """
    here.make()
    external = os.environ.get("DATABASE_URL")
    if external:
        admin = os.environ.get("DATABASE_ADMIN_URL")
        if not admin:
            raise StartProblem("E224")
        yield admin, urlsplit(external).path.lstrip("/")
        return
    port = ports.known(here.run / "ports.json", "postgres")
    try:
        with Lock(here.run / LOCK):
            os.environ[MARK] = str(here.var)
            sweep(here.var)
            port = ports.remembered(here.run / "ports.json", OWN_PORTS)["postgres"]
            server, supervisor = Server(here.postgres, port, here), Supervisor()
            child = server.child()
            supervisor.add(child)
            try:
                server.start(child)
                yield server.admin_url(), surroundings.DATABASE
            finally:
                supervisor.stop()
    except Taken as taken:
        if alone or port is None:
            raise StartProblem("E202", pid=taken.pid) from taken
        yield Server(here.postgres, port, here).admin_url(), surroundings.DATABASE


def _replace_database(admin: str, database: str, dump: Path, here: Places) -> None:
    # The logins first: the dump names them as owners and grantees.
    embedded = not os.environ.get("DATABASE_URL")
    app = secret(here.secrets, "database-app-password") if embedded else _password("DATABASE_URL")
    owner = secret(here.secrets, "database-owner-password") if embedded else _password("DATABASE_OWNER_URL")
    roles.prepare(admin, database=database, app_password=app, owner_password=owner)
    name = sql.Identifier(database)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
        connection.execute(sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(name))
    _run("pg_restore", "--exit-on-error", f"--dbname={_inside(admin, database)}", str(dump))
    roles.prepare(admin, database=database, app_password=app, owner_password=owner)


def _run(program: str, *words: str) -> None:
    done = subprocess.run(
        [str(find_programs() / program), *words],
        env=server_environment(),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StartProblem("E225", program=program, said=done.stderr.strip())


def _inside(admin: str, database: str) -> str:
    return urlunsplit(urlsplit(admin)._replace(path=f"/{database}"))


def _password(name: str) -> str | None:
    return urlsplit(os.environ.get(name, "")).password


def _files(here: Places) -> Path:
    return Path(os.environ.get("MEDIA_ROOT") or here.var / "files")
