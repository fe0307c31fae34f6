"""The step of provisioning that gives a new tenant its first owner."""

from collections.abc import Mapping
from typing import Any

from apps.core.actor import Actor
from apps.identity.models import Role
from apps.identity.services.invitations import invite
from apps.identity.services.members import create_member
from apps.tenants.models import Tenant


def seed_owner(_tenant: Tenant, seed: Mapping[str, Any], by: Actor) -> None:
    """Invite `owner_email` as owner; with `owner_password` (demo data) the account is ready at once.

    `owner_name` names a person made at once. Without `owner_email` the tenant starts with nobody.
    """
    email = seed.get("owner_email")
    if not email:
        return
    if seed.get("owner_password"):
        name = str(seed.get("owner_name") or "")
        create_member(
            email=str(email), name=name, password=str(seed["owner_password"]), role=Role.OWNER, by=by
        )
    else:
        invite(email=str(email), role=Role.OWNER, by=by)
