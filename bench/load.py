"""Load by wrk, and the CPU that servers and database spent on it, read from /proc."""

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Shot:
    """One measurement: requests, errors, latencies in ms, CPU ms per request of server and database."""

    requests: int
    errors: int
    rate: float
    p50: float
    p95: float
    server_ms: float
    database_ms: float


def tree(pid: int) -> list[int]:
    """Return a process and all below it."""
    found, waiting = [], [pid]
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    while waiting:
        here = waiting.pop()
        found.append(here)
        waiting += children.get(here, [])
    return found


def cpu(pid: int) -> float:
    """Return the seconds of CPU a process tree has used, ended children included."""
    total = 0
    for item in tree(pid):
        try:
            fields = Path(f"/proc/{item}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICK


SCRIPT = """
local ids = {{ {ids} }}
local n = 0
wrk.headers["Authorization"] = "{token}"
wrk.headers["Host"] = "{host}"
wrk.headers["Content-Type"] = "application/json"
request = function()
  n = n + 1
  return wrk.format("{method}", string.gsub("{path}", "ID", ids[(n % #ids) + 1] or ""), nil, {body})
end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("OUT %d %d %f %f %f\\n", summary.requests, e.status + e.connect + e.read + e.write + e.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(95) / 1000))
end
"""


def shoot(
    *,
    base: str,
    host: str,
    token: str,
    method: str,
    path: str,
    body: str,
    ids: list[str],
    clients: int,
    seconds: float,
    server: int,
    database: int,
) -> Shot:
    """Send one kind of request for `seconds` with `clients` connections and count what it cost."""
    text = SCRIPT.format(
        ids=", ".join(f'"{item}"' for item in ids),
        token=token,
        host=host,
        method=method,
        path=path.replace("%", "%%"),
        body=body or "nil",
    )
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(text)
        script.flush()
        before = cpu(server), cpu(database)
        command = [
            "wrk",
            "-t1",
            f"-c{clients}",
            f"-d{seconds:g}s",
            "--timeout",
            "10s",
            "-s",
            script.name,
            base,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        after = cpu(server), cpu(database)
    found = re.search(r"OUT (\d+) (\d+) ([\d.]+) ([\d.]+) ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    requests, errors = int(found[1]), int(found[2])
    spent = [(b - a) * 1000 / max(1, requests) for a, b in zip(before, after, strict=True)]
    return Shot(requests, errors, requests / float(found[3]), float(found[4]), float(found[5]), *spent)
