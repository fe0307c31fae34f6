"""Which entries a bundle holds: those of a record, those that name a person, those of a period, or all."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from psycopg import sql

from apps.core.canonical import instant
from apps.core.errors import Invalid

Kind = Literal["record", "person", "period", "ledger"]
MOST = 200_000


@dataclass(frozen=True)
class Selection:
    """What was asked for. `target` belongs to a record, `person` to a person, the times to a period."""

    kind: Kind
    target: str = ""
    person: UUID | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None

    def told(self) -> dict[str, str]:
        """Return the selection as a bundle and an entry of the ledger tell it."""
        values = {"kind": self.kind, "target": self.target, "person": str(self.person or "")}
        values["since"] = instant(self.since) if self.since else ""
        values["until"] = instant(self.until) if self.until else ""
        return {key: value for key, value in values.items() if value}

    @property
    def whole(self) -> bool:
        """Whether nothing between the first and the last entry may be missing."""
        return self.kind in ("period", "ledger")


def selection(
    kind: str,
    *,
    target: str = "",
    person: str = "",
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
) -> Selection:
    """Return what these words choose; raises Invalid for anything else."""
    if kind == "record" and ":" in target and not person:
        return Selection("record", target=target)
    if kind == "person" and person and not target:
        try:
            return Selection("person", person=UUID(person))
        except ValueError:
            raise Invalid("A person is named by their id.", code="INVALID_SELECTION") from None
    if kind == "period" and (since or until) and not (since and until and since >= until):
        return Selection("period", since=since, until=until)
    if kind == "ledger":
        return Selection("ledger")
    raise Invalid(
        "Evidence is about a record (target=kind:id), a person (person=id), a period (since, until) or a ledger.",
        code="INVALID_SELECTION",
    )


def condition(chosen: Selection, entry: sql.Identifier) -> tuple[sql.Composable, list[Any]]:
    """Return the SQL condition on entries and its parameters.

    A person's are all entries whose content names their id, as actor, target or value. A period reaches from the
    first to the last entry within it, whatever their order, so that it has no gaps.
    """
    if chosen.kind == "record":
        return sql.SQL("target = %s"), [chosen.target]
    if chosen.kind == "person":
        return sql.SQL("position(%s::bytea IN body) > 0"), [str(chosen.person).encode()]
    if chosen.kind == "period":
        since = chosen.since or dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        until = chosen.until or dt.datetime(9000, 1, 1, tzinfo=dt.UTC)
        within = sql.SQL("SELECT {}(seq) FROM {} WHERE at >= %s AND at < %s")
        ends = [within.format(sql.SQL(word), entry) for word in ("min", "max")]
        return sql.SQL("seq BETWEEN ({}) AND ({})").format(*ends), [since, until, since, until]
    return sql.SQL("TRUE"), []
