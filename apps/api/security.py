"""`POST /security/explain`: whether somebody may do something, and which layer says so."""

from typing import ClassVar
from uuid import UUID

from django.http import HttpResponse

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import OBJECT, TEXT, array, describe, shape
from apps.api.door import Door
from apps.api.meta.doors import visible_object
from apps.core.actor import Actor
from apps.core.errors import Invalid, NotFound
from apps.core.scope import current_tenant
from apps.identity.models import Membership
from apps.objects.records import judging
from apps.permissions.access import access_for
from apps.permissions.explain import as_filter, explain
from apps.permissions.rights import Operation

OPERATIONS: dict[str, Operation] = {
    "read": "read",
    "create": "create",
    "update": "edit",
    "edit": "edit",
    "delete": "delete",
    "transfer": "transfer",
    "restore": "delete",
    "purge": "purge",
    "export": "export",
}
LAYERS = {
    "scopes": "required_permissions",
    "object": "object_crud",
    "fields": "fls",
}
KINDS = {"member": "human", "operator": "human", "api_key": "service", "agent": "agent"}
KEYS = frozenset({"object", "operation", "recordId", "userId"})


class ExplainDoor(Door):
    """Explains one's own rights; those of others to whoever may manage permissions."""

    reading_posts: ClassVar[bool] = True
    replays: ClassVar[bool] = False

    @describe(
        "Why somebody may, or may not",
        answer=shape(
            allowed={"type": "boolean"},
            object=TEXT,
            operation=TEXT,
            principal=OBJECT,
            layers=array(OBJECT),
            readFilter={"type": ["object", "null"]},
            record=OBJECT,
            required=["allowed", "object", "operation", "principal", "layers", "readFilter"],
        ),
        body=shape(
            object=TEXT,
            operation={"type": "string", "enum": list(OPERATIONS)},
            recordId=TEXT,
            userId=TEXT,
            required=["object", "operation"],
        ),
        errors=(404,),
        tag="security",
    )
    def post(self, call: Call) -> HttpResponse:
        body = call.mapping()
        if set(body) - KEYS or not all(isinstance(value, str) for value in body.values()):
            raise Invalid("The body is `{object, operation, recordId?, userId?}`, all texts.")
        operation = OPERATIONS.get(body.get("operation", ""))
        if operation is None or "object" not in body:
            raise Invalid(f"object is needed, and operation is one of {', '.join(OPERATIONS)}.")
        obj = visible_object(body["object"], access_for(call.actor))
        actor = _subject(call.actor, body.get("userId"))
        access = access_for(actor)
        record = None
        if body.get("recordId"):
            record = judging.judge(obj.name, body["recordId"], by=call.actor)(access)
        found = explain(access, operation, obj, record)
        layers = [layer.as_dict() for layer in found.layers]
        return answers.send(
            {
                "allowed": found.allowed,
                "object": obj.name,
                "operation": body["operation"],
                "principal": {
                    "userId": str(actor.user_id) if actor.user_id else None,
                    "positions": list(access.facts.get("positions", ())),
                    "permissionSets": [item.name for item in access.grants.sets],
                    "principalKind": KINDS.get(actor.kind, "system"),
                },
                "layers": [layer | {"layer": LAYERS.get(layer["layer"], layer["layer"])} for layer in layers],
                "readFilter": as_filter(access.predicate("read", obj), access.subject),
                **({"record": {"recordId": body["recordId"], "visible": found.allowed}} if record else {}),
            }
        )


def _subject(asker: Actor, user_id: str | None) -> Actor:
    """Return the member whose rights are explained; the asker when nobody is named."""
    if user_id is None or user_id == str(asker.user_id):
        return asker
    access_for(asker).require_system("manage_permissions")
    tenant = current_tenant()
    try:
        rows = Membership.objects.select_related("user").filter(tenant=tenant.id, user=UUID(user_id))
    except ValueError:
        rows = Membership.objects.none()
    member = rows.first()
    if member is None:
        raise NotFound("There is no such member.", code="RESOURCE_NOT_FOUND")
    return Actor(
        kind="member",
        id=str(member.user_id),
        label=str(member.user),
        tenant_id=tenant.id,
        user_id=member.user_id,
        role=member.role,
    )
