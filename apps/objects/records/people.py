"""Who writes, as expressions see them; what costs a look-up is read when an expression asks for it."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.contrib.auth import get_user_model

from apps.objects.records.call import Call, Swerve

FIELDS = ("id", "email", "name", "positions", "organization_id", "org_user_ids")


class Person(Mapping[str, Any]):
    """`current_user`: id, name, email, positions (the sets they hold) and the organization."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self._read: dict[str, Any] | None = None

    def __getitem__(self, name: str) -> Any:
        user = self.call.user_id
        match name:
            case "id":
                return str(user) if user else None
            case "organization_id":
                return str(self.call.tenant.id)
            case "positions":
                return sorted(item.name for item in self.call.access.grants.sets)
            case "org_user_ids":
                return [str(user)] if user else []
        return self._person().get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(FIELDS)

    def __len__(self) -> int:
        return len(FIELDS)

    def _person(self) -> dict[str, Any]:
        if self._read is None:
            if self.call.clock is not None:
                raise Swerve  # a look-up needs the transaction that this call does without
            people = get_user_model().objects.filter(id__in=[self.call.user_id] if self.call.user_id else [])
            self._read = dict(people.values("email", "name").first() or {})
        return self._read
