"""Callers of the API: one per way to prove who one is."""

import json
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from django.test import Client
from django.urls import clear_url_caches

from apps.core.scope import TenantRef, tenant_scope


@dataclass
class Caller:
    """Speaks JSON to the API as somebody; `headers` are WSGI names."""

    client: Client
    headers: dict[str, str]

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send one request; `body` is encoded unless it is bytes already."""
        raw = body if isinstance(body, bytes) else (b"" if body is None else json.dumps(body).encode())
        kind = {"content_type": "application/json"} if raw else {}
        return self.client.generic(method, path, raw, **kind, **(self.headers | headers))

    def get(self, path: str, **headers: str) -> Any:
        return self.send("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("POST", path, body, **headers)


def caller(tenant: str | None = None, key: str | None = None, **headers: str) -> Caller:
    """Return a caller at a tenant's host (or the platform's) with a key (or without)."""
    made = {"HTTP_HOST": f"{tenant}.localhost" if tenant else "localhost", **headers}
    if key:
        made["HTTP_X_API_KEY"] = key
    return Caller(Client(enforce_csrf_checks=True, raise_request_exception=False), made)


def make_key(ref: TenantRef, actor: Any, scopes: tuple[str, ...] = ("*",)) -> str:
    """Return a new API key of a member."""
    from apps.identity.services.keys import create_key

    with tenant_scope(ref):
        return create_key(name="test", by=actor, scopes=scopes).key


@contextmanager
def environment(**values: str) -> Any:
    """Set environment variables for the block; servers started in it inherit them."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


@pytest.fixture(scope="session")
def keys(people: Any) -> dict[str, str]:
    """API keys by `<name>@<tenant>`: members of both tenants with different rights."""
    return {
        f"{name}@{slug}": make_key(ref, people.actor(name, slug))
        for slug, ref in people.tenants.items()
        for name in ("owner", "sales", "reader")
    }


@pytest.fixture
def owner(keys: dict[str, str], acme: TenantRef) -> Caller:
    """The owner of acme at acme's host."""
    return caller("acme", keys["owner@acme"])


@pytest.fixture
def sales(keys: dict[str, str], acme: TenantRef) -> Caller:
    """A member of acme with few rights."""
    return caller("acme", keys["sales@acme"])


@pytest.fixture
def stranger(keys: dict[str, str], acme: TenantRef) -> Caller:
    """The owner of globex at acme's host."""
    return caller("acme", keys["owner@globex"])


@pytest.fixture
def nobody(acme: TenantRef) -> Caller:
    """Somebody without a credential at acme's host."""
    return caller("acme")


@pytest.fixture
def serving(monkeypatch: Any) -> Any:
    """Make every host serve the doors of a test: `with serving(urlpatterns): …`."""

    @contextmanager
    def serve(urlpatterns: list[Any]) -> Any:
        with monkeypatch.context() as patch:
            for name in ("config.urls_tenant", "config.urls_platform"):
                module = ModuleType(name)
                module.urlpatterns = urlpatterns
                patch.setitem(sys.modules, name, module)
            clear_url_caches()
            yield
        clear_url_caches()

    return serve


@pytest.fixture(scope="session")
def objects(people: Any) -> None:
    """The objects of `tests.api.objects` in both tenants; sales holds the set api_sales."""
    from apps.core.actor import SYSTEM
    from apps.objects.parse import load_yaml
    from apps.objects.publish import publish_in
    from apps.permissions.services import assign
    from tests.api.objects import ALL

    for slug, ref in people.tenants.items():
        publish_in(ref, [load_yaml(text) for text in ALL], by=SYSTEM)
        with tenant_scope(ref):
            assign(name="api_sales", user_id=people.users[f"sales@{slug}"].id, by=SYSTEM)


@pytest.fixture
def api(serving: Any, objects: None) -> Any:
    """The API's own addresses on every host, and the objects of the tests behind them."""
    from apps.api.urls import urlpatterns

    with serving(urlpatterns):
        yield
