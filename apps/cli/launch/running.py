"""`make run`: from a fresh clone to a running product, and back to nothing at one Ctrl-C."""

import http.client
import os
import sys
import time

from apps.cli.launch import options, ports, surroundings, unchanged, welcome
from apps.cli.launch.children import Child
from apps.cli.launch.front import find_caddy, front_door
from apps.cli.launch.lock import Lock, Taken
from apps.cli.launch.options import Options
from apps.cli.launch.places import Places, places, tail
from apps.cli.launch.plan import product
from apps.cli.launch.problems import StartProblem
from apps.cli.launch.processes import MARK, sweep
from apps.cli.launch.supervisor import Stopping, Supervisor, say

WEB_SECONDS = 60
ERROR_SECONDS = 5
LOCK = "launcher.lock"
OWN_PORTS = ["postgres", "valkey", "web", "live"]


def run() -> int:
    """Start everything, print the table, look after it until asked to stop."""
    chosen, here = options.read(), places()
    supervisor = Supervisor()
    try:
        here.make()
        with Lock(here.run / LOCK):
            os.environ[MARK] = str(here.var)
            left = sweep(here.var)
            if left:
                say(f"ended {left} processes that an earlier start had left")
            supervisor.listen()
            try:
                start(supervisor, chosen, here)
                supervisor.look_until_asked()
            except Stopping:
                pass
            finally:
                say("stopping …")
                supervisor.stop()
            say("stopped")
    except Taken as taken:
        raise StartProblem("E202", pid=taken.pid) from taken
    return 0


def start(supervisor: Supervisor, chosen: Options, here: Places) -> None:
    """Bring up servers, database, web, front door and background, in this order."""
    began = time.monotonic()
    refuse_busy_port(chosen)
    own = ports.remembered(here.run / "ports.json", OWN_PORTS)
    embedded = start_servers(supervisor, chosen, here, own)
    prepare_data(chosen, here, embedded=embedded)
    children = product(chosen, here, web=own["web"], live=own["live"])
    supervisor.add(*(child for name, child in children.items() if name != "web"))
    live = open_doors(supervisor, chosen, here, children["web"], own)
    say(f"web ready after {time.monotonic() - began:.1f} s")
    for name, child in children.items():
        if name != "web":
            child.start()
    text = welcome.table(chosen.port, here.var / "demo.json", live=live)
    print(f"\n{text}\n\nLogs: {here.logs}   Stop: Ctrl-C\n", flush=True)


def start_servers(supervisor: Supervisor, chosen: Options, here: Places, own: dict[str, int]) -> bool:
    """Start the servers that the environment does not name; return whether the database is embedded."""
    surroundings.basics(here, chosen.port)
    found = surroundings.Surroundings()
    try:
        surroundings.database(here, own["postgres"], found)
        say("database ready")
        surroundings.broker_and_caches(here, own["valkey"], found)
        say("broker and cache ready")
    finally:
        for server in found.servers:
            supervisor.add(server)
    surroundings.remember(here)
    return found.embedded_database


def refuse_busy_port(chosen: Options) -> None:
    """Stop with E201 when PORT is taken, naming the holder and a free one."""
    if not ports.is_free(chosen.port, chosen.bind):
        raise StartProblem(
            "E201", port=chosen.port, holder=ports.holder(chosen.port), free=ports.next_free(chosen.port)
        )


def prepare_data(chosen: Options, here: Places, *, embedded: bool) -> None:
    """Migrate and make the demo data, unless this code has done so to this embedded database before."""
    wanted, mark = unchanged.fingerprint(), here.postgres / "prepared.json"
    if embedded and unchanged.is_prepared(mark, wanted):
        say("tables are up to date")
        return
    say("bringing the tables up to date …")
    manage(here, "migrate_all")
    if chosen.demo:
        say("making the demo tenants …")
        manage(here, "demo")
    if embedded:
        unchanged.remember(mark, wanted)


def manage(here: Places, *words: str) -> None:
    """Run one of Django's commands; its output goes to the log and, when it fails, to whoever watches."""
    log = here.logs / f"{words[0]}.log"
    child = Child(
        name=words[0], command=[sys.executable, "manage.py", *words], environment=dict(os.environ), log=log
    )
    log.unlink(missing_ok=True)
    child.start()
    try:
        code = child.process.wait() if child.process else 1
    except Stopping:
        child.stop()
        raise
    if code != 0:
        sys.stderr.write(tail(log, 25) + "\n")
        raise StartProblem("E231", command=f"manage.py {' '.join(words)}", code=code, log=log)


def open_doors(
    supervisor: Supervisor, chosen: Options, here: Places, web: Child, own: dict[str, int]
) -> bool:
    """Start the request servers and Caddy before them; without Caddy the servers take the port themselves."""
    program = find_caddy(chosen)
    if program:
        door = front_door(chosen, here, program=program, web=own["web"], live=own["live"])
        supervisor.add(web, door)
        web.start()
        door.start()
        if wait_answer(chosen.bind, chosen.port, door, WEB_SECONDS, web):
            return True
        if web.poll() is not None or door.poll() is None:
            raise StartProblem("E232", log=web.log, tail=tail(web.log))
        say(f"the front door did not start (see {door.log}); the request servers take port {chosen.port}")
        web.stop()
        supervisor.groups.pop()
    else:
        say(f"no Caddy here (set CADDY_BIN); the request servers take port {chosen.port}")
    place = web.command.index("--port") + 1
    web.command[place] = str(chosen.port)
    web.command[web.command.index("--host") + 1] = chosen.bind
    supervisor.add(web)
    web.start()
    if not wait_answer(chosen.bind, chosen.port, web, WEB_SECONDS, web):
        raise StartProblem("E232", log=web.log, tail=tail(web.log))
    return False


def wait_answer(bind: str, port: int, door: Child, seconds: float, web: Child) -> bool:
    """Wait for a sound answer through the door; False when time is up, a process ended, or errors persist."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)  # noqa: S104 - compared, not bound
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and door.poll() is None and web.poll() is None:
        status = asked(host, port)
        if status and status < http.client.INTERNAL_SERVER_ERROR:
            return True
        if status == http.client.INTERNAL_SERVER_ERROR:  # the product itself fails: that does not pass
            deadline = min(deadline, time.monotonic() + ERROR_SECONDS)
        time.sleep(0.1)
    return False


def asked(host: str, port: int) -> int | None:
    """The status that the product's health door answers with, or None without an answer."""
    connection = http.client.HTTPConnection(host, port, timeout=15)
    try:
        connection.request("GET", "/healthz", headers={"Host": f"localhost:{port}"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
