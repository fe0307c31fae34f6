"""A tenant of its own for the pages: the CRM with its demo records, and members with different rights."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connections
from django.test import Client

from apps.core.actor import SYSTEM, Actor
from apps.core.db.owner import owner_session
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.identity.services import members
from apps.modules import catalogue, install
from apps.objects import query
from apps.permissions import services as permissions
from apps.tenants.provision import Order, create_tenant

PASSWORD = "correct horse battery"
PEOPLE = {
    "owner": ("Olivia Owner", "owner", ()),
    "admin": ("Adam Admin", "admin", ()),
    "manager": ("Mia Manager", "member", ("crm_manager",)),
    "sales": ("Sam Sales", "member", ("crm_sales",)),
    "reader": ("Rita Reader", "member", ("crm_reader",)),
    "nobody": ("Nora Nobody", "member", ()),
}


@dataclass
class Atelier:
    """The tenant, its host, and its members' ids by name."""

    ref: TenantRef
    host: str
    ids: dict[str, UUID]
    cookies: dict[str, str] = field(default_factory=dict)

    def email(self, name: str) -> str:
        return f"{name}@{self.ref.slug}.test"

    def actor(self, name: str) -> Actor:
        key = self.ids[name]
        label, role, _sets = PEOPLE[name]
        return Actor("member", str(key), label, tenant_id=self.ref.id, user_id=key, role=role)

    def client(self, name: str | None, *, fresh: bool = False, **headers: Any) -> Client:
        """Return a browser without scripts, signed in as a member or as nobody.

        A member's session is used again, since signing in too often is refused; `fresh` opens another one.
        """
        browser = Client(headers={"host": self.host, **headers})
        if name is None:
            return browser
        if not fresh and name in self.cookies:
            browser.cookies[settings.SESSION_COOKIE_NAME] = self.cookies[name]
            return browser
        answer = browser.post("/sign-in", {"email": self.email(name), "password": PASSWORD})
        assert answer.status_code == 302, answer.content.decode()[-2000:]
        if not fresh:
            self.cookies[name] = browser.cookies[settings.SESSION_COOKIE_NAME].value
        return browser

    def rows(self, name: str, source: dict[str, Any], by: str = "owner") -> list[dict[str, Any]]:
        """Return records as a member sees them."""
        with tenant_scope(self.ref):
            return query.find(name, source, by=self.actor(by)).records()

    def one(self, name: str, title: str, by: str = "owner") -> dict[str, Any]:
        """Return the record with this name."""
        return self.rows(name, {"where": {"name": title}}, by)[0]


_made: dict[tuple[str, str], Atelier] = {}


def make_atelier(slug: str = "atelier") -> Atelier:
    """Return the tenant, made once in each database."""
    key = (connections["default"].settings_dict["NAME"], slug)
    if key not in _made:
        _made[key] = _make(slug)
    return _made[key]


def _make(slug: str) -> Atelier:
    """Make the tenant through services only."""
    with platform_scope("catalogue of the tests"):
        catalogue.register_all(by=SYSTEM)
    host = f"{slug}.localhost"
    wanted = Order(slug=slug, name="Atelier", time_zone="Europe/Berlin", currency="EUR")
    ref = create_tenant(by=SYSTEM, wanted=wanted, default_host=host).ref
    with owner_session(), tenant_scope(ref):
        install.install("crm", by=SYSTEM)
    ids = {}
    with tenant_scope(ref):
        for name, (label, role, sets) in PEOPLE.items():
            made = members.create_member(
                email=f"{name}@{slug}.test", name=label, password=PASSWORD, role=role, by=SYSTEM
            )
            ids[name] = made.user_id
            for permission_set in sets:
                permissions.assign(user_id=made.user_id, name=permission_set, by=SYSTEM)
    with tenant_scope(ref):
        install.add_demo(
            "crm", by=SYSTEM, owners={key: ids[key] for key in ("owner", "admin", "manager", "sales")}
        )
    return Atelier(ref, host, ids)


@pytest.fixture(scope="session")
def atelier(database: dict[str, TenantRef]) -> Atelier:
    """The tenant of the pages' tests; committed, shared by the file's tests."""
    return make_atelier()
