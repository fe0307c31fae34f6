"""Where the launcher keeps things: everything below one folder, `var/` unless AIBOS_VAR names another."""

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from apps.cli.launch.problems import StartProblem

ROOT = Path(__file__).resolve().parents[3]
LEAST_FREE_MB = 300


@dataclass(frozen=True)
class Places:
    """The folders of one installation."""

    var: Path

    @property
    def postgres(self) -> Path:
        """Data of the embedded database."""
        return self.var / "postgres"

    @property
    def valkey(self) -> Path:
        """Data of the embedded broker and cache."""
        return self.var / "valkey"

    @property
    def secrets(self) -> Path:
        """Generated passwords and keys, readable by their user alone."""
        return self.var / "secrets"

    @property
    def logs(self) -> Path:
        """One file per process."""
        return self.var / "log"

    @property
    def run(self) -> Path:
        """Ports, locks and generated configuration."""
        return self.var / "run"

    def make(self) -> None:
        """Make the folders, private; stop when that is impossible or the disk is nearly full."""
        os.umask(0o077)  # for all that this process and its children write from here on
        try:
            for folder in (self.var, self.logs, self.run, self.secrets):
                folder.mkdir(parents=True, exist_ok=True)
            # Others may pass through to the database's folder, which is its own user's, and see nothing else.
            self.var.chmod(0o711)
            for folder in (self.logs, self.run, self.secrets):
                folder.chmod(0o700)
            probe = self.run / "writable"
            probe.write_text("yes")
            probe.unlink()
        except OSError as error:
            raise StartProblem("E204", folder=self.var, reason=error.strerror) from error
        free = shutil.disk_usage(self.var).free // 10**6
        if free < LEAST_FREE_MB:
            raise StartProblem("E203", free=free, folder=self.var, need=LEAST_FREE_MB)


def places() -> Places:
    """The places of this installation."""
    return Places(Path(os.environ.get("AIBOS_VAR") or ROOT / "var").resolve())


def tail(log: Path, lines: int = 12) -> str:
    """The last lines of a log, or a word that there are none."""
    with contextlib.suppress(OSError):
        return "\n".join("    " + line for line in log.read_text(errors="replace").splitlines()[-lines:])
    return "    (no log)"
