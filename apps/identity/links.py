"""Links that are mailed: made of the tenant's own host as stored, never of what a request claims."""

from urllib.parse import quote

from django.conf import settings

from apps.core.scope import TenantRef
from apps.tenants.models import Host

CONSOLE = "/console"
INVITATION = "/invitation/"
RESET = "/reset/"
EMAIL = "/email/"


def link(tenant: TenantRef | None, path: str, token: str) -> str:
    """Return an absolute link to `path` + token on the tenant's primary host, or in the platform's console."""
    area = "" if tenant is not None else CONSOLE
    return f"{origin(tenant)}{area}{path}{quote(token, safe='.:-_')}"


def origin(tenant: TenantRef | None) -> str:
    """Return scheme, host and port of a tenant's pages."""
    scheme = getattr(settings, "PUBLIC_SCHEME", "http")
    port = int(getattr(settings, "PORT", 80))
    usual = {"http": 80, "https": 443}.get(scheme)
    suffix = "" if scheme == "https" or port == usual else f":{port}"
    return f"{scheme}://{_host(tenant)}{suffix}"


def _host(tenant: TenantRef | None) -> str:
    if tenant is not None:
        host = Host.objects.filter(tenant=tenant.id).order_by("-is_primary", "created_at").first()
        if host is not None:
            return str(host.domain)
    return str(settings.PLATFORM_HOSTS[0])
