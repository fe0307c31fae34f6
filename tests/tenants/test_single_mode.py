"""TENANCY_MODE=single: the one tenant is served at every host, the console stays at /console."""

from typing import Any

import pytest
from django.test import Client

from apps.core.scope import TenantRef, platform_scope
from apps.tenants import queries
from apps.tenants.middleware import hosts
from apps.tenants.models import Tenant
from apps.tenants.queries import by_host


@pytest.fixture
def only_acme(acme: TenantRef, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mode, in an installation where acme seems to be alone."""
    settings.TENANCY_MODE = "single"
    hosts.clear()
    by_host.clear()
    with platform_scope("test"):
        one = Tenant.objects.get(pk=acme.id)
    monkeypatch.setattr(queries, "_only", lambda: queries._snapshot(one))


@pytest.mark.parametrize("host", ["localhost", "anything.example", "127.0.0.1"])
def test_every_host_is_the_one_tenant_s(only_acme: None, host: str) -> None:
    answer = Client().get("/sign-in", HTTP_HOST=host)
    assert answer.status_code == 200
    assert "Acme" in answer.content.decode()
    hosts.clear()
    by_host.clear()


def test_the_console_is_still_there(only_acme: None) -> None:
    assert Client().get("/console/", HTTP_HOST="localhost").status_code in {200, 302}
    hosts.clear()
    by_host.clear()


def test_in_multi_mode_an_unknown_host_is_nobody_s(acme: TenantRef) -> None:
    hosts.clear()
    assert Client().get("/sign-in", HTTP_HOST="anything.example").status_code == 404
