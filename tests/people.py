"""The people of the tests: a few per tenant, and an operator."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from apps.core.actor import Actor
from apps.core.scope import TenantRef, platform_scope

ROLES = {"owner": "owner", "admin": "admin", "manager": "member", "sales": "member", "reader": "member"}


@dataclass
class People:
    """Users by `<name>@<tenant slug>`, and actors for services."""

    password: ClassVar[str] = "correct horse battery"
    users: dict[str, Any] = field(default_factory=dict)
    tenants: dict[str, TenantRef] = field(default_factory=dict)

    def email(self, name: str, tenant: str = "acme") -> str:
        """Return the login of a member."""
        return f"{name}@{tenant}.test"

    def actor(self, name: str, tenant: str = "acme") -> Actor:
        """Return a member as services know it."""
        user = self.users[f"{name}@{tenant}"]
        return Actor(
            kind="member",
            id=str(user.id),
            label=user.name,
            tenant_id=self.tenants[tenant].id,
            user_id=user.id,
            role=ROLES[name],
        )

    def operator(self) -> Actor:
        """Return the operator as services know it."""
        user = self.users["operator"]
        return Actor(kind="operator", id=str(user.id), label=user.name, user_id=user.id)


def create_people(tenants: dict[str, TenantRef]) -> People:
    """Write the people and their memberships."""
    from apps.identity.models import Membership, User

    made = People(tenants=tenants)
    with platform_scope("people of the tests"):
        for slug, ref in tenants.items():
            for name, role in ROLES.items():
                user = User(email=f"{name}@{slug}.test", name=f"{name.title()} {slug.title()}")
                user.set_password(People.password)
                user.save()
                Membership.objects.create(tenant_id=ref.id, user=user, role=role)
                made.users[f"{name}@{slug}"] = user
        operator = User(email="operator@aibos.test", name="Olga Operator", is_staff=True, is_superuser=True)
        operator.set_password(People.password)
        operator.save()
        made.users["operator"] = operator
    return made
