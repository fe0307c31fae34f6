"""What is wrong with a definition: every fault at once, each with its place and its cure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.core.errors import Problem


@dataclass(frozen=True)
class DefinitionError:
    """One fault; `line` counts from 1 and is 0 when the definition did not come from a file."""

    file: str
    line: int
    path: str
    code: str
    message: str
    cure: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        cure = f" {self.cure}" if self.cure else ""
        return f"{place}: {self.path or '(top)'}: {self.message}{cure} [{self.code}]"

    def as_dict(self) -> dict[str, Any]:
        """Return the wire form of one issue."""
        return {
            "file": self.file,
            "line": self.line,
            "path": self.path,
            "code": self.code,
            "message": self.message,
            "cure": self.cure,
        }


class DefinitionErrors(Problem):
    """422: the definitions are refused; `errors` holds every fault found."""

    def __init__(self, errors: Sequence[DefinitionError]) -> None:
        self.errors = sorted(errors, key=lambda e: (e.file, e.line))
        count = len(self.errors)
        message = str(self.errors[0]) if count == 1 else f"{count} faults; the first: {self.errors[0]}"
        super().__init__(
            "INVALID_METADATA",
            message,
            status=422,
            details={"issues": [e.as_dict() for e in self.errors]},
        )

    def __str__(self) -> str:
        return "\n".join(str(e) for e in self.errors)
