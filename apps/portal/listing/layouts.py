"""The layouts of a list: which of them an object offers, and by which field they arrange its records."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.objects.definitions import VIEW_TYPES, FieldDef, ObjectDef
from apps.objects.parse.views import dates_a_calendar, groups_a_board

ICONS: Mapping[str, str] = {
    "table": "table",
    "board": "layout-kanban",
    "calendar": "calendar-month",
    "gallery": "layout-grid",
}
LABELS: Mapping[str, Promise] = {
    "table": _("Table"),
    "board": _("Board"),
    "calendar": _("Calendar"),
    "gallery": _("Gallery"),
}
LAST_CHOICES = ("created_by", "updated_by", "created_at", "updated_at")


@dataclass(frozen=True)
class Choice:
    """One layout of the switch: its words, its icon, where it leads."""

    name: str
    label: str
    icon: str
    href: str
    current: bool


def fields(layout: str, definition: ObjectDef, clear: frozenset[str]) -> list[FieldDef]:
    """Return the fields by which a layout can arrange the records, the best first; none for table and gallery."""
    fits = {"board": groups_a_board, "calendar": dates_a_calendar}.get(layout)
    if fits is None:
        return []
    found = [
        f
        for f in definition.all_fields.values()
        if f.name in clear and not f.hidden and fits(f) and (f.name != "owner_id" or definition.owner_field)
    ]
    return sorted(found, key=lambda f: (f.name in LAST_CHOICES, f.system, not f.required, not _coloured(f)))


def _coloured(field: FieldDef) -> bool:
    return any(option.color for option in field.options)


def offered(definition: ObjectDef, clear: frozenset[str]) -> list[str]:
    """Return the layouts of an object: a board needs a field for its lanes, a calendar one for its days."""
    free = ("table", "gallery")
    return [name for name in VIEW_TYPES if name in free or fields(name, definition, clear)]


def chosen(layout: str, by: str, definition: ObjectDef, clear: frozenset[str]) -> tuple[str, str]:
    """Return the layout and its field that an address asks for; what is not offered becomes the table."""
    if layout not in offered(definition, clear):
        return "table", ""
    possible = [field.name for field in fields(layout, definition, clear)]
    return layout, by if by in possible else (possible[0] if possible else "")
