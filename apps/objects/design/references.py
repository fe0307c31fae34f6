"""Where an object is mentioned: whoever drops or renames it sees what hangs on it."""

from dataclasses import dataclass

from apps.objects.catalog import catalog
from apps.permissions.queries import permission_sets


@dataclass(frozen=True)
class Mention:
    """One place that names the object."""

    type: str
    name: str
    label: str
    path: str
    kind: str


def references(name: str) -> list[Mention]:
    """Return the objects with a field that points to `name`, and the permission sets that speak of it."""
    catalog().object(name)
    objects = [
        Mention("object", other.name, other.label, f"fields.{field.name}.reference", "object reference")
        for other, field in catalog().referrers(name)
    ]
    sets = [
        Mention("permission", row.name, row.label, "objects{key}", "permission objects")
        for row in permission_sets()
        if name in row.body.get("objects", {})
    ]
    return [*objects, *sets]
