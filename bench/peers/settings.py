"""Settings of the peers: PEER is floor, drf or tenants; BENCH_PEERS_URL their database."""

import os
from urllib.parse import parse_qs, unquote, urlsplit

PEER = os.environ["PEER"]
url = urlsplit(os.environ["BENCH_PEERS_URL"])
SECRET_KEY = "bench" * 12
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
ROOT_URLCONF = f"bench.peers.{PEER}"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
MIDDLEWARE: list[str] = []
tenants = PEER == "tenants"
DATABASES = {
    "default": {
        "ENGINE": "django_tenants.postgresql_backend" if tenants else "django.db.backends.postgresql",
        "NAME": url.path[1:],
        "USER": url.username,
        "PASSWORD": unquote(url.password or ""),
        "HOST": parse_qs(url.query).get("host", [url.hostname])[0],
        "PORT": url.port or parse_qs(url.query).get("port", [""])[0],
        "CONN_MAX_AGE": None,
        "OPTIONS": {"options": "-c TimeZone=UTC"},
    }
}
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "rest_framework",
    "rest_framework.authtoken",
    "bench.peers.leads",
]
if tenants:
    INSTALLED_APPS = ["django_tenants", *INSTALLED_APPS, "bench.peers.customers"]
    SHARED_APPS = INSTALLED_APPS
    TENANT_APPS = ["django.contrib.auth", "rest_framework.authtoken", "bench.peers.leads"]
    TENANT_MODEL = "customers.Customer"
    TENANT_DOMAIN_MODEL = "customers.Domain"
    DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
    MIDDLEWARE = ["django_tenants.middleware.main.TenantMainMiddleware"]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
}
