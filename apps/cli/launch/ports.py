"""Free ports on this machine, remembered from one start to the next."""

import contextlib
import json
import random
import socket
from collections.abc import Iterator
from pathlib import Path

# Below the range from which systems hand out ports for outgoing connections (32768 on Linux).
LOWEST, HIGHEST = 15000, 32000


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server may listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return not answers(port, host)


def answers(port: int, host: str = "127.0.0.1", timeout: float = 0.2) -> bool:
    """Whether somebody accepts connections there (Linux lets two sockets share a port in some cases)."""
    try:
        socket.create_connection((host, port), timeout=timeout).close()
    except OSError:
        return False
    return True


def free_port(*, apart_from: frozenset[int] = frozenset()) -> int:
    """A random free port."""
    for _ in range(200):
        port = random.randint(LOWEST, HIGHEST)  # noqa: S311 - not a secret
        if port not in apart_from and is_free(port):
            return port
    msg = f"No free port was found between {LOWEST} and {HIGHEST}."
    raise OSError(msg)


def remembered(file: Path, names: list[str]) -> dict[str, int]:
    """A free port for each name: the one of the last start where it is still free, else a new one."""
    try:
        known = json.loads(file.read_text())
    except (OSError, ValueError):
        known = {}
    taken: set[int] = set()
    for name in names:
        port = known.get(name)
        if not isinstance(port, int) or port in taken or not is_free(port):
            known[name] = free_port(apart_from=frozenset(taken))
        taken.add(known[name])
    file.write_text(json.dumps(known, indent=1))
    return {name: known[name] for name in names}


def known(file: Path, name: str) -> int | None:
    """The remembered port of this name, taken or not."""
    try:
        port = json.loads(file.read_text()).get(name)
    except (OSError, ValueError):
        return None
    return port if isinstance(port, int) else None


def next_free(port: int) -> int:
    """The first free port above this one, for a suggestion."""
    return next((candidate for candidate in range(port + 1, port + 200) if is_free(candidate)), 0)


def holder(port: int) -> str:
    """` (name, process 12)` of the program that listens there, where the system tells us; else nothing."""
    inodes = _listening_inodes(port)
    for process in Path("/proc").glob("[0-9]*") if inodes else ():
        with contextlib.suppress(OSError):
            if not inodes.isdisjoint(_sockets(process)):
                return f" ({(process / 'comm').read_text().strip()}, process {process.name})"
    return ""


def _sockets(process: Path) -> Iterator[str]:
    for link in (process / "fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            name = str(link.readlink())
            if name.startswith("socket:["):
                yield name[8:-1]


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            columns = row.split()
            if columns[3] == "0A" and int(columns[1].rsplit(":", 1)[1], 16) == port:
                found.add(columns[9])
    return found
