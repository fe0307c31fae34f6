"""One holder at a time: a lock that goes with its process, however it ends."""

import fcntl
import os
from pathlib import Path
from typing import IO, Self


class Taken(Exception):
    """Somebody else holds the lock; `pid` says who, as far as known."""

    def __init__(self, pid: str) -> None:
        super().__init__(pid)
        self.pid = pid


class Lock:
    """`with Lock(path):` holds it, or raises Taken at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.handle: IO[str] | None = None

    def __enter__(self) -> Self:
        self.handle = self.path.open("a+")
        try:
            fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.handle.seek(0)
            pid = self.handle.read().strip() or "?"
            self.handle.close()
            raise Taken(pid) from None
        self.handle.truncate(0)
        self.handle.write(str(os.getpid()))
        self.handle.flush()
        return self

    def __exit__(self, *_: object) -> None:
        if self.handle:
            self.handle.close()
