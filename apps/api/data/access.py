"""Which objects and verbs the API serves: what a definition says under `enable`, checked at the door."""

from apps.api.call import Call
from apps.core.errors import NotFound, PermissionDenied
from apps.core.scope import scope_of, tenant_scope
from apps.objects.catalog import Catalog, catalog, seen
from apps.objects.definitions import ObjectDef


def current_catalog(call: Call) -> Catalog:
    """Return the tenant's catalog as fresh as the request, without a round trip when the process has it."""
    if scope_of() is not None:
        return catalog()
    assert call.tenant is not None
    known = seen(call.tenant)
    if known is not None and call.identity is not None and known[0] == call.identity.clock:
        return known[1]
    with tenant_scope(call.tenant):
        return catalog()


OPERATIONS = {
    "get": ("get", "history"),
    "list": ("list", "aggregate", "search"),
    "create": ("create", "upsert", "import"),
    "update": ("update",),
    "delete": ("delete",),
    "bulk": ("bulk",),
}


def operations(obj: ObjectDef) -> list[str]:
    """Return the operations that the API serves on an object, in the protocol's words."""
    if not obj.enable.api_enabled:
        return []
    return [word for verb, words in OPERATIONS.items() if verb in obj.enable.api_methods for word in words]


def served_object(call: Call, name: str, verb: str) -> ObjectDef:
    """Return the object when the API serves `verb` on it.

    `verb` is one of get, list, create, update, delete, bulk. Raises 404 OBJECT_NOT_FOUND and 403
    OBJECT_API_DISABLED.
    """
    obj = current_catalog(call).find(name)
    if obj is None:
        raise NotFound(
            f"Object {name[:80]!r} is not registered.", code="OBJECT_NOT_FOUND", details={"object": name[:80]}
        )
    if not obj.enable.api_enabled or verb not in obj.enable.api_methods:
        raise PermissionDenied(
            f"The API does not serve {verb!r} on {obj.name}.",
            code="OBJECT_API_DISABLED",
            cure="Allow it in the object's definition: enable.apiEnabled and enable.apiMethods.",
            details={"object": obj.name},
        )
    return obj
