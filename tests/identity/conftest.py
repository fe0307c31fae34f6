"""Helpers of the identity tests: requests without a server, and a clean cache for every test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.http import HttpRequest
from django.test import RequestFactory

from apps.core.scope import TenantRef
from apps.identity import resolve, seen
from apps.identity.place import Place, scope_at
from apps.tenants import queries


@pytest.fixture(autouse=True)
def fresh_caches() -> Iterator[None]:
    """Counters and cached identities of one test must not reach the next."""
    cache.clear()
    resolve.cache.clear()
    seen.forget()
    yield
    cache.clear()
    resolve.cache.clear()


@pytest.fixture
def at() -> Callable[..., Place]:
    """A place: `at(tenant)` is its host, `at(None)` the platform's, `at(None, named=tenant)` with X-Tenant."""

    def make(tenant: TenantRef | None, **more: Any) -> Place:
        host = f"{tenant.slug}.localhost" if tenant else "localhost"
        return Place(**({"host": host, "tenant": tenant, "ip": "192.0.2.1", "user_agent": "pytest"} | more))

    return make


@pytest.fixture
def asking() -> Callable[..., HttpRequest]:
    """A request as TenantMiddleware hands it on: `asking(tenant, bearer=…, key=…, cookie=…, x_tenant=…)`."""

    def make(
        tenant: TenantRef | None,
        *,
        bearer: str | None = None,
        key: str | None = None,
        cookie: str | None = None,
        x_tenant: str | None = None,
    ) -> HttpRequest:
        headers = {
            "Authorization": f"Bearer {bearer}" if bearer else None,
            "x-api-key": key,
            "X-Tenant": x_tenant,
        }
        headers |= {"Host": f"{tenant.slug}.localhost" if tenant else "localhost"}
        request = RequestFactory().get("/api/v1/data", headers={k: v for k, v in headers.items() if v})
        if cookie:
            request.COOKIES["aibos_session"] = cookie
        request.tenant = None
        if tenant:
            with scope_at(tenant, "test"):
                request.tenant = queries.snapshot(tenant.id)
        return request

    return make
