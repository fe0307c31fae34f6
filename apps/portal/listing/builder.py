"""The filter builder: rows as the template draws them, and the conditions that a sent form means."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds.kind import kind_of
from apps.portal import show
from apps.portal.listing.address import choices
from apps.portal.listing.filters import Condition
from apps.portal.listing.operators import LIST_SEPARATOR, OPERATORS, RANGE_SEPARATOR, Operator, offered

INPUT_TYPES = {"date": "date", "datetime": "date", "number": "text", "time": "time"}
MOST_SHOWN = 6


@dataclass(frozen=True)
class Named:
    """A name with its words; `selected` for options."""

    name: str
    label: str
    selected: bool = False

    @property
    def value(self) -> str:
        """The name, for options."""
        return self.name


@dataclass(frozen=True)
class Row:
    """One line of the builder."""

    group: int
    fields: Sequence[Named]
    field: str = ""
    operators: Sequence[Operator] = ()
    operator: str = ""
    takes: str = "none"
    value: str = ""
    input_type: str = "text"
    choices: Sequence[Named] = ()

    @property
    def choices_size(self) -> int:
        """How many options a multiple select shows."""
        return min(len(self.choices), MOST_SHOWN)

    @property
    def low(self) -> str:
        """The lower bound of a range."""
        return self.value.partition(RANGE_SEPARATOR)[0]

    @property
    def high(self) -> str:
        """The upper bound of a range."""
        return self.value.partition(RANGE_SEPARATOR)[2]


@dataclass(frozen=True)
class Group:
    """Conditions that must all hold."""

    key: int
    first: bool
    rows: list[Row] = field(default_factory=list)


class Builder:
    """Draws conditions of one object for one reader; `members` are (id, name) for fields that hold members."""

    def __init__(
        self, definition: ObjectDef, readable: frozenset[str], members: Iterable[tuple[str, str]]
    ) -> None:
        self._definition, self._members = definition, list(members)
        names = [name for name in choices(definition, readable) if offered(definition.all_fields[name])]
        self._fields = [Named(name, show.label(definition, name)) for name in names]

    def row(self, group: int, name: str = "", code: str = "", value: str = "") -> Row:
        """Return one line; an operator that the field does not offer becomes its first."""
        if name not in {item.name for item in self._fields}:
            return Row(group, self._fields)
        found = self._definition.all_fields[name]
        operators = offered(found)
        operator = OPERATORS[code] if code in {item.code for item in operators} else operators[0]
        kind = kind_of(found)
        return Row(
            group=group,
            fields=self._fields,
            field=name,
            operators=operators,
            operator=operator.code,
            takes=operator.takes,
            value=value,
            input_type="number" if operator.takes == "days" else INPUT_TYPES.get(kind.widget, "text"),
            choices=self._choices(found, value),
        )

    def _choices(self, found: FieldDef, value: str) -> list[Named]:
        chosen = value.split(LIST_SEPARATOR)
        if found.options:
            label = self._definition.option_label
            return [
                Named(o.value, label(found.name, o.value, show.locale()), o.value in chosen)
                for o in found.options
            ]
        if kind_of(found).widget in ("user", "users"):
            return [Named(key, name, key in chosen) for key, name in self._members]
        return []

    def groups(self, conditions: Sequence[Condition]) -> list[Group]:
        """Return the whole builder, with one empty line when there is no condition."""
        found: dict[int, Group] = {}
        for c in conditions:
            group = found.setdefault(c.group, Group(c.group, first=not found))
            group.rows.append(self.row(c.group, c.field, c.operator, c.value))
        return list(found.values()) or [Group(0, first=True, rows=[self.row(0)])]

    def new_group(self, taken: Sequence[str]) -> Group:
        """Return a further group with one empty line; `taken` are the groups in the form."""
        keys = [int(key) for key in taken if key.isdigit()]
        key = max(keys, default=-1) + 1
        return Group(key, first=False, rows=[self.row(key)])


def sent(get: QueryDict) -> list[Condition]:
    """Return the conditions of a sent builder; lines without a field or a needed value are left out."""
    lines = zip(
        get.getlist("group"),
        get.getlist("field"),
        get.getlist("operator"),
        get.getlist("value"),
        strict=False,
    )
    found: dict[str, Condition] = {}
    for group, name, code, text in lines:
        operator = OPERATORS.get(code)
        if not name or operator is None or not group.isdigit():
            continue
        value = text.strip()
        if operator.takes == "none":
            value = ""
        elif operator.takes == "many":
            value = LIST_SEPARATOR.join(get.getlist(f"value_{group}_{name}"))
        elif operator.takes == "range":
            low, high = get.get(f"low_{group}_{name}", ""), get.get(f"high_{group}_{name}", "")
            value = f"{low}{RANGE_SEPARATOR}{high}" if low or high else ""
        if value or operator.takes == "none":
            condition = Condition(int(group), name, code, value)
            found[condition.encoded()] = condition
    return list(found.values())


@dataclass(frozen=True)
class Chip:
    """A condition in words, with the address of the list without it."""

    field: str
    operator: Any
    value: str
    remove_href: str
    starts_group: bool


def chip_value(found: FieldDef, definition: ObjectDef, condition: Condition, names: show.Names) -> str:
    """Return the words of a condition's value."""
    operator = OPERATORS[condition.operator]
    if operator.takes == "none":
        return ""
    if operator.takes == "range":
        low, _dots, high = condition.value.partition(RANGE_SEPARATOR)
        return _("%(low)s to %(high)s") % {"low": low or "…", "high": high or "…"}
    if found.options:
        parts = condition.value.split(LIST_SEPARATOR)
        return ", ".join(definition.option_label(found.name, part, show.locale()) for part in parts)
    if found.reference:
        return names.records.get((found.reference, condition.value), condition.value)
    if kind_of(found).widget in ("user", "users"):
        return names.members.get(condition.value, condition.value)
    return condition.value
