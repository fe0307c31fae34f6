"""The product's own processes: which there are and how each is started, also by the container image."""

import os
import signal
import sys
from pathlib import Path

from apps.cli.launch.children import Child
from apps.cli.launch.front import find_caddy
from apps.cli.launch.options import Options
from apps.cli.launch.places import ROOT, Places


def web_command(options: Options, *, host: str, port: int) -> list[str]:
    """Requests: WSGI, because a page costs a fraction there of what it costs under ASGI."""
    return [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--host", host, "--port", str(port)),
        *("--workers", str(options.web_workers), "--blocking-threads", str(options.web_threads)),
        *("--backlog", "1024", "--workers-kill-timeout", "10", "--respawn-failed-workers", "--no-ws"),
        "config.wsgi:application",
    ]


def live_command(*, host: str, port: int) -> list[str]:
    """Sockets and streams: ASGI; Django has no lifespan, hence `asginl`."""
    return [
        *(sys.executable, "-m", "granian", "--interface", "asginl", "--host", host, "--port", str(port)),
        *("--workers", "1", "--workers-kill-timeout", "2", "--respawn-failed-workers"),
        "config.asgi:application",
    ]


def worker_command(options: Options) -> list[str]:
    """Background work."""
    return [
        *(sys.executable, "-m", "celery", "-A", "config.celery:app", "worker", "--loglevel", "INFO"),
        *("--concurrency", str(options.worker_processes), "--without-gossip", "--without-mingle"),
    ]


def beat_command(schedule: Path) -> list[str]:
    """The clock that rings for due work; one in an installation."""
    return [
        *(sys.executable, "-m", "celery", "-A", "config.celery:app", "beat", "--loglevel", "INFO"),
        *("--schedule", str(schedule), "--pidfile", ""),
    ]


def sequencer_command() -> list[str]:
    """Links the ledger's pending entries into their chains; one at work, others wait."""
    return [sys.executable, "manage.py", "sequencer"]


def front_command(options: Options) -> list[str]:
    """The front door of a served installation, on the ports of HTTP and HTTPS."""
    program = find_caddy(options) or "caddy"
    return [program, "run", "--adapter", "caddyfile", "--config", str(ROOT / "docker" / "Caddyfile")]


def product(options: Options, places: Places, *, web: int, live: int) -> dict[str, Child]:
    """Every process of the product on one machine, by name; `web` is the first to start."""
    commands = {
        "web": web_command(options, host="127.0.0.1", port=web),
        "live": live_command(host="127.0.0.1", port=live),
        "worker": worker_command(options),
        "beat": beat_command(places.run / "beat-schedule"),
        "sequencer": sequencer_command(),
    }
    return {
        name: Child(
            name=name,
            command=command,
            environment=dict(os.environ),
            log=places.logs / f"{name}.log",
            stop_signal=signal.SIGTERM,
            stop_seconds=15 if name == "worker" else 12,
        )
        for name, command in commands.items()
    }
