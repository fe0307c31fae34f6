"""Settings that every profile shares."""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.utils.translation import gettext_lazy as _

from apps.console.theme import UNFOLD as UNFOLD
from config import environment

ENV = environment.read()
BASE_DIR = environment.ROOT


def database(url: str, *, owner: bool) -> dict[str, Any]:
    """Return Django's description of one login to one database."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    timeout = ENV["DATABASE_STATEMENT_TIMEOUT"]
    options: dict[str, Any] = {key: value for key, value in query.items() if key != "host"}
    startup = ["-c TimeZone=UTC"]  # so that Django sets nothing for the session
    if not owner and timeout:
        startup += [f"-c statement_timeout={timeout}s", "-c idle_in_transaction_session_timeout=60s"]
    options["options"] = " ".join(startup)
    return {
        "ENGINE": "apps.core.db",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.get("host") or parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 0 if owner else ENV["DATABASE_CONN_MAX_AGE"],
        "CONN_HEALTH_CHECKS": False,
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OWNER": owner,
        "OPTIONS": options,
    }


SECRET_KEY = ENV["SECRET_KEY"]
SECRET_KEY_FALLBACKS = ENV["SECRET_KEY_FALLBACKS"]
DEBUG = False
PLATFORM_HOSTS = ENV["PLATFORM_HOSTS"]
TENANT_DOMAIN = ENV["TENANT_DOMAIN"]
TENANCY_MODE = ENV["TENANCY_MODE"]
PORT = ENV["PORT"]
PUBLIC_SCHEME = ENV["PUBLIC_SCHEME"]
# Hosts are checked against the tenants' hosts by TenantMiddleware, which knows them; Django cannot.
ALLOWED_HOSTS = ["*"]
EXTRA_PLATFORM_HOSTS = ENV["ALLOWED_HOSTS"]

OURS = [
    "apps.core",
    "apps.audit",
    "apps.tenants",
    "apps.identity",
    "apps.events",
    "apps.permissions",
    "apps.objects",
    "apps.modules",
    "apps.api",
    "apps.portal",
    "apps.console",
    "apps.cli",
]
SHARED_APPS = [
    "django_tenants",
    *OURS,
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.guardian",
    "unfold.contrib.simple_history",
    "guardian",
    "simple_history",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "csp",
]
TENANT_APPS = ["apps.audit", "apps.permissions", "apps.objects", "apps.modules", "apps.portal"]
INSTALLED_APPS = SHARED_APPS
TENANT_MODEL = "tenants.Tenant"
TENANT_DOMAIN_MODEL = "tenants.Host"
TENANT_DB_DATABASE = "owner"
PUBLIC_SCHEMA_NAME = "public"
DATABASE_ROUTERS = ["apps.core.db.router.PlacementRouter", "django_tenants.routers.TenantSyncRouter"]

MIDDLEWARE = [
    "apps.core.http.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "apps.tenants.middleware.TenantMiddleware",
    "csp.middleware.CSPMiddleware",
    "apps.tenants.middleware.ScopeMiddleware",
    "apps.identity.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "apps.identity.middleware.IdentityMiddleware",
    "apps.portal.middleware.LocaleMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
# The API's doors open their own scopes and identify by themselves (config.lanes).
DOOR_MIDDLEWARE = [
    "apps.core.http.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "apps.core.http.DoorHeadersMiddleware",
    "apps.tenants.middleware.TenantMiddleware",
]
API_PAGES = ("/api/v1/docs", "/api/v1/graphiql")
ROOT_URLCONF = "config.urls_platform"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "apps.portal.context.portal",
            ]
        },
    }
]

DATABASES = {
    "default": database(ENV["DATABASE_URL"], owner=False),
    "owner": database(ENV["DATABASE_OWNER_URL"] or ENV["DATABASE_URL"], owner=True),
}
DATABASE_PREPARE = ENV["DATABASE_PREPARE"]
DATABASE_STATEMENT_TIMEOUT = ENV["DATABASE_STATEMENT_TIMEOUT"]
DATABASE_CONN_MAX_AGE = ENV["DATABASE_CONN_MAX_AGE"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "identity.User"
AUTHENTICATION_BACKENDS = [
    "apps.identity.backend.OperatorBackend",
    "guardian.backends.ObjectPermissionBackend",
]
GUARDIAN_MONKEY_PATCH_USER = False
ANONYMOUS_USER_NAME = None
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "apps.identity.passwords.LengthValidator"},
    {"NAME": "apps.identity.passwords.BreachedValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
]
SESSION_ENGINE = "apps.identity.session_store"
SESSION_COOKIE_NAME = "aibos_session"
SESSION_COOKIE_AGE = ENV["SESSION_DAYS"] * 86400
SESSION_IDLE_DAYS = ENV["SESSION_IDLE_DAYS"]
ACCESS_TOKEN_MINUTES = ENV["ACCESS_TOKEN_MINUTES"]
BREACHED_PASSWORDS = ENV["BREACHED_PASSWORDS"]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "aibos_csrf"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "apps.portal.views.errors.csrf_failure"
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"

LANGUAGE_CODE = "en"
LANGUAGES = [
    ("en", _("English")),
    ("de", _("German")),
    ("zh-hans", _("Chinese")),
    ("ja", _("Japanese")),
    ("ar", _("Arabic")),
]
TIME_ZONE = "UTC"
USE_I18N = True
FORMAT_MODULE_PATH = "config.formats"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "var" / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_MANIFEST_STRICT = False
MEDIA_ROOT = ENV["MEDIA_ROOT"]
EXPORT_ROOT = ENV["EXPORT_ROOT"]
MODULES_ROOT = ENV["MODULES_ROOT"]
DEMO_PASSWORD = ENV["DEMO_PASSWORD"]
DATA_UPLOAD_MAX_MEMORY_SIZE = ENV["MAX_BODY_BYTES"]
MAX_BODY_BYTES = ENV["MAX_BODY_BYTES"]
LEDGER_ORIGIN = ENV["LEDGER_ORIGIN"]
SIEM_URL = ENV["SIEM_URL"]
SIEM_FORMAT = ENV["SIEM_FORMAT"]
SIEM_CA = ENV["SIEM_CA"]
SIEM_PERSONAL = ENV["SIEM_PERSONAL"]
LEDGER_CHECKPOINT_SECONDS = ENV["LEDGER_CHECKPOINT_SECONDS"]
LEDGER_CHECKPOINT_ENTRIES = ENV["LEDGER_CHECKPOINT_ENTRIES"]
LEDGER_ANCHORS = ENV["LEDGER_ANCHORS"]
LEDGER_ANCHOR_ROOT = ENV["LEDGER_ANCHOR_ROOT"]
MAX_UPLOAD_BYTES = ENV["MAX_UPLOAD_BYTES"]
TENANT_GRACE_DAYS = ENV["TENANT_GRACE_DAYS"]
METRICS_TOKEN = ENV["METRICS_TOKEN"]
EVENTS_BUS = ENV["EVENTS_BUS"]
EVENTS_TOPIC = ENV["EVENTS_TOPIC"]
EVENTS_NATS_URL = ENV["EVENTS_NATS_URL"]
EVENTS_KAFKA_SERVERS = ENV["EVENTS_KAFKA_SERVERS"]
EVENTS_KAFKA_OPTIONS = ENV["EVENTS_KAFKA_OPTIONS"]
EVENTS_REPLICAS = ENV["EVENTS_REPLICAS"]
EVENTS_KEEP_DAYS = ENV["EVENTS_KEEP_DAYS"]
EGRESS_ALLOW = ENV["EGRESS_ALLOW"]
EGRESS_DENY = ENV["EGRESS_DENY"]
EGRESS_PORTS = ENV["EGRESS_PORTS"]
TRUSTED_PROXIES = ENV["TRUSTED_PROXIES"]
CORS_ORIGINS = ENV["CORS_ORIGINS"]
API_IDEMPOTENCY_REQUIRED = ENV["API_IDEMPOTENCY_REQUIRED"]
RATE_LIMIT_USER = ENV["RATE_LIMIT_USER"]
RATE_LIMIT_IP = ENV["RATE_LIMIT_IP"]


def cache(url: str) -> dict[str, Any]:
    """Return the cache: a shared server when there is one, else this process' memory."""
    if not url:
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    return {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": url,
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
    }


CACHES = {"default": cache(ENV["CACHE_URL"])}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {"hosts": [ENV["CHANNELS_URL"]]},
    }
    if ENV["CHANNELS_URL"]
    else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
}
CELERY_BROKER_URL = ENV["BROKER_URL"] or "memory://"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 2, "socket_connect_timeout": 2}

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "AI-BOS API",
    "OAS_VERSION": "3.1.0",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

_mail = urlsplit(ENV["EMAIL_URL"])
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if _mail.scheme == 'smtp' else 'console'}.EmailBackend"
EMAIL_HOST, EMAIL_PORT = _mail.hostname or "localhost", _mail.port or 25
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = unquote(_mail.username or ""), unquote(_mail.password or "")
EMAIL_USE_TLS = dict(parse_qsl(_mail.query)).get("tls") == "true"
DEFAULT_FROM_EMAIL = ENV["DEFAULT_FROM_EMAIL"]

LOG_LEVEL = ENV["LOG_LEVEL"]
LOG_FORMAT = ENV["LOG_FORMAT"] or "json"
LOGGING_CONFIG = "apps.core.logs.configure"
LOGGING = {"level": LOG_LEVEL, "format": LOG_FORMAT}
SILENCED_SYSTEM_CHECKS = ["admin.E408"]  # IdentityMiddleware sets request.user
