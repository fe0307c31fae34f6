"""The refusal of one value, and what a kind may know while it judges one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from apps.core.errors import FieldError
from apps.objects.definitions import FieldDef


class FieldProblem(ValueError):
    """A value that a field refuses; `code` is one of the protocol's field codes."""

    def __init__(
        self, code: str, message: str, *, constraint: Any = None, options: Sequence[str] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.constraint = constraint
        self.options = options

    def as_error(self, field_: FieldDef, value: Any = None) -> FieldError:
        """Return the entry for a `Problem`'s `fields`; only a short text is repeated, and none of an encrypted field."""
        short = isinstance(value, bool | int | str) and len(str(value)) <= 200
        shown = value if short and not field_.encrypted else None
        return FieldError(
            field_.name,
            self.code,
            self.message,
            label=field_.label or None,
            value=shown,
            constraint=self.constraint,
            options=self.options,
        )


@dataclass(frozen=True)
class AcceptContext:
    """Who writes, and when. `zone` is used for date-times written without a zone; None refuses them."""

    user_id: UUID | None = None
    zone: dt.tzinfo | None = None
    now: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))

    @property
    def today(self) -> dt.date:
        return self.now.astimezone(self.zone or dt.UTC).date()
