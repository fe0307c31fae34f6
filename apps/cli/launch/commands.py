"""The verbs of the launcher; `make` calls them, and so does the container image."""

import argparse
import http.client
import os
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

from apps.cli.launch import (
    checking,
    keeping,
    locking,
    managing,
    options,
    plan,
    resetting,
    roles,
    running,
    testing,
)
from apps.cli.launch.places import ROOT, places
from apps.cli.launch.problems import StartProblem


def main(words: list[str]) -> int:
    """Run one verb; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m apps.cli.launch", description="Start, test and check AI-BOS."
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("run", help="start the whole product on this machine")
    healthy = verbs.add_parser("healthy", help="exit code 0 when the address answers well (containers)")
    healthy.add_argument("url")
    verbs.add_parser("reset", help="delete the data of `run`, after a question")
    verbs.add_parser("check", help="all checks that need no server of their own")
    test = verbs.add_parser("test", help="run the tests with a database of their own")
    test.add_argument("words", nargs=argparse.REMAINDER, help="arguments of pytest")
    chaos = verbs.add_parser("chaos", help="the tests that kill processes and the database, at full length")
    chaos.add_argument("words", nargs=argparse.REMAINDER, help="arguments of pytest")
    manage = verbs.add_parser("manage", help="a Django command with the variables of the running product")
    manage.add_argument("words", nargs=argparse.REMAINDER)
    for verb, text in (
        ("backup", "write one archive with everything"),
        ("restore", "put an archive in place"),
    ):
        verbs.add_parser(verb, help=text).add_argument("file", type=Path)
    lock = verbs.add_parser("lock", help="resolve requirements/*.in (--upgrade takes newer versions)")
    lock.add_argument("words", nargs=argparse.REMAINDER)
    process = verbs.add_parser("process", help="become one process of the product (containers)")
    process.add_argument("name", choices=sorted(PROCESSES))
    process.add_argument("--host", default="0.0.0.0")  # noqa: S104 - inside a container
    process.add_argument("--port", type=int, default=8000)
    database = verbs.add_parser("prepare-database", help="make the two logins and the database on a server")
    add_database_arguments(database)
    database.add_argument("--quiet", action="store_true", help="do not print the URLs, which hold passwords")
    # argparse would take a leading option of theirs for one of ours.
    theirs = words[1:] if words[:1] and words[0] in HAND_ON else []
    chosen = parser.parse_args(words[: len(words) - len(theirs)])
    if theirs:
        chosen.words = theirs
    try:
        return VERBS[chosen.verb](chosen)
    except StartProblem as problem:
        sys.stderr.write(f"\n{problem}\n\n")
        return 1


def add_database_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of prepare-database, shared with `manage.py prepare_database`."""
    parser.add_argument(
        "--admin-url", default=os.environ.get("DATABASE_ADMIN_URL"), help="URL of an administrator"
    )
    parser.add_argument("--database", default="aibos")
    parser.add_argument("--app-role", default="aibos_app")
    parser.add_argument("--owner-role", default="aibos_owner")
    parser.add_argument("--app-password", default=os.environ.get("DATABASE_APP_PASSWORD"))
    parser.add_argument("--owner-password", default=os.environ.get("DATABASE_OWNER_PASSWORD"))


def prepare_database(chosen: argparse.Namespace) -> int:
    """Prepare and print the two URLs as lines for `.env`."""
    if not chosen.admin_url:
        sys.stderr.write("Name the administrator's URL: --admin-url postgresql://postgres:…@host/postgres\n")
        return 2
    app, owner = roles.prepare(
        chosen.admin_url,
        database=chosen.database,
        app_role=chosen.app_role,
        owner_role=chosen.owner_role,
        app_password=chosen.app_password,
        owner_password=chosen.owner_password,
    )
    if not getattr(chosen, "quiet", False):
        sys.stdout.write(f"DATABASE_URL={app}\nDATABASE_OWNER_URL={owner}\n")
    return 0


def healthy(chosen: argparse.Namespace) -> int:
    """Ask the address and judge by its status."""
    try:
        with urllib.request.urlopen(chosen.url, timeout=4) as answer:  # noqa: S310 - the address is the caller's
            return 0 if answer.status < http.client.BAD_REQUEST else 1
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{chosen.url}: {error}\n")
        return 1


def become(chosen: argparse.Namespace) -> int:
    """Replace this process by one of the product's."""
    command = PROCESSES[chosen.name](chosen)
    os.chdir(ROOT)
    os.execv(command[0], command)


PROCESSES: dict[str, Callable[[argparse.Namespace], list[str]]] = {
    "web": lambda chosen: plan.web_command(options.read(), host=chosen.host, port=chosen.port),
    "live": lambda chosen: plan.live_command(host=chosen.host, port=chosen.port),
    "worker": lambda _: plan.worker_command(options.read()),
    "beat": lambda _: plan.beat_command(Path("/tmp/beat-schedule")),  # noqa: S108 - rebuilt at each start
    "sequencer": lambda _: plan.sequencer_command(),
    "front": lambda _: plan.front_command(options.read()),
}
HAND_ON = ("test", "chaos", "manage", "lock")  # whose words are another program's
VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": lambda _: running.run(),
    "healthy": healthy,
    "reset": lambda _: resetting.reset(places()),
    "check": lambda _: checking.check(),
    "test": lambda chosen: testing.test(chosen.words),
    "chaos": lambda chosen: testing.chaos(chosen.words),
    "manage": lambda chosen: managing.manage(chosen.words),
    "backup": lambda chosen: keeping.backup(chosen.file),
    "restore": lambda chosen: keeping.restore(chosen.file),
    "lock": lambda chosen: locking.lock(chosen.words),
    "process": become,
    "prepare-database": prepare_database,
}
