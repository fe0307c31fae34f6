"""The functions an expression may call, by signature: what each takes and what it gives.

`f(x, y)` and `x.f(y)` are the same call. `T` stands for one type throughout a signature, `*` after the last
parameter lets it come again, and `|` parts alternatives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType

from apps.core.cel.types import DYN, NAMED, Type, list_of

ANY = Type("T")
DAY_PARTS = ("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear")
CLOCK_PARTS = (*DAY_PARTS, "getHours", "getMinutes", "getSeconds", "getMilliseconds")
STANDARD = """
size(string|bytes|list|map) int
contains(string, string) bool
startsWith(string, string) bool
endsWith(string, string) bool
matches(string, string) bool
int(int|uint|double|decimal|string|timestamp|bool) int
uint(int|uint|double|decimal|string) uint
double(int|uint|double|string) double
decimal(int|uint|double|decimal|string) decimal
string(int|uint|double|decimal|string|bytes|bool|date|timestamp|duration) string
bytes(string|bytes) bytes
bool(bool|string) bool
timestamp(string|timestamp|int|date) timestamp
duration(string|duration) duration
type(T) type
dyn(T) dyn
getHours(duration) int
getMinutes(duration) int
getSeconds(duration) int
getMilliseconds(duration) int
""" + "\n".join(f"{name}(timestamp) int\n{name}(timestamp, string) int" for name in CLOCK_PARTS)
# double() of an exact number stays exact: there is no rounding to lose money by.
MORE = """
double(decimal) decimal
len(string|bytes|list|map) int
contains(list, T) bool
now() timestamp
today() date
daysFromNow(int|decimal) date
daysAgo(int|decimal) date
addDays(date, int|decimal) date
addDays(timestamp, int|decimal) timestamp
addMonths(date, int|decimal) date
addMonths(timestamp, int|decimal) timestamp
date(string|timestamp|date) date
datetime(string|date|timestamp) timestamp
daysBetween(date|timestamp, date|timestamp) int
isBlank(T) bool
isEmpty(T) bool
coalesce(T, T*) T
trim(string) string
upper(string) string
lower(string) string
joinNonEmpty(list, string) string
abs(int) int
abs(decimal) decimal
abs(double) double
round(int|decimal) decimal
round(int|decimal, int) decimal
floor(int|decimal) decimal
ceil(int|decimal) decimal
min(T, T, T*) T
max(T, T, T*) T
min(list<T>) T
max(list<T>) T
"""
SHAPE = re.compile(r"(\w+)\(([^)]*)\) (\w+)")


@dataclass(frozen=True, slots=True)
class Signature:
    """One way to call a function."""

    name: str
    params: tuple[Type, ...]
    result: Type
    repeats: bool = False

    def __str__(self) -> str:
        shown = [str(param) for param in self.params]
        return f"{self.name}({', '.join(shown)}{'…' if self.repeats else ''}) {self.result}"


Signatures = Mapping[str, tuple[Signature, ...]]


def _type(text: str) -> Type:
    if text == "T":
        return ANY
    if text == "list":
        return list_of(DYN)
    if text == "list<T>":
        return list_of(ANY)
    return Type("map", (DYN, DYN)) if text == "map" else NAMED[text]


def _read(table: str) -> Iterator[Signature]:
    for line in table.split("\n"):
        match = SHAPE.fullmatch(line.strip())
        if match is None:
            continue
        name, params, result = match.groups()
        words = [word.strip() for word in params.split(",") if word.strip()]
        repeats = bool(words) and words[-1].endswith("*")
        choices = [[_type(one) for one in word.removesuffix("*").split("|")] for word in words]
        for chosen in product(*choices):
            yield Signature(name, chosen, _type(result), repeats)


def _table(*texts: str) -> Signatures:
    found: dict[str, list[Signature]] = {}
    for text in texts:
        for signature in _read(text):
            found.setdefault(signature.name, []).append(signature)
    return MappingProxyType({name: tuple(all_) for name, all_ in found.items()})


STANDARD_FUNCTIONS = _table(STANDARD)
FUNCTIONS = _table(STANDARD, MORE)
