"""The demo installation: tenants acme and globex with members, the CRM and its records, through services only."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from apps.core.actor import SYSTEM, Actor
from apps.core.db.owner import owner_session
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.identity import confirmations
from apps.identity.models import ApiKey, Membership, Role, User
from apps.identity.services import accounts, keys, members, operators
from apps.modules import catalogue, install
from apps.permissions import services as permissions
from apps.tenants.provision import Order, create_tenant

OPERATOR = "operator@aibos.test"
MODULE = "crm"
PROGRAMMER = "admin"  # whose key the table prints: it must get through the whole tour of docs/api.md
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Persona:
    """A demo member: `key` stands before the @ and in the demo records' column `owner`."""

    key: str
    name: str
    role: Role
    sets: tuple[str, ...]
    rights: str


PERSONAS = (
    Persona("owner", "Olivia Owner", Role.OWNER, (), "owner: everything"),
    Persona("admin", "Adam Admin", Role.ADMIN, (), "administrator: everything but the ownership"),
    Persona("manager", "Mia Manager", Role.MEMBER, ("crm_manager",), "sales manager: all CRM records"),
    Persona(
        "sales", "Sam Sales", Role.MEMBER, ("crm_sales",), "sales: own records, reads the team's accounts"
    ),
    Persona("reader", "Rita Reader", Role.MEMBER, ("crm_reader",), "read only"),
)
TENANTS = (
    Order(slug="acme", name="Acme", locale="en", time_zone="Europe/Berlin", currency="EUR"),
    Order(slug="globex", name="Globex", locale="en", time_zone="America/New_York", currency="USD"),
)


def make_demo(*, file: Path, tell: Tell = lambda _text: None) -> dict[str, Any]:
    """Make what is missing of the demo installation and write its logins to `file` (0600); return them."""
    known = _read(file)
    password = settings.DEMO_PASSWORD or known.get("password") or derived_password()
    with platform_scope("demo"):
        tell("modules")
        _made, kept_out = catalogue.register_all(by=SYSTEM, replace=settings.DEBUG)
        for fault in kept_out:
            tell(str(fault))
        tell("operator")
        _operator(password)
    found: dict[str, Any] = {
        "password": password,
        "operator": {"email": OPERATOR, "password": password},
        "tenants": [],
        "api_keys": [],
    }
    old_keys = {key["tenant"]: key["key"] for key in known.get("api_keys", ())}
    for order in TENANTS:
        tell(f"tenant {order.slug}")
        host = f"{order.slug}.{settings.TENANT_DOMAIN}"
        ref = create_tenant(by=SYSTEM, wanted=order, default_host=host).ref
        found["tenants"].append(_tenant(ref, order, host, password))
        key = _api_key(ref, old_keys.get(order.slug))
        found["api_keys"].append(
            {"tenant": order.slug, "key": key, "member": f"{PROGRAMMER}@{order.slug}.test"}
        )
    _write(file, found)
    return found


def derived_password() -> str:
    """Return a password of this installation: the same as long as its secret key is."""
    digest = hmac.new(settings.SECRET_KEY.encode(), b"demo password", hashlib.sha256).digest()
    word = base64.b32encode(digest).decode().lower()
    return "-".join((word[:4], word[4:8], word[8:12]))


def _operator(password: str) -> None:
    user = User.objects.filter(email=OPERATOR).first()
    if user is None:
        operators.create_operator(
            email=OPERATOR, name="Otto Operator", password=password, superuser=True, by=SYSTEM
        )
    else:
        _keep_password(user, password)


def _tenant(ref: TenantRef, order: Order, host: str, password: str) -> dict[str, Any]:
    with owner_session(), tenant_scope(ref):
        if MODULE not in {row.module for row in install.installed()}:
            install.install(MODULE, by=SYSTEM)
    with tenant_scope(ref):
        people = {persona.key: _member(persona, order.slug, password) for persona in PERSONAS}
        for persona in PERSONAS:
            for name in persona.sets:
                permissions.assign(user_id=people[persona.key], name=name, by=SYSTEM)
    with tenant_scope(ref):
        install.add_demo(MODULE, by=SYSTEM, owners=people)
    rows = [
        {
            "name": persona.name,
            "email": _email(persona, order.slug),
            "password": password,
            "rights": persona.rights,
        }
        for persona in PERSONAS
    ]
    return {"slug": order.slug, "name": order.name, "host": host, "members": rows}


def _email(persona: Persona, slug: str) -> str:
    return f"{persona.key}@{slug}.test"


def _member(persona: Persona, slug: str, password: str) -> UUID:
    email = _email(persona, slug)
    membership = Membership.objects.filter(user__email=email).select_related("user").first()
    if membership is None:
        membership = members.create_member(
            email=email, name=persona.name, password=password, role=persona.role, by=SYSTEM
        )
    else:
        _keep_password(membership.user, password)
    return membership.user_id


def _keep_password(user: User, password: str) -> None:
    """Make the printed password true again when DEMO_PASSWORD or the secret key changed."""
    if not user.check_password(password):
        accounts.reset_password(token=confirmations.reset_token(user), new=password)


def _api_key(ref: TenantRef, old: str | None) -> str:
    """Return the demo key: the one printed before while it serves, else a new one of the administrator's."""
    with tenant_scope(ref):
        user = User.objects.get(email=f"{PROGRAMMER}@{ref.slug}.test")
        alive = ApiKey.objects.filter(tenant=ref.id, user=user, revoked_at=None)
        if old and any(row.prefix in old for row in alive):
            return old
        by = Actor("member", str(user.id), user.name, tenant_id=ref.id, user_id=user.id, role=Role.ADMIN)
        return keys.create_key(name="Demo", by=by).key


def _read(file: Path) -> dict[str, Any]:
    try:
        known = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _write(file: Path, found: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(found, stream, indent=1)
    draft.replace(file)
