"""What a person may open: the installed modules with those of their objects that the person may read."""

from typing import Any

from django.http import HttpResponse

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import OBJECT, Parameter, array, describe, shape
from apps.api.door import Door
from apps.api.meta.doors import locale_of
from apps.modules import install
from apps.objects.catalog import catalog
from apps.objects.definitions import ObjectDef
from apps.permissions.access import access_for

OWN = "own"


class AppsDoor(Door):
    """`GET /me/apps`: one entry a module; the tenant's own objects make the last."""

    @describe(
        "The modules with the objects that the caller may read",
        answer=shape(apps=array(OBJECT)),
        parameters=[Parameter("Accept-Language", "Language of the labels.", place="header")],
        tag="meta",
    )
    def get(self, call: Call) -> HttpResponse:
        access, locale = access_for(call.actor), locale_of(call)
        readable = [obj for obj in catalog() if access.can("read", obj)]
        named = {row.module: (row.name, row.manifest.get("description", "")) for row in install.installed()}
        groups: dict[str, list[ObjectDef]] = {}
        for obj in readable:
            groups.setdefault(obj.module or OWN, []).append(obj)
        made = [app(key, *named.get(key, (key, "")), items, locale) for key, items in groups.items()]
        return answers.send({"apps": sorted(made, key=lambda item: (item["name"] == OWN, item["label"]))})


def app(key: str, label: str, about: str, items: list[ObjectDef], locale: str | None) -> dict[str, Any]:
    """Return one module as an entry of the menu."""
    entries = [
        {
            "id": f"nav_{obj.name}",
            "type": "object",
            "label": obj.label_for(locale, plural=True),
            "objectName": obj.name,
            "icon": obj.icon or "box",
        }
        for obj in items
    ]
    return {
        "name": key,
        "label": label,
        "description": about,
        "icon": "package",
        "active": True,
        "isDefault": False,
        "branding": {},
        "requiredPermissions": [],
        "navigation": entries,
        "_packageId": None if key == OWN else key,
    }
