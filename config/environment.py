"""Every environment variable AI-BOS reads, declared in one place; `settings` reads them from here only."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from environs import Env

from apps.core.declared import declare

ROOT = Path(__file__).resolve().parent.parent
PROOF = "tests/core/test_environment.py::test_every_setting_reaches_django"


@dataclass(frozen=True)
class Variable:
    """One environment variable: its type, default and meaning."""

    name: str
    type: str
    default: Any
    doc: str
    secret: bool = False


VARIABLES: tuple[Variable, ...] = (
    Variable("SECRET_KEY", "text", "", "Key of signatures. Required in production.", secret=True),
    Variable("ALLOWED_HOSTS", "list", [], "Hosts of the console and the API besides the tenants' own."),
    Variable(
        "PLATFORM_HOSTS", "list", ["localhost", "127.0.0.1"], "Hosts that serve the console, not a tenant."
    ),
    Variable("TENANT_DOMAIN", "text", "localhost", "Tenants get `<slug>.<this domain>` as their first host."),
    Variable("TENANCY_MODE", "text", "multi", "`multi`, or `single`: every host is the one tenant's."),
    Variable("PORT", "number", 8000, "Port of the front door; also used in printed and mailed links."),
    Variable("PUBLIC_SCHEME", "text", "http", "Scheme of links in mails: `http` or `https`."),
    Variable("DATABASE_URL", "url", "", "PostgreSQL for the application's login: owns nothing.", secret=True),
    Variable("DATABASE_OWNER_URL", "url", "", "The same database for the owner's login: DDL.", secret=True),
    Variable("DATABASE_CONN_MAX_AGE", "number", 300, "Seconds a connection is kept; it grows with tenants."),
    Variable("DATABASE_PREPARE", "flag", True, "Prepared statements; off behind PgBouncer before 1.21."),
    Variable(
        "DATABASE_STATEMENT_TIMEOUT", "number", 30, "Seconds after which a statement is ended; 0 is never."
    ),
    Variable("BROKER_URL", "url", "", "Celery's broker; empty uses the embedded Valkey.", secret=True),
    Variable(
        "CACHE_URL", "url", "", "Redis or Valkey for caches and limits; empty is per process.", secret=True
    ),
    Variable("CHANNELS_URL", "url", "", "Redis or Valkey for live pages; empty is per process.", secret=True),
    Variable(
        "MEDIA_ROOT", "path", str(ROOT / "var" / "files"), "Folder of uploaded files, one below per tenant."
    ),
    Variable("EXPORT_ROOT", "path", str(ROOT / "var" / "exports"), "Folder of tenants' archives."),
    Variable(
        "DEMO_PASSWORD",
        "text",
        "",
        "Password of the demo logins; empty makes one per installation.",
        secret=True,
    ),
    Variable("MODULES_ROOT", "path", str(ROOT / "modules"), "Folder with the modules that can be installed."),
    Variable(
        "EMAIL_URL", "url", "console:", "`console:`, `smtp://user:pass@host:587?tls=true`.", secret=True
    ),
    Variable("DEFAULT_FROM_EMAIL", "text", "AI-BOS <no-reply@localhost>", "Sender of mails."),
    Variable("LOG_LEVEL", "text", "INFO", "Least severe level that is logged."),
    Variable("LOG_FORMAT", "text", "", "`json` or `console`; empty is json in production."),
    Variable("CORS_ORIGINS", "list", [], "Origins of other sites whose pages may call the API."),
    Variable(
        "TRUSTED_PROXIES", "list", ["127.0.0.1", "::1"], "Addresses whose forwarded headers are believed."
    ),
    Variable("RATE_LIMIT_USER", "text", "1200/m", "Requests a credential may make in a minute."),
    Variable("RATE_LIMIT_IP", "text", "2400/m", "Requests an address may make in a minute."),
    Variable(
        "API_IDEMPOTENCY_REQUIRED",
        "list",
        [],
        "Areas of the API whose POST and PATCH need an `Idempotency-Key` (`data,batch`); `*` is all of them.",
    ),
    Variable("MAX_BODY_BYTES", "number", 10_485_760, "Largest body of a request, files aside."),
    Variable("MAX_UPLOAD_BYTES", "number", 52_428_800, "Largest uploaded file."),
    Variable("SECRET_KEY_FALLBACKS", "list", [], "Older keys whose signatures still count.", secret=True),
    Variable("SESSION_DAYS", "number", 7, "Days after which a session ends."),
    Variable("SESSION_IDLE_DAYS", "number", 3, "Days without use after which a session ends."),
    Variable("ACCESS_TOKEN_MINUTES", "number", 15, "Minutes for which an access token (JWT) is valid."),
    Variable("BREACHED_PASSWORDS", "path", "", "A file of leaked passwords that are refused, plain or .gz."),
    Variable(
        "TENANT_GRACE_DAYS", "number", 30, "Days between a tenant's deletion and the removal of its data."
    ),
    Variable(
        "EGRESS_ALLOW",
        "list",
        [],
        "Networks and host names inside your own walls that webhooks and other outgoing calls may reach.",
    ),
    Variable("EGRESS_DENY", "list", [], "Networks and host names that outgoing calls may never reach."),
    Variable("EGRESS_PORTS", "list", ["443", "8443"], "Ports of the internet that outgoing calls may reach."),
    Variable("EVENTS_BUS", "text", "postgresql", "What carries events: `postgresql`, `nats` or `kafka`."),
    Variable("EVENTS_TOPIC", "text", "aibos.events", "Name of the stream or topic on NATS or Kafka."),
    Variable(
        "EVENTS_NATS_URL", "text", "nats://127.0.0.1:4222", "Servers of NATS, with commas.", secret=True
    ),
    Variable("EVENTS_KAFKA_SERVERS", "text", "127.0.0.1:9092", "Brokers of Kafka, with commas."),
    Variable(
        "EVENTS_KAFKA_OPTIONS",
        "list",
        [],
        "More options of librdkafka: `security.protocol=SASL_SSL,sasl.username=…`.",
        secret=True,
    ),
    Variable("EVENTS_REPLICAS", "number", 1, "Copies that NATS or Kafka keeps of a stream it makes."),
    Variable("EVENTS_KEEP_DAYS", "number", 7, "Days for which the log keeps events that everybody has read."),
    Variable("METRICS_TOKEN", "text", "", "Token that `/metrics` asks for; empty turns it off.", secret=True),
    Variable(
        "LEDGER_ORIGIN", "text", "aibos", "Name under which new ledgers are signed; before the ledger's id."
    ),
    Variable(
        "LEDGER_CHECKPOINT_SECONDS", "number", 10, "Seconds an entry may wait for its signed checkpoint."
    ),
    Variable(
        "LEDGER_CHECKPOINT_ENTRIES", "number", 10_000, "Entries after which a checkpoint is signed at once."
    ),
    Variable(
        "SIEM_URL",
        "text",
        "",
        "Where ledgers are copied to: `syslog+udp|tcp|tls://host:port`, `tcp|tls://host:port`, `file:///path`.",
    ),
    Variable("SIEM_FORMAT", "text", "json", "How an entry is written there: `json`, `cef` or `rfc5424`."),
    Variable("SIEM_CA", "text", "", "File with the certificates that a `tls` receiver is trusted by."),
    Variable(
        "SIEM_PERSONAL", "flag", False, "Send names and addresses too; out there they cannot be erased."
    ),
    Variable(
        "LEDGER_ANCHORS",
        "list",
        ["file"],
        "Places told every checkpoint: `file`, `file:/path`, `git:/path#remote`, `s3://bucket/prefix?days=3650`.",
    ),
    Variable(
        "LEDGER_ANCHOR_ROOT", "path", str(ROOT / "var" / "anchors"), "Folder of the anchor called `file`."
    ),
)


def _told(variable: Variable) -> Any:
    """Return the default as documents show it: a folder of this repository without where that lies."""
    here = variable.type == "path" and variable.default
    return Path(variable.default).relative_to(ROOT).as_posix() if here else variable.default


for _variable in VARIABLES:
    declare(
        kind="setting",
        key=_variable.name,
        doc=_variable.doc,
        enforced_by="config.environment:read",
        tested_by=PROOF,
        type=_variable.type,
        default=_told(_variable),
        secret=_variable.secret,
    )


def read(source: Path | None = None) -> dict[str, Any]:
    """Return every variable by name, from the environment and, below it, an `.env` file."""
    env = Env()
    path = source or ROOT / ".env"
    if path.exists():
        env.read_env(str(path), recurse=False)
    readers: dict[str, Callable[..., Any]] = {"number": env.int, "flag": env.bool, "list": env.list}
    return {item.name: readers.get(item.type, env.str)(item.name, item.default) for item in VARIABLES}
