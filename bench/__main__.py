"""`make bench`: `python -m bench [api|provision|ledger|jobs|proofs|outbox] [options]` beside a database server of its own."""

import os
import runpy
import sys

from apps.cli.launch.places import places
from apps.cli.launch.testing import test_server

PROGRAMS = ("api", "provision", "ledger", "jobs", "proofs", "outbox")


def main() -> None:
    words = sys.argv[1:]
    name = words.pop(0) if words and words[0] in PROGRAMS else "api"
    sys.argv = [f"bench.{name}", *words]
    if os.environ.get("DATABASE_ADMIN_URL"):
        runpy.run_module(f"bench.{name}", run_name="__main__")
        return
    with test_server(places()) as url:
        os.environ["DATABASE_ADMIN_URL"] = url
        runpy.run_module(f"bench.{name}", run_name="__main__")


main()
