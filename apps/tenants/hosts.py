"""The addresses of a tenant."""

import re
from uuid import UUID

from django.db import transaction

from apps.audit import ledger
from apps.core.actor import Actor
from apps.core.clock import bump
from apps.core.errors import Conflict, FieldError, Invalid, PermissionDenied
from apps.tenants.models import Host, Tenant

DOMAIN = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*\Z"
)


def _operator(by: Actor) -> None:
    if by.kind not in {"operator", "system"}:
        msg = "Only operators change hosts."
        raise PermissionDenied(msg)


@transaction.atomic
def add_host(*, tenant_id: UUID, domain: str, by: Actor, primary: bool = False) -> Host:
    """Serve a tenant at one more address; refuse one that is taken or no domain. Platform scope."""
    _operator(by)
    domain = domain.strip().rstrip(".").lower()
    if not DOMAIN.match(domain):
        msg = f"{domain!r} is not a domain."
        raise Invalid(msg, [FieldError("domain", "invalid_format", msg)])
    if Host.objects.filter(domain=domain).exists():
        msg = f"{domain} is served already."
        raise Invalid(msg, [FieldError("domain", "invalid_value", msg)])
    tenant = Tenant.objects.select_for_update().get(pk=tenant_id)
    host = Host.objects.create(domain=domain, tenant=tenant, is_primary=False)
    ledger.record("host.added", by=by, target=f"tenant:{tenant_id}", after={"domain": domain})
    if primary:
        make_primary(host_id=host.pk, by=by)
    bump(None)
    return host


@transaction.atomic
def make_primary(*, host_id: UUID, by: Actor) -> Host:
    """Use this address in links and mails."""
    _operator(by)
    host = Host.objects.select_for_update().get(pk=host_id)
    before = Host.objects.filter(tenant_id=host.tenant_id, is_primary=True).exclude(pk=host.pk)
    old = [item.domain for item in before]
    before.update(is_primary=False)
    host.is_primary = True
    host.save()
    target = f"tenant:{host.tenant_id}"
    ledger.record(
        "host.made_primary", by=by, target=target, before={"primary": old}, after={"primary": [host.domain]}
    )
    bump(None)
    return host


@transaction.atomic
def remove_host(*, host_id: UUID, by: Actor) -> None:
    """Stop serving an address; the primary one is refused."""
    _operator(by)
    host = Host.objects.select_for_update().get(pk=host_id)
    if host.is_primary:
        msg = "Make another address the primary one first."
        raise Conflict(msg, code="HOST_IS_PRIMARY")
    host.delete()
    ledger.record("host.removed", by=by, target=f"tenant:{host.tenant_id}", before={"domain": host.domain})
    bump(None)
