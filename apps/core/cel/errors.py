"""What is wrong with an expression, and what went wrong while it ran."""

from __future__ import annotations


class CelError(ValueError):
    """An expression that cannot be accepted; `pos` counts characters from 0, `cure` says what to write."""

    def __init__(self, message: str, pos: int = 0, *, code: str = "syntax", cure: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.pos = pos
        self.code = code
        self.cure = cure

    def at(self, source: str) -> str:
        """Return the message with line and column, both from 1."""
        before = source[: self.pos]
        column = self.pos - (before.rfind("\n") + 1) + 1
        return f"line {before.count(chr(10)) + 1}, column {column}: {self.message}"


class Fault(Exception):
    """A value that an expression cannot work with, such as an absent one that is compared."""

    def __init__(self, message: str, code: str = "fault") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class OverBudget(Fault):
    """The expression took more steps than it may."""

    def __init__(self, steps: int) -> None:
        super().__init__(f"The expression took more than {steps} steps.", "over_budget")
