"""What a write answers: the record as its writer may read it, and what of the input was dropped."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from apps.objects.query import parse


@dataclass(frozen=True, slots=True)
class Written:
    """`text` is the record's JSON; `dropped` names fields that nobody may write; `changed` those that did.

    `told` holds the broken rules that only warn: `{name, severity, field, code, message, …}`.
    """

    object: str
    id: str
    text: str
    dropped: Sequence[str] = ()
    changed: Sequence[str] = ()
    source_id: str | None = None
    told: Sequence[dict[str, Any]] = ()

    def record(self) -> dict[str, Any]:
        """Return the record as a dict, exact numbers as Decimal."""
        return parse(self.text)

    def dropped_fields(self) -> list[dict[str, Any]]:
        """Return the protocol's `droppedFields`."""
        return (
            [{"object": self.object, "fields": list(self.dropped), "reason": "readonly"}]
            if self.dropped
            else []
        )

    def header(self) -> str | None:
        """Return the value of `x-objectstack-dropped-fields`, or None when nothing was dropped."""
        return f"{','.join(self.dropped)};reason=readonly" if self.dropped else None

    def body(self) -> bytes:
        """Return the answer of the protocol: `{object, id, sourceId?, record, droppedFields?}`, and `warnings?`."""
        source = f',"sourceId":"{self.source_id}"' if self.source_id else ""
        dropped = f',"droppedFields":{orjson.dumps(self.dropped_fields()).decode()}' if self.dropped else ""
        warned = f',"warnings":{orjson.dumps(self.told, default=str).decode()}' if self.told else ""
        head = f'"object":"{self.object}","id":"{self.id}"{source}'
        return f'{{{head},"record":{self.text}{dropped}{warned}}}'.encode()


@dataclass(frozen=True, slots=True)
class Removed:
    """The answer of delete and purge; `also` counts the details that went with the record."""

    object: str
    id: str
    also: int = 0

    def body(self) -> bytes:
        """Return the answer of the protocol: `{object, id, success}`."""
        return f'{{"object":"{self.object}","id":"{self.id}","success":true}}'.encode()
