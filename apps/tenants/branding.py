"""What a tenant decides about itself: name, language, zone, currency, colour and logo."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from apps.audit import ledger
from apps.core.actor import Actor
from apps.core.clock import bump
from apps.core.errors import FieldError, Invalid, PermissionDenied
from apps.tenants.models import Tenant

FIELDS = ("name", "locale", "time_zone", "currency", "brand_color", "logo")


@transaction.atomic
def change_settings(*, tenant_id: UUID, changes: Mapping[str, Any], by: Actor) -> Tenant:
    """Change a tenant's own settings; by its owner or administrator, or an operator.

    Runs in the tenant's scope or the platform's; all errors come at once.
    """
    own_admin = by.kind == "member" and by.tenant_id == tenant_id and by.role in {"owner", "admin"}
    if not own_admin and by.kind not in {"operator", "system"}:
        msg = "Only the tenant's owner and administrators change its settings."
        raise PermissionDenied(msg)
    tenant = Tenant.objects.select_for_update().get(pk=tenant_id)
    errors = [FieldError(name, "unknown_field", "No such setting.") for name in changes if name not in FIELDS]
    before = {name: getattr(tenant, name) for name in changes if name in FIELDS}
    for name in before:
        setattr(tenant, name, str(changes[name]).strip())
    errors += _errors(tenant, set(before))
    if errors:
        msg = "The settings cannot be saved like this."
        raise Invalid(msg, errors)
    after = {name: getattr(tenant, name) for name in before if getattr(tenant, name) != before[name]}
    if after:
        tenant.save()
        before = {name: before[name] for name in after}
        ledger.record(
            "tenant.settings_changed", by=by, target=f"tenant:{tenant_id}", before=before, after=after
        )
        bump(None)
        bump(tenant_id)
    return tenant


def _errors(tenant: Tenant, changed: set[str]) -> list[FieldError]:
    errors = []
    try:
        tenant.clean_fields(exclude={field.name for field in tenant._meta.fields} - changed)
    except ValidationError as problem:
        for name, messages in problem.message_dict.items():
            errors += [FieldError(name, "invalid_value", text) for text in messages]
    if "time_zone" in changed and tenant.time_zone not in available_timezones():
        errors.append(FieldError("time_zone", "invalid_option", f"{tenant.time_zone} is no time zone."))
    if "locale" in changed and tenant.locale not in dict(settings.LANGUAGES):
        errors.append(FieldError("locale", "invalid_option", f"{tenant.locale} is not offered."))
    if "currency" in changed and not (len(tenant.currency) == 3 and tenant.currency.isupper()):
        errors.append(FieldError("currency", "invalid_format", "Three capital letters, as EUR."))
    return errors
