"""API keys of the current tenant: made by a member, shown once, never stronger than that member."""

import re
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit import ledger
from apps.core.actor import Actor
from apps.core.clock import bump
from apps.core.errors import FieldError, Invalid, NotFound
from apps.core.scope import current_tenant
from apps.identity import rules
from apps.identity.credential import KEY_MARK
from apps.identity.models import ApiKey, Membership, MembershipState
from apps.identity.secrets import digest, new_token

SCOPE = re.compile(r"[a-z][a-z0-9_]{1,62}:(?:read|write|\*)|\*")
EVERYTHING = "*"
NAME_LENGTH = 100
PREFIX_LENGTH = 8
_LETTERS = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Made:
    """A new key: the row, and the text that is shown once and never again."""

    row: ApiKey
    key: str


@transaction.atomic
def create_key(
    *, name: str, by: Actor, scopes: Sequence[str] = (EVERYTHING,), expires_at: datetime | None = None
) -> Made:
    """Make a key for the acting member. `scopes` are `<area>:read`, `<area>:write`, `<area>:*` or `*`."""
    tenant = current_tenant()
    if by.kind != "member" or by.user_id is None or not _is_member(by, tenant.id):
        rules.refuse(_("Only a signed-in member may make a key."), by=by, action="api_key.created")
    _check(name, scopes, expires_at)
    prefix = "".join(secrets.choice(_LETTERS) for _index in range(PREFIX_LENGTH))
    key = f"{KEY_MARK}{prefix}_{new_token()}"
    row = ApiKey.objects.create(
        tenant_id=tenant.id,
        user_id=by.user_id,
        name=name.strip(),
        prefix=prefix,
        secret_hash=digest(key),
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
    )
    ledger.record("api_key.created", by=by, target=f"api_key:{row.id}", after=_values(row))
    return Made(row, key)


@transaction.atomic
def revoke_key(*, key_id: UUID, by: Actor) -> None:
    """Revoke an own key, or any key of the tenant for who manages its members; 404 for others."""
    tenant = current_tenant()
    require_scope(by, "keys:write", action="api_key.revoked")
    row = ApiKey.objects.filter(pk=key_id, tenant=tenant.id, revoked_at=None).first()
    mine = row is not None and row.user_id == by.user_id
    if row is None or not (mine or rules.may_manage_members(by, tenant.id)):
        raise NotFound(_("There is no such key."), code="RESOURCE_NOT_FOUND")
    row.revoked_at = timezone.now()
    row.save(update_fields=["revoked_at"])
    ledger.record("api_key.revoked", by=by, target=f"api_key:{row.id}", details={"prefix": row.prefix})
    bump(tenant.id)


def revoke_keys_of(*, user_id: UUID, by: Actor) -> None:
    """Revoke all keys of a person in the current tenant; part of removing a member."""
    tenant = current_tenant()
    for row in ApiKey.objects.filter(tenant=tenant.id, user=user_id, revoked_at=None):
        row.revoked_at = timezone.now()
        row.save(update_fields=["revoked_at"])
        ledger.record("api_key.revoked", by=by, target=f"api_key:{row.id}", details={"prefix": row.prefix})
    bump(tenant.id)


def require_scope(by: Actor, scope: str, *, action: str) -> None:
    """Refuse a key that lacks `scope` (`<area>:<verb>`); members and operators have all."""
    area, _separator, verb = scope.partition(":")
    enough = {"*", f"{area}:*", f"{area}:write", scope} if verb == "read" else {"*", f"{area}:*", scope}
    if by.scopes is not None and not by.scopes & enough:
        rules.refuse(_("This key lacks the scope %(scope)s.") % {"scope": scope}, by=by, action=action)


def _is_member(by: Actor, tenant_id: UUID) -> bool:
    rows = Membership.objects.filter(tenant=tenant_id, user=by.user_id, state=MembershipState.ACTIVE)
    return by.user_id is not None and rows.exists()


def _check(name: str, scopes: Sequence[str], expires_at: datetime | None) -> None:
    found = []
    if not name.strip():
        found.append(FieldError("name", "required", _("Give the key a name.")))
    if len(name) > NAME_LENGTH:
        found.append(
            FieldError("name", "max_length", _("Use at most 100 characters."), constraint=NAME_LENGTH)
        )
    unknown = [item for item in scopes if not SCOPE.fullmatch(item)]
    if unknown or not scopes:
        message = _("Scopes are written area:read, area:write, area:* or *.")
        found.append(FieldError("scopes", "invalid_option", message, value=unknown))
    if expires_at is not None and expires_at <= timezone.now():
        found.append(FieldError("expiresAt", "min_value", _("This moment has passed.")))
    if found:
        raise Invalid(_("The key cannot be made."), found)


def _values(row: ApiKey) -> dict[str, object]:
    return {"name": row.name, "prefix": row.prefix, "scopes": row.scopes, "expires_at": row.expires_at}
