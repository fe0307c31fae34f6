"""What of an artifact does not come over as it stands: named one by one, nothing is dropped in silence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from apps.objects.parse import DefinitionError, DefinitionErrors

Outcome = Literal["parked", "refused", "adapted"]


@dataclass(frozen=True)
class Notice:
    """One part of the artifact.

    parked: kept with the module, does nothing here yet. refused: not taken over. adapted: taken in another form.
    """

    path: str
    outcome: Outcome
    reason: str

    def as_dict(self) -> dict[str, str]:
        """Return the notice as plain JSON."""
        return asdict(self)


class Judgement:
    """The notices and the faults of one artifact; a fault refuses the whole of it."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.notices: list[Notice] = []
        self.faults: list[DefinitionError] = []

    def note(self, path: str, outcome: Outcome, reason: str) -> None:
        """Say what becomes of a part."""
        self.notices.append(Notice(path, outcome, reason))

    def fault(self, path: str, code: str, message: str, cure: str = "") -> None:
        """Say why the artifact cannot be installed."""
        self.faults.append(DefinitionError(self.file, 0, path, code, message, cure))

    def relay(self, errors: Iterable[DefinitionError]) -> None:
        """Take over the faults that another judge found."""
        self.faults += errors

    def settle(self) -> None:
        """Raise `DefinitionErrors` with all faults, if there are any."""
        if self.faults:
            raise DefinitionErrors(self.faults)


def mapping(value: Any) -> dict[str, Any]:
    """Return a mapping as it is, anything else as an empty one."""
    return value if isinstance(value, dict) else {}


def listing(value: Any) -> list[Any]:
    """Return a list as it is, anything else as an empty one."""
    return value if isinstance(value, list) else []
