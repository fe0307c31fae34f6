"""`python -m bench.api`: get, list, create and update beside the floor, DRF and DRF + django-tenants, in one run.

Needs wrk, and DATABASE_ADMIN_URL of a local PostgreSQL (make bench starts one). Options: --rows, --seconds,
--clients 1,16,64, --rounds, --postmaster PID. Every target is one granian WSGI worker with two threads.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench import fill
from bench.load import Shot, shoot
from bench.servers import in_database

ROOT = Path(__file__).resolve().parent.parent
BODY = {
    "name": "New",
    "company": "Company",
    "email": "new@example.com",
    "phone": "+49 30 1",
    "status": "fresh",
}
CREATE = "'" + json.dumps(BODY | {"score": 5, "expected_value": 12.5}) + "'"
UPDATE = "'{\"score\":' .. (n % 1000) .. '}'"
COLUMNS = "id name company email phone status score expected_value owner_id created_at updated_at"
GRAPHQL = "'" + json.dumps({
    "query": "query($s: String) { bench_lead_list(first: 25, where: {status: {eq: $s}}, orderBy: [{score: DESC}])"
    f" {{ nodes {{ {COLUMNS} }} pageInfo {{ hasNextPage }} }} }}",
    "variables": {"s": "open"},
}) + "'"  # fmt: skip
OPERATIONS = ("get", "list", "graphql", "create", "update")
OURS = {
    "graphql": "list"
}  # only AI-BOS answers these; the others' figures of that operation stand beside them


@dataclass
class Target:
    """A server under test, and how each operation is asked of it."""

    name: str
    port: int
    host: str
    env: dict[str, str]
    application: str
    prefix: str
    query: str
    token: str = ""
    ids: tuple[str, ...] = ()
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1"]
        command += [
            "--port",
            str(self.port),
            "--workers",
            "1",
            "--blocking-threads",
            "2",
            "--log-level",
            "error",
        ]
        log = (ROOT / "var" / f"bench-{self.name}.log").open("wb")
        self.process = subprocess.Popen(
            [*command, self.application],
            cwd=ROOT,
            env=os.environ | self.env,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        for _ in range(200):
            if self.process.poll() is not None:
                break
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=1)
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"{self.name} did not start; see var/bench-{self.name}.log")

    def call(self, operation: str) -> dict[str, str]:
        if operation == "list":
            return {"method": "GET", "path": f"{self.prefix}?{self.query}", "body": ""}
        if operation == "graphql":
            return {"method": "POST", "path": "/api/v1/graphql", "body": GRAPHQL}
        if operation == "create":
            return {"method": "POST", "path": self.prefix, "body": CREATE}
        method = "GET" if operation == "get" else "PATCH"
        return {"method": method, "path": f"{self.prefix}/ID", "body": UPDATE if method == "PATCH" else ""}


def sign_in(port: int) -> str:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1/auth/sign-in/email",
        json.dumps({"email": "owner@bench.test", "password": "correct horse battery"}).encode(),
        {"Content-Type": "application/json", "Host": "bench.localhost", "X-Forwarded-Proto": "https"},
    )
    return json.load(urllib.request.urlopen(request))["token"]


def ids(url: str, table: str) -> tuple[str, ...]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            f"SELECT id::text FROM {table} TABLESAMPLE BERNOULLI (5) LIMIT 500"
        ).fetchall()
    return tuple(row[0] for row in rows)


def targets(admin: str, rows: int) -> list[Target]:
    mine, theirs = fill.aibos(admin, rows), fill.peers(admin, rows)
    leads = ids(in_database(admin, "aibos_bench"), "t_bench.obj_bench_lead")
    plain, inside = (
        ids(theirs["BENCH_PEERS_URL"], "bench_lead"),
        ids(theirs["BENCH_PEERS_URL"], "bt.bench_lead"),
    )
    ask, wsgi = "status=open&ordering=-score&top=25", "bench.peers.wsgi:application"
    first = 26000 + os.getpid() % 1000 * 4  # below the ephemeral ports, and not another run's
    made = [
        Target("floor", first, "localhost", theirs | {"PEER": "floor"}, wsgi, "/leads", ask, ids=plain),
        Target("drf", first + 1, "localhost", theirs | {"PEER": "drf"}, wsgi, "/leads", ask, ids=plain),
        Target(
            "tenants",
            first + 2,
            "bench.localhost",
            theirs | {"PEER": "tenants"},
            wsgi,
            "/leads",
            ask,
            ids=inside,
        ),
        Target(
            "aibos",
            first + 3,
            "bench.localhost",
            mine | {"DJANGO_SETTINGS_MODULE": "bench.settings"},
            "config.wsgi:application",
            "/api/v1/data/bench_lead",
            "status=open&sort=-score&top=25",
            ids=leads,
        ),
    ]
    for target in made:
        target.start()
    import hashlib
    import hmac

    made[0].token = "Bearer " + hmac.new(b"bench" * 12, b"user-1", hashlib.sha256).hexdigest()
    made[1].token = "Token " + theirs["BENCH_TOKEN_DRF"]
    made[2].token = "Token " + theirs["BENCH_TOKEN_TENANTS"]
    made[3].token = "Bearer " + sign_in(made[3].port)
    return made


def postmaster(admin: str) -> int:
    with psycopg.connect(admin) as connection:
        folder = connection.execute("SHOW data_directory").fetchone()[0]
    return int((Path(folder) / "postmaster.pid").read_text().split()[0])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--seconds", type=float, default=5)
    options.add_argument("--clients", default="1,16,64")
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--operations", default=",".join(OPERATIONS))
    options.add_argument("--postmaster", type=int)
    given = options.parse_args()
    admin = os.environ["DATABASE_ADMIN_URL"]
    (ROOT / "var").mkdir(exist_ok=True)
    under_test = targets(admin, given.rows)
    database = given.postmaster or postmaster(admin)
    shots: dict[tuple[str, int, str], list[Shot]] = {}
    try:
        for _ in range(given.rounds):
            for operation in given.operations.split(","):
                for clients in map(int, given.clients.split(",")):
                    for target in under_test:
                        if operation in OURS and target.name != "aibos":
                            continue
                        shot = shoot(
                            base=f"http://127.0.0.1:{target.port}",
                            host=target.host,
                            token=target.token,
                            ids=list(target.ids),
                            clients=clients,
                            seconds=given.seconds,
                            server=target.process.pid,
                            database=database,
                            **target.call(operation),
                        )
                        shots.setdefault((operation, clients, target.name), []).append(shot)
    finally:
        for target in under_test:
            if target.process:
                os.killpg(target.process.pid, signal.SIGKILL)  # its workers outlive granian's own end
    report(shots)


def report(shots: dict[tuple[str, int, str], list[Shot]]) -> None:
    print(
        "operation clients target    req/s  p50 ms  p95 ms  cpu ms (server + database)  errors  × floor  DRF+tenants ×"
    )
    for (operation, clients, name), found in shots.items():
        cost = {
            other: statistics.median(s.server_ms + s.database_ms for s in theirs)
            for (op, many, other), theirs in shots.items()
            if (op, many) in {(operation, clients), (OURS.get(operation, operation), clients)}
            and (other != "aibos" or op == operation)
        }
        mid = {key: statistics.median(getattr(s, key) for s in found) for key in Shot.__dataclass_fields__}
        print(
            f"{operation:9} {clients:7} {name:9} {mid['rate']:6.0f} {mid['p50']:7.2f} {mid['p95']:7.2f}  "
            f"{mid['server_ms']:6.2f} + {mid['database_ms']:5.2f} {'':12} {sum(s.errors for s in found):6} "
            f"{cost[name] / cost['floor']:8.1f} {cost['tenants'] / cost[name]:9.1f}"
        )


if __name__ == "__main__":
    main()
