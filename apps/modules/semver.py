"""Semantic versions and the ranges that dependencies ask for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering

VERSION = re.compile(
    r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?", re.ASCII
)
RANGE = re.compile(r"(\^|~|>=|=)?\s*(\S+)")


@total_ordering
@dataclass(frozen=True)
class Version:
    """`1.4.0` or `2.0.0-beta.1`; a pre-release sorts before its release, build metadata is refused."""

    major: int
    minor: int
    patch: int
    pre: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read a version; raises ValueError."""
        found = VERSION.fullmatch(text)
        if not found:
            msg = f"{text!r} is not a semantic version such as 1.4.0."
            raise ValueError(msg)
        major, minor, patch, pre = found.groups()
        return cls(int(major), int(minor), int(patch), tuple(pre.split(".")) if pre else ())

    def __str__(self) -> str:
        core = f"{self.major}.{self.minor}.{self.patch}"
        return f"{core}-{'.'.join(self.pre)}" if self.pre else core

    def _key(self) -> tuple[object, ...]:
        pre = tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in self.pre)
        return (self.major, self.minor, self.patch, not self.pre, pre)

    def line(self, sign: str) -> tuple[int, ...]:
        """Return what two versions share that are compatible under `^` or `~`."""
        if sign == "~" or not self.major:
            return (self.major, self.minor)
        return (self.major,)

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()  # type: ignore[operator]


def satisfies(version: Version, wanted: str) -> bool:
    """Whether `version` lies in a range: `^1.2.0`, `~1.2.0`, `>=1.2.0`, `1.2.0` or `*`; raises ValueError."""
    if wanted.strip() == "*":
        return True
    found = RANGE.fullmatch(wanted.strip())
    if not found:
        msg = f"{wanted!r} is not a range such as ^1.2.0."
        raise ValueError(msg)
    sign, base = found[1], Version.parse(found[2])
    if sign in (None, "="):
        return version == base
    return version >= base and (sign == ">=" or version.line(sign) == base.line(sign))
