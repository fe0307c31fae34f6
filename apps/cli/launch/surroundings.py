"""The servers the product needs: those the environment names, and embedded ones for the rest."""

import json
import os
import socket
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import psycopg

from apps.cli.launch.children import Child
from apps.cli.launch.passwords import secret
from apps.cli.launch.places import ROOT, Places
from apps.cli.launch.postgres import Server
from apps.cli.launch.problems import StartProblem
from apps.cli.launch.roles import prepare
from apps.cli.launch.valkey import Valkey

DATABASE = "aibos"
HANDED_ON = (
    *("DJANGO_SETTINGS_MODULE", "SECRET_KEY", "MEDIA_ROOT", "EXPORT_ROOT", "PORT", "AIBOS_VAR"),
    "LEDGER_ANCHOR_ROOT",
    *("DATABASE_URL", "DATABASE_OWNER_URL", "BROKER_URL", "CHANNELS_URL", "CACHE_URL"),
)
DEFAULT_PORTS = {"amqp": 5672, "amqps": 5671, "redis": 6379, "rediss": 6379}


@dataclass
class Surroundings:
    """The embedded servers that run (in starting order) and which database it is, for "what is unchanged"."""

    servers: list[Child] = field(default_factory=list)
    embedded_database: bool = False


def basics(places: Places, port: int) -> None:
    """Set what the product's own processes need besides servers, where the environment is silent."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
    os.environ.setdefault("SECRET_KEY", secret(places.secrets, "secret-key"))
    os.environ.setdefault("MEDIA_ROOT", str(places.var / "files"))
    os.environ.setdefault("EXPORT_ROOT", str(places.var / "exports"))
    os.environ.setdefault("LEDGER_ANCHOR_ROOT", str(places.var / "anchors"))
    (ROOT / "var" / "static").mkdir(
        parents=True, exist_ok=True
    )  # where collected files go; its absence is warned of
    os.environ["PORT"] = str(port)
    os.environ["AIBOS_VAR"] = str(places.var)


def database(places: Places, port: int, found: Surroundings) -> None:
    """Use DATABASE_URL when set; else start the embedded server. Sets both URLs."""
    if os.environ.get("DATABASE_URL"):
        if not os.environ.get("DATABASE_OWNER_URL"):
            raise StartProblem("E222")
        for name in ("DATABASE_URL", "DATABASE_OWNER_URL"):
            reach_database(name, os.environ[name])
        return
    server = Server(places.postgres, port, places)
    child = server.child()
    found.servers.append(child)  # before the start, so that a failing start is stopped too
    found.embedded_database = True
    server.start(child)
    os.environ["DATABASE_URL"], os.environ["DATABASE_OWNER_URL"] = prepare(
        server.admin_url(),
        database=DATABASE,
        app_password=secret(places.secrets, "database-app-password"),
        owner_password=secret(places.secrets, "database-owner-password"),
    )


def reach_database(name: str, url: str) -> None:
    """Stop with E221 when the database does not let us in."""
    try:
        psycopg.connect(url, connect_timeout=8).close()
    except (psycopg.Error, ValueError) as error:
        reason = " ".join(str(error).split())
        raise StartProblem("E221", address=without_password(url), reason=reason, name=name) from error


def broker_and_caches(places: Places, port: int, found: Surroundings) -> None:
    """Use BROKER_URL, CHANNELS_URL and CACHE_URL where set; an embedded Valkey serves the others."""
    names = ("BROKER_URL", "CHANNELS_URL", "CACHE_URL")
    for name in names:
        if os.environ.get(name):
            reach_server(name, os.environ[name])
    if all(os.environ.get(name) for name in names):
        return
    valkey = Valkey(port, places)
    child = valkey.child()
    found.servers.append(child)
    valkey.start(child)
    for number, name in enumerate(names):
        if not os.environ.get(name):
            os.environ[name] = valkey.url(number)


def reach_server(name: str, url: str) -> None:
    """Stop with E223 when nothing listens at the URL's address; sockets and memory URLs pass."""
    parts = urlsplit(url)
    port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    if not parts.hostname or not port:
        return
    try:
        socket.create_connection((parts.hostname, port), timeout=5).close()
    except OSError as error:
        raise StartProblem("E223", address=without_password(url), reason=error, name=name) from error


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    parts = urlsplit(url)
    address = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    return f"{parts.scheme}://{address}{parts.path}"


def remember(places: Places) -> None:
    """Keep the variables (0600) so that `manage` can reach the running product."""
    file = places.secrets / "environment.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({name: os.environ[name] for name in HANDED_ON if name in os.environ}))


def recall(places: Places) -> None:
    """Take the variables of the running product, where the environment is silent."""
    for name, value in json.loads((places.secrets / "environment.json").read_text()).items():
        os.environ.setdefault(name, value)
