"""The side navigation: what is installed and what of it the member may read."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.objects.catalog import catalog
from apps.objects.definitions import ObjectDef
from apps.permissions.access import access_for
from apps.portal import modules, show

ICONS = {
    "user": "user",
    "users": "users",
    "building": "building",
    "briefcase": "briefcase",
    "target": "target-arrow",
}


@dataclass(frozen=True)
class Item:
    """One object in the navigation."""

    name: str
    label: str
    plural: str
    icon: str
    can_create: bool


@dataclass(frozen=True)
class Group:
    """One module with its objects."""

    key: str
    label: str
    items: list[Item]


def icon_of(definition: ObjectDef) -> str:
    """Return the icon's Tabler name."""
    return ICONS.get(definition.icon, definition.icon) or "box"


def groups(actor: Actor) -> list[Group]:
    """Return the modules in the order of their labels; the tenant's own objects stand last."""
    access, locale = access_for(actor), show.locale()
    by_module: dict[str, list[Item]] = {}
    for definition in catalog():
        if access.can("read", definition):
            item = Item(
                definition.name,
                definition.label_for(locale),
                definition.label_for(locale, plural=True),
                icon_of(definition),
                bool(access.can("create", definition)),
            )
            by_module.setdefault(definition.module or "", []).append(item)
    labels = modules.labels() if by_module else {}
    found = [Group(key, labels.get(key, key) or _("Own objects"), items) for key, items in by_module.items()]
    return sorted(found, key=lambda group: (not group.key, group.label.casefold()))
