"""What the system says of other processes, and the end of those that a killed launcher left."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

MARK = "AIBOS_LAUNCHED_FOR"  # in every child's environment: the var/ it belongs to


def program(pid: int) -> str | None:
    """The name of the program a process runs; None when it is gone or a zombie."""
    if Path("/proc/self/stat").exists():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return None
        name, state = fields[fields.index("(") + 1 : fields.rindex(")")], fields[fields.rindex(")") + 2]
        return None if state in "ZX" else name
    said = subprocess.run(
        ["/bin/ps", "-o", "comm=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return Path(said).name if said else None


def marked(var: Path) -> list[int]:
    """The processes whose environment says that they were launched for this folder."""
    mark = f"{MARK}={var}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark in environment and int(process.name) != os.getpid():
            found.append(int(process.name))
    return found


def sweep(var: Path) -> int:
    """End what an earlier, killed launcher of this folder left; return how many processes that were.

    They are known by the mark in their environment, so nothing else is ever touched.
    """
    found = marked(var)
    for force, seconds in ((False, 8.0), (True, 5.0)):
        left = [(pid, name) for pid in found if (name := program(pid))]
        for pid, name in left:
            polite = signal.SIGINT if name.startswith("postgres") else signal.SIGTERM
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL if force else polite)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and any(program(pid) for pid, _ in left):
            time.sleep(0.05)
    return len(found)
