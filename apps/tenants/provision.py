"""A new tenant: its row, its schema in one transaction, and what the apps above put into it."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from psycopg import sql

from apps.audit import ledger
from apps.core import queue
from apps.core.actor import Actor
from apps.core.db.here import here
from apps.core.db.owner import owner_session
from apps.core.errors import Conflict, FieldError, Invalid, PermissionDenied
from apps.core.registry import Registry
from apps.core.scope import platform_scope, tenant_scope
from apps.tenants import lifecycle
from apps.tenants.models import Host, Plan, Tenant
from apps.tenants.queries import tenant_by_slug
from apps.tenants.schemas import migrations_version, note_migrations, replay, schema_of, template_ddl
from apps.tenants.states import State

logger = logging.getLogger("aibos.tenants")
RESERVED = frozenset({"public", "template", "www", "api", "console", "static", "admin", "localhost", "mail"})


@dataclass(frozen=True)
class Order:
    """What an operator asks for. `seed` goes to the steps of the apps above, e.g. owner_email, modules."""

    slug: str
    name: str
    locale: str = "en"
    time_zone: str = "UTC"
    currency: str = "EUR"
    plan: str | None = None
    host: str | None = None
    seed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """A part of provisioning owned by an app above; runs in the new tenant's scope on the owner's login."""

    title: str
    run: Callable[[Tenant, Mapping[str, Any], Actor], None]


steps: Registry[Step] = Registry("provisioning steps", Step)


@transaction.atomic
def order(*, by: Actor, wanted: Order, default_host: str) -> Tenant:
    """Write the tenant's row, in state provisioning, with its first host; refuse a taken slug or host.

    Runs in the platform's scope. `start` queues the rest.
    """
    if by.kind not in {"operator", "system"}:
        msg = "Only operators open tenants."
        raise PermissionDenied(msg)
    plan = Plan.objects.filter(**({"code": wanted.plan} if wanted.plan else {"is_default": True})).first()
    if plan is None:
        msg = "There is no such plan."
        raise Invalid(msg, [FieldError("plan", "reference_not_found", msg)])
    tenant = Tenant(
        slug=wanted.slug,
        schema_name=schema_of(wanted.slug),
        name=wanted.name.strip(),
        locale=wanted.locale,
        time_zone=wanted.time_zone,
        currency=wanted.currency,
        plan=plan,
    )
    domain = (wanted.host or default_host).lower()
    _validate(tenant, domain)
    tenant.save()
    Host.objects.create(domain=domain, tenant=tenant, is_primary=True)
    after: dict[str, object] = {"slug": tenant.slug, "name": tenant.name, "plan": plan.code, "host": domain}
    lifecycle.note(tenant, "created", by, after=after)
    return tenant


def _validate(tenant: Tenant, domain: str) -> None:
    errors: list[FieldError] = []
    if tenant.slug in RESERVED:
        errors.append(FieldError("slug", "invalid_value", f"{tenant.slug} is reserved."))
    try:
        tenant.full_clean(exclude=["plan"])
    except ValidationError as problem:
        for name, messages in problem.message_dict.items():
            shown = "slug" if name == "schema_name" else name
            errors += [FieldError(shown, "invalid_value", text) for text in messages]
    if Host.objects.filter(domain=domain).exists():
        errors.append(FieldError("host", "invalid_value", f"{domain} is another tenant's."))
    if errors:
        msg = "The tenant cannot be opened like this."
        raise Invalid(msg, errors)


@transaction.atomic
def start(*, tenant: Tenant, seed: Mapping[str, Any], by: Actor) -> Any:
    """Queue the provisioning of an ordered (or failed) tenant; return the job's id. Platform scope."""
    if tenant.state == State.FAILED:
        tenant = lifecycle.move(tenant_id=tenant.id, to=State.PROVISIONING, by=by, reason="retry")
    if tenant.state != State.PROVISIONING:
        msg = f"The tenant is {tenant.state} already."
        raise Conflict(msg, code="INVALID_STATE")
    args = {"slug": tenant.slug, "seed": dict(seed)}
    return queue.enqueue("tenants.provision", tenant=None, args=args, title=f"Open {tenant.name}", by=by)


@queue.task("tenants.provision", tenant="forbidden", max_attempts=1, manages_scope=True, sealed=True)
def run(job: queue.JobHandle, slug: str, seed: dict[str, Any]) -> dict[str, Any]:
    """Build an ordered tenant; on failure nothing of it is left but its row, in state failed."""
    return build(slug=slug, seed=seed, by=job.by, tell=job.progress)


def build(
    *, slug: str, seed: Mapping[str, Any], by: Actor, tell: Callable[..., None] = lambda *_, **__: None
) -> dict[str, Any]:
    """Build schema and seed in one transaction and open the tenant; enter it outside any scope."""
    total = len(list(steps)) + 2
    try:
        with owner_session(), platform_scope("provisioning"):
            tenant = Tenant.objects.select_for_update().get(slug=slug)
            if tenant.state == State.ACTIVE:
                return {"tenant": str(tenant.id), "state": tenant.state}
            tell(0, total, "Tables")
            statements = template_ddl()
            with tenant_scope(tenant.ref):
                replay(tenant.schema_name, tenant.id, statements)
                note_migrations(tenant.schema_name)
                for done, (_name, step) in enumerate(steps.items(), start=1):
                    tell(done, total, step.title)
                    step.run(tenant, seed, by)
            tenant.schema_version = migrations_version()
            tenant.save()
            tell(total - 1, total, "Open")
            lifecycle.move(tenant_id=tenant.id, to=State.ACTIVE, by=by)
    except Exception as problem:
        logger.exception("provisioning failed", extra={"tenant": slug})
        _failed(slug, problem, by)
        raise
    tell(total, total, "Done")
    return {"tenant": str(tenant.id), "state": str(State.ACTIVE)}


def _failed(slug: str, problem: Exception, by: Actor) -> None:
    with platform_scope("provisioning failed"):
        tenant = Tenant.objects.filter(slug=slug, state=State.PROVISIONING).first()
        if tenant:
            lifecycle.move(
                tenant_id=tenant.id, to=State.FAILED, by=by, reason=f"{type(problem).__name__}: {problem}"
            )


def create_tenant(*, by: Actor, wanted: Order, default_host: str) -> Tenant:
    """Order and build a tenant at once, without a worker; for commands and tests, outside any scope."""
    with platform_scope("new tenant"):
        found = tenant_by_slug(wanted.slug)
        if found is None:
            order(by=by, wanted=wanted, default_host=default_host)
    build(slug=wanted.slug, seed=wanted.seed, by=by)
    with platform_scope("new tenant"):
        return Tenant.objects.get(slug=wanted.slug)


def drop_schema(*, tenant: Tenant, by: Actor) -> None:
    """Drop a tenant's schema with everything in it; on the owner's login, in the platform's scope."""
    with here().cursor() as cursor:
        cursor.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(tenant.schema_name)))
    ledger.record(
        "tenant.schema_dropped", by=by, target=f"tenant:{tenant.id}", after={"schema": tenant.schema_name}
    )
