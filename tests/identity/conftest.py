"""Helpers of the identity tests: requests without a server, and a clean cache for every test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connections
from django.http import HttpRequest
from django.test import RequestFactory

from apps.core.scope import TenantRef, platform_scope
from apps.identity import resolve, seen
from apps.identity.models import User
from apps.identity.place import Place, scope_at
from apps.tenants import queries
from tests.people import People


@pytest.fixture(autouse=True)
def nothing_stays(people: People) -> Iterator[None]:
    """Counters, cached identities and people of one test must not reach the next."""
    cache.clear()
    resolve.cache.clear()
    seen.forget()
    with platform_scope("people before the test"):
        known = set(User.objects.values_list("pk", flat=True))
    yield
    for connection in connections.all():
        connection.scopes = []
        if connection.in_atomic_block:
            connection.close()
    with platform_scope("people of the test leave"):
        User.objects.exclude(pk__in=known).delete()
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
