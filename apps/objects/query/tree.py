"""A query as values. Comparands are not in the tree: a `slot` is an index into `Query.values`.

So two queries of one shape are equal trees, and the compiled statement of the shape serves both.
"""

from dataclasses import dataclass
from typing import Any, Literal

Operator = Literal[
    "eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "contains", "not_contains",
    "starts", "ends", "icontains", "like", "ilike", "null", "not_null", "has", "has_not",
    "has_id", "has_not_id", "under", "above",
]  # fmt: skip
CountKind = Literal["none", "exact", "capped", "estimated"]


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison of a field with the value in `slot`; `null` and `not_null` need none.

    `blind`: of an encrypted field, by the part of its bytes that is equal for equal values.
    """

    field: str
    operator: Operator
    slot: int = -1
    blind: bool = False


@dataclass(frozen=True, slots=True)
class FieldTest:
    """One comparison of two fields of the record; the other one is moved by the days in `days`, if any."""

    field: str
    operator: Operator
    other: str
    days: int | None = None


@dataclass(frozen=True, slots=True)
class Every:
    """All of the parts; none means everything."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one of the parts; none means nothing."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Inverse:
    """Not the part; rows where the part is unknown (NULL) are in."""

    part: "Node"


Node = Test | FieldTest | Every | Some | Inverse
EVERYTHING = Every(())


@dataclass(frozen=True, slots=True)
class Sort:
    """One key of the order."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Expand:
    """A reference replaced by the record it points to; `fields` None means all readable ones."""

    field: str
    fields: tuple[str, ...] | None = None
    where: Node = EVERYTHING
    expand: tuple["Expand", ...] = ()


@dataclass(frozen=True, slots=True)
class Value:
    """A field of the record under a name of the caller's."""

    alias: str
    field: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A text that every record shows under that name."""

    alias: str
    text: str


@dataclass(frozen=True, slots=True)
class Again:
    """The same record once more, as other `outputs`."""

    alias: str
    outputs: tuple["Output", ...]


@dataclass(frozen=True, slots=True)
class Follow:
    """The record behind a reference, as `outputs`; null when the reader may not see it."""

    alias: str
    field: str
    outputs: tuple["Output", ...]


@dataclass(frozen=True, slots=True)
class Part:
    """What a `Gather` shows under one name: its records as `outputs`, their number, whether there are more, or a text."""

    alias: str
    kind: Literal["records", "total", "more", "text"]
    outputs: tuple["Output", ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Gather:
    """The records of another object whose reference `field` points to this one; `limit`, `offset` are slots."""

    alias: str
    object: str
    field: str
    parts: tuple[Part, ...]
    limit: int
    offset: int
    where: Node = EVERYTHING
    sort: tuple[Sort, ...] = ()
    search: "Search | None" = None


Output = Value | Constant | Again | Follow | Gather


@dataclass(frozen=True, slots=True)
class Search:
    """Every term must occur in one of `fields` (None: the object's searchable ones), in any case."""

    slots: tuple[int, ...]
    fields: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """One key of an aggregate row; dates may be cut to a bucket, instants in the days of `zone`."""

    field: str
    alias: str
    bucket: str | None = None
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Measure:
    """One aggregate; `field` is None for count(*)."""

    function: str
    alias: str
    field: str | None = None
    where: Node = EVERYTHING


@dataclass(frozen=True, slots=True)
class Shape:
    """All that decides the statement; equal shapes share one."""

    object: str
    where: Node = EVERYTHING
    fields: tuple[str, ...] | None = None
    sort: tuple[Sort, ...] = ()
    expand: tuple[Expand, ...] = ()
    search: Search | None = None
    groups: tuple[Group, ...] = ()
    measures: tuple[Measure, ...] = ()
    having: Node = EVERYTHING
    count: CountKind = "none"
    paged: bool = False
    after: tuple[bool, ...] | None = None  # per sort key: whether the cursor's value is NULL
    deleted: bool = False
    outputs: tuple[Output, ...] | None = (
        None  # the record as the caller wants it, in place of `fields` and `expand`
    )

    @property
    def aggregates(self) -> bool:
        """Whether the rows are groups instead of records."""
        return bool(self.groups or self.measures)


@dataclass(frozen=True, slots=True)
class Query:
    """A shape and its values. `named` are the fields whose values the result would tell besides the selected."""

    shape: Shape
    values: tuple[Any, ...] = ()
    limit: int = 100
    offset: int = 0
    cursor: str | None = None
    named: frozenset[str] = frozenset()
