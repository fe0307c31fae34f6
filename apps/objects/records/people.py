"""Who writes, as expressions see them: what is known of a person with their rights, so nothing is looked up."""

from collections.abc import Mapping
from typing import Any

from apps.objects.records.call import Call

FIELDS = ("email", "name", "positions")


def person(call: Call) -> Mapping[str, Any]:
    """Return `current_user`: id, e-mail, name, positions (part in the tenant and roles), and the organization."""
    user = str(call.user_id) if call.user_id else None
    known = {name: call.access.facts.get(name) for name in FIELDS}
    return known | {
        "id": user,
        "organization_id": str(call.tenant.id),
        "positions": list(known["positions"] or ()),
    }
