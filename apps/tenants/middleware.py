"""From host to tenant, and the scope in which pages run."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from threading import Lock

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.response import SimpleTemplateResponse
from django.urls import Resolver404, resolve
from django.utils.translation import gettext as _

from apps.core import context
from apps.core.db.here import here
from apps.core.db.owner import owner_session
from apps.core.scope import platform_scope, tenant_scope
from apps.tenants.queries import TenantSnapshot, tenant_by_host

FREE_PATHS = ("/healthz", "/readyz", "/diagz", "/static/", "/metrics")
OWN_SCOPE = ("/api/", "/.well-known/")
Handler = Callable[[HttpRequest], HttpResponse]


class HostCache:
    """Hosts of this process, asked of the database at most once a second.

    A scope's clock is exact, but reading it takes a statement; a host's tenant may lag behind by a second,
    and every door checks the tenant's state again inside its scope.
    """

    def __init__(self, seconds: float = 1.0) -> None:
        self._seconds = seconds
        self._seen: dict[str, tuple[float, TenantSnapshot | None]] = {}
        self._lock = Lock()

    def get(self, domain: str) -> TenantSnapshot | None:
        """Return the tenant of `domain`, or None."""
        now = time.monotonic()
        hit = self._seen.get(domain)
        if hit is not None and hit[0] > now:
            return hit[1]
        with platform_scope("host look-up"):
            found = tenant_by_host(domain)
        with self._lock:
            if len(self._seen) > 10_000:
                self._seen.clear()
            self._seen[domain] = (now + self._seconds, found)
        return found

    def clear(self) -> None:
        """Forget everything."""
        self._seen.clear()


hosts = HostCache()


def hostname(request: HttpRequest) -> str:
    """Return the request's host without port, in small letters."""
    host: str = request.META.get("HTTP_HOST") or request.META.get("SERVER_NAME", "")
    host = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    return host.strip("[]").rstrip(".").lower()


class TenantMiddleware:
    """Sets `request.tenant` (None on the platform's host) and the URLs that host serves."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request for its tenant; unknown hosts get 404, closed tenants 403 with the reason."""
        request.tenant = None  # type: ignore[attr-defined]
        if request.path_info.startswith(FREE_PATHS):
            return self.get_response(request)
        domain = hostname(request)
        platform = domain in settings.PLATFORM_HOSTS or domain in settings.EXTRA_PLATFORM_HOSTS
        if platform and settings.TENANCY_MODE == "multi":
            return self.get_response(request)
        tenant = hosts.get(domain)
        console = request.path_info.startswith("/console")
        if tenant is None or (platform and console):
            return self.get_response(request) if platform else self._unknown(request)
        request.tenant = tenant  # type: ignore[attr-defined]
        request.urlconf = "config.urls_tenant"  # type: ignore[attr-defined]
        if not tenant.serves and not request.path_info.startswith(OWN_SCOPE):
            return render(request, "errors/tenant_closed.html", {"tenant": tenant}, status=403)
        return self.get_response(request)

    def _unknown(self, request: HttpRequest) -> HttpResponse:
        message = _("No tenant is served at this address.")
        if request.path_info.startswith(OWN_SCOPE):
            body = {"error": message, "message": message, "code": "TENANT_NOT_FOUND"}
            body["requestId"] = context.request_id.get() or ""
            return JsonResponse(body, status=404)
        return render(request, "errors/no_tenant.html", {"message": message}, status=404)


class ScopeMiddleware:
    """Runs a page, with its session and its identity, in one transaction of its tenant (or of the platform).

    A page that fails is rolled back. A POST to a view marked `changes_schema` runs with the owner's login. The API opens its own scopes: most of its reads need no transaction.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Open the scope around everything further in."""
        if request.path_info.startswith(FREE_PATHS + OWN_SCOPE):
            return self.get_response(request)
        tenant: TenantSnapshot | None = request.tenant  # type: ignore[attr-defined]
        scope = tenant_scope(tenant.ref) if tenant else platform_scope("page of the platform")
        login = owner_session() if tenant and _changes_schema(request) else nullcontext()
        with login, scope:
            response = self.get_response(request)
            if response.status_code >= 500 and here().in_atomic_block:
                transaction.set_rollback(True)
            if isinstance(response, SimpleTemplateResponse) and not response.is_rendered:
                response.render()
        return response


def _changes_schema(request: HttpRequest) -> bool:
    """Tell whether the page asked for says of itself that it changes tables."""
    if request.method != "POST":
        return False
    try:
        view = resolve(request.path_info, getattr(request, "urlconf", None)).func
    except Resolver404:
        return False
    return bool(getattr(view, "changes_schema", False))
