"""The filter builder: rows as the template draws them, and the conditions that a sent form means."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any, ClassVar
from uuid import uuid4

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds.kind import kind_of
from apps.portal import show
from apps.portal.listing import filters
from apps.portal.listing.address import choices
from apps.portal.listing.filters import Condition
from apps.portal.listing.operators import (
    LIST_SEPARATOR,
    OPERATORS,
    PERIODS,
    RANGE_SEPARATOR,
    Operator,
    offered,
)

INPUT_TYPES = {"date": "date", "datetime": "date", "number": "text", "time": "time"}
MOST_NESTED = 2
PATH = re.compile(r"\d{1,2}(-\d{1,2}){0,4}")


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
    """One line of the builder; `uid` tells the inputs of lines apart."""

    group: str
    fields: Sequence[Named]
    field: str = ""
    operators: Sequence[Operator] = ()
    operator: str = ""
    takes: str = "none"
    value: str = ""
    input_type: str = "text"
    choices: Sequence[Named] = ()
    uid: str = dataclass_field(default_factory=lambda: uuid4().hex[:10])
    is_row: ClassVar[bool] = True

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
    """Lines and groups of which all, any or none must hold; `path` without the modes of its segments."""

    path: str
    mode: str
    items: "list[Row | Group]" = dataclass_field(default_factory=list)
    is_row: ClassVar[bool] = False
    modes: ClassVar[Sequence[tuple[str, Promise]]] = (
        ("all", gettext_lazy("All of these hold")),
        ("any", gettext_lazy("Any of these holds")),
        ("none", gettext_lazy("None of these holds")),
    )

    @property
    def first(self) -> bool:
        """Whether it is the outermost."""
        return "-" not in self.path

    @property
    def deepest(self) -> bool:
        """Whether it holds lines only."""
        return self.path.count("-") >= MOST_NESTED


class Builder:
    """Draws conditions of one object for one reader; `members` are (id, name) for fields that hold members."""

    def __init__(
        self, definition: ObjectDef, readable: frozenset[str], members: Iterable[tuple[str, str]]
    ) -> None:
        self._definition, self._members = definition, list(members)
        names = [name for name in choices(definition, readable) if offered(definition.all_fields[name])]
        self._fields = [Named(name, show.label(definition, name)) for name in names]

    def row(self, group: str, name: str = "", code: str = "", value: str = "", uid: str = "") -> Row:
        """Return one line; an operator that the field does not offer becomes its first."""
        own = uid if uid.isalnum() else uuid4().hex[:10]
        if name not in {item.name for item in self._fields}:
            return Row(group, self._fields, uid=own)
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
            choices=self._periods(value) if operator.takes == "period" else self._choices(found, value),
            uid=own,
        )

    def _periods(self, value: str) -> list[Named]:
        return [Named(code, str(label), code == value) for code, (label, _low, _high) in PERIODS.items()]

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

    def whole(self, conditions: Sequence[Condition]) -> Group:
        """Return the builder's outermost group, with one empty line when there is no condition."""
        made = self._group(filters.outermost(conditions), "0")
        return made if conditions else Group("0", "all", [self.row("0")])

    def _group(self, group: filters.Group, path: str) -> Group:
        items: list[Row | Group] = []
        for item in group.items:
            if isinstance(item, Condition):
                items.append(self.row(path, item.field, item.operator, item.value))
            else:
                items.append(self._group(item, f"{path}-{len(items)}"))
        return Group(path, group.mode, items)

    def new_group(self, parent: str, taken: Sequence[str]) -> Group:
        """Return a further group within `parent` with one empty line; `taken` are the paths in the form."""
        inside = [path.removeprefix(f"{parent}-") for path in taken if path.startswith(f"{parent}-")]
        number = max((int(rest) for rest in inside if rest.isdecimal()), default=-1) + 1
        path = f"{parent}-{number}"
        return Group(path, "any", [self.row(path)])


def path_of(text: str) -> str:
    """Return a path as forms send it; anything else is the outermost group."""
    return text if PATH.fullmatch(text) else "0"


def sent(get: QueryDict) -> list[Condition]:
    """Return the conditions of a sent builder; lines without a field or a needed value are left out."""
    lines = zip(
        get.getlist("group"),
        get.getlist("row"),
        get.getlist("field"),
        get.getlist("operator"),
        get.getlist("value"),
        strict=False,
    )
    found: dict[str, Condition] = {}
    for group, uid, name, code, text in lines:
        operator = OPERATORS.get(code)
        if not name or operator is None or not PATH.fullmatch(group):
            continue
        value = text.strip()
        if operator.takes == "none":
            value = ""
        elif operator.takes == "many":
            value = LIST_SEPARATOR.join(get.getlist(f"value_{uid}"))
        elif operator.takes == "range":
            low, high = get.get(f"low_{uid}", ""), get.get(f"high_{uid}", "")
            value = f"{low}{RANGE_SEPARATOR}{high}" if low or high else ""
        if value or operator.takes == "none":
            condition = Condition(_moded(group, get), name, code, value)
            found[condition.encoded()] = condition
    return list(found.values())


def _moded(group: str, get: QueryDict) -> str:
    """Return the path with the letters of the modes that were chosen for its groups."""
    numbers, made = group.split("-"), []
    for n, number in enumerate(numbers):
        mode = get.get(f"mode_{'-'.join(numbers[: n + 1])}", "all")
        made.append(number + filters.LETTERS.get(mode, ""))
    return "-".join(made)


@dataclass(frozen=True)
class ChipPart:
    """One condition in words; `word` joins it to the one before."""

    field: str
    operator: Any
    value: str
    word: str = ""


@dataclass(frozen=True)
class Chip:
    """One condition or group in words, with the address of the list without it; `word` joins it to the one before."""

    parts: tuple[ChipPart, ...]
    remove_href: str
    word: str = ""
    negated: bool = False


def chip_value(found: FieldDef, definition: ObjectDef, condition: Condition, names: show.Names) -> str:
    """Return the words of a condition's value."""
    takes, value = OPERATORS[condition.operator].takes, condition.value
    if takes == "none":
        return ""
    if takes == "period":
        return str(PERIODS[value][0])
    if takes == "range":
        low, _dots, high = value.partition(RANGE_SEPARATOR)
        return _("%(low)s to %(high)s") % {"low": low or "…", "high": high or "…"}
    if found.options:
        parts = value.split(LIST_SEPARATOR)
        return ", ".join(definition.option_label(found.name, part, show.locale()) for part in parts)
    if found.reference:
        value = names.records.get((found.reference, value), value)
    elif kind_of(found).widget in ("user", "users"):
        value = names.members.get(value, value)
    return value
