"""Settings of a served installation: HTTPS only, `__Host-` cookies, no default secrets."""

from django.core.exceptions import ImproperlyConfigured

from config.settings.base import *
from config.settings.base import ENV

for _name in ("SECRET_KEY", "DATABASE_URL", "DATABASE_OWNER_URL"):
    if not ENV[_name]:
        raise ImproperlyConfigured(f"{_name} must be set in production; see .env.example.")

SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^healthz/host$", r"^readyz$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-aibos_session"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-aibos_csrf"
