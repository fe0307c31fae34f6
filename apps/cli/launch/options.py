"""The launcher's own variables; those of the product itself are read by `config.environment`."""

import os
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from apps.cli.launch.places import ROOT

# name, type, default, meaning; shown in docs/reference/settings.md
VARIABLES: tuple[tuple[str, str, object, str], ...] = (
    (
        "AIBOS_VAR",
        "path",
        "var",
        "Folder of all data that `make run` makes: databases, secrets, logs, files.",
    ),
    ("AIBOS_VENV", "path", ".venv", "Folder of the Python environment that `make` makes."),
    (
        "BIND",
        "text",
        "127.0.0.1",
        "Address the front door of `make run` listens on; 0.0.0.0 opens it to others.",
    ),
    ("CADDY_BIN", "path", "", "Program of the front door; empty takes the one from the locked packages."),
    ("WEB_WORKERS", "number", 0, "Processes that serve requests; 0 is one per processor, at most four."),
    ("WEB_THREADS", "number", 2, "Requests each of these processes serves at once."),
    ("WORKER_PROCESSES", "number", 2, "Processes of the background worker."),
    ("DEMO", "flag", True, "Whether `make run` makes the demo tenants acme and globex."),
)


@dataclass(frozen=True)
class Options:
    """What the variables say."""

    port: int
    bind: str
    caddy: str
    web_workers: int
    web_threads: int
    worker_processes: int
    demo: bool


def read(environment: MutableMapping[str, str] = os.environ, file: Path | None = None) -> Options:
    """Read the options; a value in `.env` counts where the environment is silent, and is put there."""
    for key, value in dotenv_values(file or ROOT / ".env").items():
        if value is not None:
            environment.setdefault(key, value)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Options(
        port=_number(environment, "PORT", 8000),
        bind=environment.get("BIND") or "127.0.0.1",
        caddy=environment.get("CADDY_BIN") or "",
        web_workers=_number(environment, "WEB_WORKERS", 0) or min(4, cores),
        web_threads=_number(environment, "WEB_THREADS", 2),
        worker_processes=_number(environment, "WORKER_PROCESSES", 2),
        demo=(environment.get("DEMO") or "yes").lower() not in {"0", "no", "off", "false"},
    )


def _number(environment: MutableMapping[str, str], name: str, default: int) -> int:
    word = environment.get(name) or str(default)
    try:
        return int(word)
    except ValueError:
        msg = f"{name} must be a number, not {word!r}."
        raise SystemExit(msg) from None
