"""Plans and their quotas, and which tenant is on which."""

from collections.abc import Mapping
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.audit import ledger
from apps.core.actor import Actor
from apps.core.clock import bump
from apps.core.errors import Conflict, FieldError, Invalid, PermissionDenied
from apps.tenants.models import Plan, Tenant
from apps.tenants.quotas import KINDS

QUOTAS = tuple(KINDS)
LARGEST = 10**12


def _operator(by: Actor) -> None:
    if by.kind not in {"operator", "system"}:
        msg = "Only operators change plans."
        raise PermissionDenied(msg)


@transaction.atomic
def save_plan(*, code: str, name: str, quotas: Mapping[str, int | None], is_default: bool, by: Actor) -> Plan:
    """Write a plan, new or known; a quota of None is no limit. Exactly one plan is the default. Platform scope.

    Limits hold from the next request on, for every tenant on the plan.
    """
    _operator(by)
    known = Plan.objects.select_for_update().filter(pk=code).first()
    before = _values(known) if known else None
    plan = known or Plan(code=code)
    plan.name, plan.quotas = name.strip(), {key: value for key, value in quotas.items() if value is not None}
    errors = _errors(plan, quotas)
    if known and known.is_default and not is_default:
        message = "Make another plan the default one instead."
        errors.append(FieldError("is_default", "invalid_value", message))
    if errors:
        msg = "The plan cannot be saved like this."
        raise Invalid(msg, errors)
    if is_default:
        for other in Plan.objects.filter(is_default=True).exclude(pk=code):
            other.is_default = False
            other.save()
    plan.is_default = is_default
    plan.save()
    ledger.record(
        f"plan.{'changed' if known else 'created'}",
        by=by,
        target=f"plan:{code}",
        before=before,
        after=_values(plan),
    )
    bump(None)
    if before and before["quotas"] != plan.quotas:
        for tenant_id in Tenant.objects.filter(plan=plan).values_list("pk", flat=True):
            bump(tenant_id)
    return plan


@transaction.atomic
def remove_plan(*, code: str, by: Actor) -> None:
    """Remove a plan that no tenant is on and that is not the default one."""
    _operator(by)
    plan = Plan.objects.select_for_update().get(pk=code)
    users = Tenant.objects.filter(plan=plan).count()
    if users or plan.is_default:
        msg = (
            "New tenants get this plan."
            if plan.is_default
            else f"{users} tenants are on this plan; move them first."
        )
        raise Conflict(msg, code="PLAN_IN_USE")
    plan.delete()
    ledger.record("plan.removed", by=by, target=f"plan:{code}", before=_values(plan))
    bump(None)


@transaction.atomic
def assign_plan(*, tenant_id: UUID, code: str, by: Actor) -> Tenant:
    """Put a tenant on another plan; its limits hold from the next request on."""
    _operator(by)
    tenant = Tenant.objects.select_for_update().get(pk=tenant_id)
    plan = Plan.objects.filter(pk=code).first()
    if plan is None:
        msg = "There is no such plan."
        raise Invalid(msg, [FieldError("plan", "reference_not_found", msg)])
    before = {"plan": tenant.plan_id}
    tenant.plan = plan
    tenant.save()
    ledger.record(
        "tenant.plan_changed", by=by, target=f"tenant:{tenant_id}", before=before, after={"plan": code}
    )
    bump(None)
    bump(tenant_id)
    return tenant


def _values(plan: Plan) -> dict[str, object]:
    return {"name": plan.name, "quotas": plan.quotas, "is_default": plan.is_default}


def _errors(plan: Plan, quotas: Mapping[str, int | None]) -> list[FieldError]:
    errors = [
        FieldError(key, "unknown_field", "There is no such quota.") for key in quotas if key not in QUOTAS
    ]
    for key, value in quotas.items():
        if value is not None and not (type(value) is int and 0 <= value <= LARGEST):
            errors.append(
                FieldError(key, "invalid_value", "A whole number from 0 on, or nothing for no limit.")
            )
    try:
        plan.clean_fields()
    except ValidationError as problem:
        for name, messages in problem.message_dict.items():
            errors += [FieldError(name, "invalid_value", text) for text in messages]
    return errors
