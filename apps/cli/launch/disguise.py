"""Under which user PostgreSQL runs: it refuses root, and must reach its programs and its data.

Three ways: as we are (an ordinary user), as another user (root, where that user reaches everything), or as
root in a user namespace of its own in which root is called `nobody` (root, in a private folder such as /root).
"""

import contextlib
import ctypes
import os
import pwd
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.cli.launch.problems import StartProblem

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
NOBODY = 65534


@dataclass(frozen=True)
class Disguise:
    """How to start a program: another user, and what the child does just before it becomes the program."""

    uid: int | None = None
    gid: int | None = None
    namespace: bool = False

    def arguments(self, *, dies_by: signal.Signals | None = None) -> dict[str, Any]:
        """Arguments for Popen; with `dies_by` the child gets that signal when its parent dies."""
        wanted: dict[str, Any] = {"preexec_fn": becoming(namespace=self.namespace, dies_by=dies_by)}
        if self.uid is not None:
            wanted |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return wanted

    def own(self, folder: Path) -> None:
        """Make a folder that only the server's user may enter."""
        folder.mkdir(parents=True, exist_ok=True)
        if self.uid is not None:
            os.chown(folder, self.uid, self.gid if self.gid is not None else -1)
        folder.chmod(0o700)


def becoming(*, namespace: bool, dies_by: signal.Signals | None) -> Callable[[], None] | None:
    """What a child does between fork and exec; None when there is nothing to do."""
    if sys.platform != "linux" or not (namespace or dies_by):
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def prepare() -> None:
        if namespace:
            if libc.unshare(CLONE_NEWUSER) != 0:
                raise OSError(ctypes.get_errno(), "unshare")
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{NOBODY} 0 1")
            Path("/proc/self/gid_map").write_text(f"{NOBODY} 0 1")
        if dies_by:
            libc.prctl(PR_SET_PDEATHSIG, int(dies_by))

    return prepare


def choose(programs: Path, data: Path) -> Disguise:
    """The disguise for these programs and this data folder (which may not exist yet)."""
    owner = data.stat().st_uid if data.exists() else None
    me = os.geteuid()
    if me != 0:
        if owner not in (None, me):
            raise StartProblem("E215", folder=data, owner=_name(owner or 0), me=_name(me))
        return Disguise()
    if owner not in (None, 0):
        entry = pwd.getpwuid(owner or 0)
        if reaches(entry.pw_uid, entry.pw_gid, programs, data.parent):
            return Disguise(entry.pw_uid, entry.pw_gid)
        raise StartProblem("E214", user=entry.pw_name, folders=f"{programs} and {data.parent}")
    with contextlib.suppress(KeyError):
        nobody = pwd.getpwnam("nobody")
        if owner is None and reaches(nobody.pw_uid, nobody.pw_gid, programs, data.parent):
            return Disguise(nobody.pw_uid, nobody.pw_gid)
    if namespaces_work():
        return Disguise(namespace=True)
    raise StartProblem("E214", user="nobody", folders=f"{programs} and {data.parent}")


def reaches(uid: int, gid: int, programs: Path, folder: Path) -> bool:
    """Whether that user may run the programs and pass through to the folder."""

    def become() -> None:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)

    return _tried(
        become,
        lambda: os.access(programs / "postgres", os.X_OK) and os.access(folder, os.X_OK),
    )


def namespaces_work() -> bool:
    """Whether this system lets root make a user namespace (many containers do not)."""
    prepare = becoming(namespace=True, dies_by=None)
    return prepare is not None and _tried(prepare, lambda: os.geteuid() == NOBODY)


def _tried(change: Callable[[], object], question: Callable[[], bool]) -> bool:
    """Ask a question in a child that has changed itself first."""
    child = os.fork()
    if child == 0:
        answer = 1
        with contextlib.suppress(OSError):
            change()
            answer = 0 if question() else 1
        os._exit(answer)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
