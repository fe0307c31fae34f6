"""`/security/groups`, `/security/assignments` and `/security/emergency`: who holds what, and for how long."""

from typing import Any

from django.http import HttpResponse

from apps.api import answers
from apps.api.access.reading import (
    NULLABLE,
    SETS,
    WINDOW,
    WINDOW_KINDS,
    Kinds,
    identity,
    moments,
    read,
    texts,
    window,
)
from apps.api.access.rules import ManagingDoor
from apps.api.call import Call
from apps.api.contract import OBJECT, TEXT, array, describe, shape
from apps.api.door import Door
from apps.core.errors import NotFound
from apps.permissions import emergency, groups, services
from apps.permissions.models import Assignment, Group

GROUP_KINDS: Kinds = {
    "name": str,
    "kind": str,
    "label": str,
    "parent": (str, type(None)),
    "sets": list,
    "inherits": bool,
}
ROLE_OR_TEAM = {"type": "string", "enum": ["role", "team"]}


class GroupsDoor(ManagingDoor):
    """`GET` and `POST /security/groups`."""

    @describe("Roles and teams with their members", answer=shape(data=array(OBJECT)), tag="security")
    def get(self, call: Call) -> HttpResponse:
        self.allow(call)
        rows = Group.objects.select_related("parent").prefetch_related("members")
        return answers.send({"data": [group_wire(row) for row in rows]})

    @describe(
        "Make or change a role or team",
        answer=OBJECT,
        status=201,
        body=shape(
            name=TEXT,
            kind=ROLE_OR_TEAM,
            label=TEXT,
            parent=NULLABLE,
            sets=SETS,
            inherits={"type": "boolean"},
            required=["name", "kind"],
        ),
        tag="security",
    )
    def post(self, call: Call) -> HttpResponse:
        given = read(call, GROUP_KINDS, "name", "kind")
        made = groups.put_group(
            name=given["name"],
            kind=given["kind"],
            label=given.get("label", ""),
            parent=given.get("parent"),
            sets=texts(given, "sets"),
            inherits=given.get("inherits", False),
            by=call.actor,
        )
        return answers.send(group_wire(made), status=201)


class GroupDoor(ManagingDoor):
    """`DELETE /security/groups/:name`."""

    @describe("Delete a role or team", answer=None, status=204, errors=(404, 409), tag="security")
    def delete(self, call: Call, name: str) -> HttpResponse:
        self.allow(call)
        groups.delete_group(name=name, by=call.actor)
        return HttpResponse(status=204)


class GroupMemberDoor(ManagingDoor):
    """`PUT` and `DELETE /security/groups/:name/members/:user_id`."""

    @describe(
        "Let a member belong to a role or team",
        answer=OBJECT,
        body=shape(**WINDOW, required=[]),
        body_required=False,
        errors=(404,),
        tag="security",
    )
    def put(self, call: Call, name: str, user_id: str) -> HttpResponse:
        self.allow(call)
        given = read(call, WINDOW_KINDS) if call.raw else {}
        made = groups.join(name=name, user_id=identity(user_id, "member"), by=call.actor, **window(given))
        return answers.send({"changed": made})

    @describe("Let them belong to it no longer", answer=None, status=204, errors=(404,), tag="security")
    def delete(self, call: Call, name: str, user_id: str) -> HttpResponse:
        self.allow(call)
        if not groups.leave(name=name, user_id=identity(user_id, "member"), by=call.actor):
            raise NotFound("They do not belong to it.", code="RESOURCE_NOT_FOUND")
        return HttpResponse(status=204)


class AssignmentsDoor(ManagingDoor):
    """`GET` and `POST /security/assignments`."""

    @describe(
        "Who holds which permission set by assignment", answer=shape(data=array(OBJECT)), tag="security"
    )
    def get(self, call: Call) -> HttpResponse:
        self.allow(call)
        rows = Assignment.objects.order_by("set_name", "user_id")
        return answers.send({"data": [assignment_wire(row) for row in rows]})

    @describe(
        "Give a member a permission set, for a time when one is said",
        answer=OBJECT,
        status=201,
        body=shape(
            userId=TEXT, permissionSet=TEXT, reason=TEXT, **WINDOW, required=["userId", "permissionSet"]
        ),
        errors=(404,),
        tag="security",
    )
    def post(self, call: Call) -> HttpResponse:
        kinds = {"userId": str, "permissionSet": str, "reason": str, **WINDOW_KINDS}
        given = read(call, kinds, "userId", "permissionSet")
        made = services.assign(
            user_id=identity(given["userId"], "member"),
            name=given["permissionSet"],
            reason=given.get("reason", ""),
            by=call.actor,
            **window(given),
        )
        return answers.send({"changed": made}, status=201)


class AssignmentDoor(ManagingDoor):
    """`DELETE /security/assignments/:user_id/:name`."""

    @describe("Take a permission set from a member", answer=None, status=204, errors=(404,), tag="security")
    def delete(self, call: Call, user_id: str, name: str) -> HttpResponse:
        self.allow(call)
        if not services.unassign(user_id=identity(user_id, "member"), name=name, by=call.actor):
            raise NotFound("They do not hold it by assignment.", code="RESOURCE_NOT_FOUND")
        return HttpResponse(status=204)


class EmergencyDoor(ManagingDoor):
    """`GET /security/emergency` for managers, `POST` for holders of `break_glass`."""

    @describe("Who has emergency access now", answer=shape(data=array(OBJECT)), tag="security")
    def get(self, call: Call) -> HttpResponse:
        self.allow(call)
        return answers.send({"data": [assignment_wire(row) for row in emergency.standing()]})

    @describe(
        "Take emergency access to all records for some minutes",
        answer=OBJECT,
        status=201,
        body=shape(reason=TEXT, minutes={"type": "integer"}, required=["reason"]),
        tag="security",
    )
    def post(self, call: Call) -> HttpResponse:
        given = read(call, {"reason": str, "minutes": int}, "reason")
        made = emergency.break_glass(reason=given["reason"], minutes=given.get("minutes", 60), by=call.actor)
        return answers.send(assignment_wire(made), status=201)


class EndEmergencyDoor(Door):
    """`DELETE /security/emergency/:user_id`: one's own, or for managers anybody's."""

    @describe(
        "End emergency access before its time", answer=None, status=204, errors=(404, 409), tag="security"
    )
    def delete(self, call: Call, user_id: str) -> HttpResponse:
        emergency.mend_glass(user_id=identity(user_id, "member"), by=call.actor)
        return HttpResponse(status=204)


def group_wire(row: Group) -> dict[str, Any]:
    """Return a role or team as the API shows it."""
    return {
        "id": str(row.id),
        "name": row.name,
        "kind": row.kind,
        "label": row.label,
        "parent": row.parent.name if row.parent else None,
        "sets": row.sets,
        "inherits": row.inherits,
        "members": [{"user_id": str(item.user_id), **moments(item)} for item in row.members.all()],
    }


def assignment_wire(row: Assignment) -> dict[str, Any]:
    """Return an assignment as the API shows it."""
    return {
        "user_id": str(row.user_id),
        "permission_set": row.set_name,
        "reason": row.reason or None,
        "emergency": row.emergency,
        "assigned_by": row.assigned_by or None,
        **moments(row),
    }
