"""What identity keeps of a tenant in an archive: its people and their memberships, no passwords."""

from typing import Any
from uuid import UUID

from apps.identity.models import Membership, User
from apps.tenants.archiving import Part
from apps.tenants.models import Tenant

PERSON = ("email", "name", "locale", "time_zone")


def _export(tenant: Tenant) -> list[dict[str, Any]]:
    rows = Membership.objects.filter(tenant=tenant).select_related("user").order_by("id")
    return [
        {"user": str(row.user_id), "role": row.role, "state": row.state}
        | {name: getattr(row.user, name) for name in PERSON}
        for row in rows
    ]


def _restore(tenant: Tenant, rows: list[dict[str, Any]]) -> dict[str, str]:
    """Find each person by address, else create them; they set a password by the reset mail."""
    ids = {}
    for row in rows:
        user = User.objects.filter(email__iexact=row["email"]).first()
        if user is None:
            taken = User.objects.filter(pk=row["user"]).exists()
            values = {name: row[name] for name in PERSON}
            user = User(**values) if taken else User(id=UUID(row["user"]), **values)
            user.set_unusable_password()
            user.save(force_insert=True)
        Membership.objects.create(tenant=tenant, user=user, role=row["role"], state=row["state"])
        ids[row["user"]] = str(user.pk)
    return ids


PART = Part(_export, _restore)
