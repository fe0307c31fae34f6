"""Where items of each kind of metadata come from, and what of them a caller may see."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.api.meta.items import list_config, object_item, sortability
from apps.objects.catalog import catalog
from apps.objects.definitions import ObjectDef
from apps.permissions.access import Access
from apps.permissions.queries import permission_sets

Items = Callable[[Access, str | None], list[dict[str, Any]]]
Item = Callable[[str, Access, str | None], dict[str, Any] | None]


@dataclass(frozen=True)
class Source:
    """One kind of metadata: how to list it, how to read one, and what clients may do with it."""

    kind: str
    label: str
    domain: str
    items: Items
    item: Item
    writable: bool = False
    order: int = 50

    def entry(self) -> dict[str, Any]:
        """Return the row of `GET /meta`."""
        return {
            "type": self.kind,
            "label": self.label,
            "filePatterns": [f"**/*.{self.kind}.yml"],
            "supportsOverlay": False,
            "allowOrgOverride": False,
            "allowRuntimeCreate": self.writable,
            "supportsVersioning": self.writable,
            "executionPinned": False,
            "loadOrder": self.order,
            "domain": self.domain,
            "schemaId": self.kind,
        }


def visible_objects(access: Access) -> list[ObjectDef]:
    """Return the objects that the caller may read; whoever may change definitions sees all."""
    everything = access.has_system("manage_metadata")
    return [obj for obj in catalog() if everything or access.can("read", obj)]


def seen_fields(obj: ObjectDef, access: Access) -> frozenset[str]:
    """Return the fields of an object whose existence the caller may know."""
    if access.has_system("manage_metadata"):
        return frozenset(obj.all_fields)
    return access.readable(obj)


def _objects(access: Access, locale: str | None) -> list[dict[str, Any]]:
    return [object_item(obj, seen_fields(obj, access), locale) for obj in visible_objects(access)]


def _object(name: str, access: Access, locale: str | None) -> dict[str, Any] | None:
    for obj in visible_objects(access):
        if obj.name == name:
            seen = seen_fields(obj, access)
            return {"sortability": sortability(obj, seen), "item": object_item(obj, seen, locale)}
    return None


def _views(access: Access, locale: str | None) -> list[dict[str, Any]]:
    found = []
    for obj in visible_objects(access):
        seen = seen_fields(obj, access)
        for view in obj.list_views.values() or [obj.default_view]:
            config = list_config(obj, view, seen, locale)
            item = {"name": f"{obj.name}.{view.name}", "label": config["label"], "object": obj.name}
            package = {"_packageId": obj.module} if obj.module else {}
            found.append(item | {"viewKind": "list", "config": config} | package)
    return found


def _sets(access: Access, locale: str | None) -> list[dict[str, Any]]:
    held = {item.name for item in access.grants.sets}
    everything = access.has_system("manage_permissions")
    return [
        {"name": row.name, "label": row.label, "description": row.description, **row.body}
        | {"_provenance": "system" if row.built_in else "package" if row.module else "runtime"}
        | ({"_packageId": row.module} if row.module else {})
        for row in permission_sets()
        if everything or row.name in held
    ]


def _named(items: Items) -> Item:
    def find(name: str, access: Access, locale: str | None) -> dict[str, Any] | None:
        found = next((item for item in items(access, locale) if item["name"] == name), None)
        return {"item": found} if found else None

    return find


SOURCES: Mapping[str, Source] = {
    source.kind: source
    for source in (
        Source("object", "Object", "data", _objects, _object, writable=True, order=10),
        Source("view", "View", "ui", _views, _named(_views), order=30),
        Source("permission", "Permission set", "security", _sets, _named(_sets), order=20),
    )
}
