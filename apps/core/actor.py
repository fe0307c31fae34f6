"""Who acts: the value every service takes as `by` and every ledger entry names."""

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

Kind = Literal["member", "operator", "api_key", "system", "module", "agent"]
KINDS: tuple[Kind, ...] = ("member", "operator", "api_key", "system", "module", "agent")


@dataclass(frozen=True)
class Actor:
    """An acting party.

    `id` is the user's, key's or module's id as text; `user_id` the user whose rights count; `via` the
    credential (session or key) id; `scopes` narrows an API key, None means unrestricted.
    """

    kind: Kind
    id: str
    label: str
    tenant_id: UUID | None = None
    user_id: UUID | None = None
    via: str | None = None
    scopes: frozenset[str] | None = None
    role: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return what the ledger and job rows keep; `from_dict` reads it back."""
        values: dict[str, Any] = {"kind": self.kind, "id": self.id, "label": self.label}
        values |= {"tenant_id": str(self.tenant_id) if self.tenant_id else None, "via": self.via}
        values |= {"user_id": str(self.user_id) if self.user_id else None, "role": self.role}
        values["scopes"] = sorted(self.scopes) if self.scopes is not None else None
        return {key: value for key, value in values.items() if value is not None}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "Actor":
        """Return the actor that `as_dict` wrote."""
        return Actor(
            kind=values["kind"],
            id=values["id"],
            label=values["label"],
            tenant_id=UUID(values["tenant_id"]) if values.get("tenant_id") else None,
            user_id=UUID(values["user_id"]) if values.get("user_id") else None,
            via=values.get("via"),
            scopes=frozenset(values["scopes"]) if values.get("scopes") is not None else None,
            role=values.get("role"),
        )


SYSTEM = Actor(kind="system", id="system", label="AI-BOS")
