"""Callers of the API: one per way to prove who one is."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

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
    return Caller(Client(raise_request_exception=False), made)


def make_key(ref: TenantRef, actor: Any, scopes: tuple[str, ...] = ("*",)) -> str:
    """Return a new API key of a member."""
    from apps.identity.services.keys import create_key

    with tenant_scope(ref):
        return create_key(name="test", by=actor, scopes=scopes).key


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
