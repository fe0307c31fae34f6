"""A board: one lane for each value of a field, its records as cards, how many and how much there is in each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds.kind import kind_of
from apps.permissions.access import Access
from apps.portal import records, show
from apps.portal.listing import cards, filters
from apps.portal.listing import page as listing
from apps.portal.listing.address import ListAddress
from apps.portal.listing.filters import Condition

CARDS = 20
MOST_LANES = 24
NONE = "-"  # the lane of records without a value, in addresses and forms


@dataclass(frozen=True)
class Lane:
    """One value of the board's field. `folded` lanes are outside the filter and only take cards in."""

    key: str
    label: str
    tone: str
    cards: list[cards.Card]
    total: int = 0
    sum: str = ""
    more: str = ""
    folded: bool = False
    person: str = ""

    @property
    def count(self) -> str:
        """How many records the lane has, with the reader's separators."""
        return show.number(self.total)


@dataclass(frozen=True)
class Board:
    """What is asked, and by whom."""

    address: ListAddress
    definition: ObjectDef
    access: Access
    by: Actor

    @property
    def field(self) -> FieldDef:
        """The field whose values are the lanes."""
        return self.definition.all_fields[self.address.by]

    def lanes(self, only: Iterable[str] | None = None) -> list[Lane]:
        """Return the lanes in the order of the options, with their first cards; `only` some of them."""
        totals = self._totals()
        keys = [key for key in self.keys(totals) if only is None or key in set(only)]
        people = records.people([key for key in keys if key != NONE]) if not self.field.options else {}
        return [self._lane(key, totals.get(key), people) for key in keys]

    def keys(self, totals: Mapping[str, Any]) -> list[str]:
        """Return the lanes: every option, or every member who has a record; no value where there is such a record."""
        found = [option.value for option in self.field.options] or sorted(
            key for key in totals if key != NONE
        )
        empty = [NONE] if NONE in totals or not (self.field.required or self.field.options) else []
        return [*empty, *found][:MOST_LANES]

    def measured(self) -> FieldDef | None:
        """Return the amount that lanes add up: the first money on the cards."""
        clear = self.access.clear(self.definition)
        shown = [self.definition.all_fields[name] for name in self.address.columns if name in clear]
        return next((f for f in shown if kind_of(f).cell == "currency"), None)

    def _totals(self) -> dict[str, tuple[int, Decimal | None]]:
        amount = self.measured()
        body = self._body(self.address.conditions)
        body["groupBy"] = [{"field": self.field.name, "alias": "lane"}]
        body["aggregations"] = [{"function": "count", "alias": "n"}]
        if amount:
            body["aggregations"] += [{"function": "sum", "field": amount.name, "alias": "amount"}]
        found = records.find(self.definition, body | {"limit": 200}, by=self.by).rows
        return {str(row["lane"] or NONE): (int(row["n"]), row.get("amount")) for row in found}

    def _body(self, conditions: Sequence[Condition]) -> dict[str, Any]:
        body: dict[str, Any] = {}
        where = filters.where(conditions)
        if where:
            body["where"] = where
        if self.address.search:
            body["search"] = self.address.search
        return body

    def _lane(self, key: str, total: Any, people: Mapping[str, str]) -> Lane:
        label = self._label(key, people)
        tone = next((show.tone(o.color) for o in self.field.options if o.value == key), "")
        person = label if key in people else ""
        if total is None:
            return Lane(key, label, tone, [], folded=self._outside(key), person=person)
        found, more = self.page(key)
        amount = self.measured()
        money = show.money_short(total[1], self._currency(amount)) if amount and total[1] is not None else ""
        return Lane(key, label, tone, found, total[0], money, more, person=person)

    def _currency(self, amount: FieldDef) -> str:
        return amount.currency or records.currency()

    def _label(self, key: str, people: Mapping[str, str]) -> str:
        if key == NONE:
            return _("No %(field)s") % {"field": show.label(self.definition, self.field.name)}
        if self.field.options:
            return self.definition.option_label(self.field.name, key, show.locale())
        return people.get(key) or _("former member")

    def _outside(self, key: str) -> bool:
        """Say whether the filter keeps every record of the lane out."""
        root = filters.outermost(self.address.conditions)
        parts = root.items if root.mode == "all" or len(root.items) == 1 else []
        mine = [c for c in parts if isinstance(c, Condition) and c.field == self.field.name]
        return any(
            (c.operator == "in" and key not in c.value.split(","))
            or (c.operator == "nin" and key in c.value.split(","))
            or (c.operator == "is" and key != c.value)
            or (c.operator == "not" and key == c.value)
            for c in mine
        )

    def page(self, key: str, cursor: str = "") -> tuple[list[cards.Card], str]:
        """Return cards of a lane from a cursor on, and the cursor of the rest."""
        body = listing.ast(self.address, self.definition) | {"limit": CARDS, "after": cursor}
        body["fields"] = cards.wanted(self.address, self.definition, self.access)
        lane = {self.field.name: {"$null": True} if key == NONE else {"$eq": key}}
        body["where"] = {"$and": [body["where"], lane]} if "where" in body else lane
        found = records.find(self.definition, body, by=self.by)
        made = cards.many(found.rows, self.address, self.definition, self.access, by=self.by)
        return made, found.next_cursor
