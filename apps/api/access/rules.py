"""`/sharing/rules` and `/security/restrictions`: what opens records to groups of people, and what closes them."""

from typing import Any

from django.http import HttpResponse

from apps.api import answers
from apps.api.access.reading import (
    CONDITION,
    LEVEL,
    RECIPIENT,
    SETS,
    WINDOW,
    WINDOW_KINDS,
    Kinds,
    level,
    moment,
    moments,
    named,
    read,
    recipient,
    texts,
    window,
    word,
)
from apps.api.call import Call
from apps.api.contract import OBJECT, TEXT, array, describe, shape
from apps.api.door import Door
from apps.core.errors import Conflict
from apps.core.scope import current_tenant
from apps.objects.records.judging import matching
from apps.permissions import sharing, walls
from apps.permissions.access import access_for
from apps.permissions.directory import directory
from apps.permissions.granting import PERMISSION
from apps.permissions.holdings import people
from apps.permissions.models import Restriction, SharingRule
from apps.permissions.principals import EVERYONE, principal

FLAG = {"type": "boolean"}
RULE_KINDS: Kinds = {
    "name": str,
    "label": str,
    "description": str,
    "object": str,
    "criteria": (str, dict, type(None)),
    "ownerType": str,
    "ownerId": str,
    "recipientType": str,
    "recipientId": str,
    "accessLevel": str,
    "active": bool,
}
RULE_BODY = shape(
    name=TEXT,
    label=TEXT,
    description=TEXT,
    object=TEXT,
    criteria=CONDITION,
    ownerType=RECIPIENT,
    ownerId=TEXT,
    recipientType=RECIPIENT,
    recipientId=TEXT,
    accessLevel=LEVEL,
    active=FLAG,
    required=["name", "object", "recipientType"],
)
WALL_KINDS: Kinds = {
    "name": str,
    "label": str,
    "description": str,
    "object": str,
    "operations": list,
    "fields": list,
    "criteria": (str, dict, type(None)),
    "recipientType": str,
    "recipientId": str,
    "active": bool,
    **WINDOW_KINDS,
}
WALL_BODY = shape(
    name=TEXT,
    label=TEXT,
    description=TEXT,
    object=TEXT,
    operations=SETS,
    fields=SETS,
    criteria=CONDITION,
    recipientType=RECIPIENT,
    recipientId=TEXT,
    active=FLAG,
    **WINDOW,
    required=["name", "object", "operations"],
)


class ManagingDoor(Door):
    """Reading wants `manage_permissions`; the services ask for it themselves."""

    def allow(self, call: Call) -> None:
        """Refuse whoever may not manage permissions."""
        access_for(call.actor).require_system(PERMISSION)


class RulesDoor(ManagingDoor):
    """`GET` and `POST /sharing/rules`."""

    @describe("Sharing rules", answer=shape(data=array(OBJECT)), tag="security")
    def get(self, call: Call) -> HttpResponse:
        self.allow(call)
        return answers.send({"data": [rule_wire(row) for row in SharingRule.objects.all()]})

    @describe("Make or change a sharing rule", answer=OBJECT, status=201, body=RULE_BODY, tag="security")
    def post(self, call: Call) -> HttpResponse:
        given = read(call, RULE_KINDS, "name", "object", "recipientType")
        owners = principal(given["ownerType"], given.get("ownerId", "")) if "ownerType" in given else ""
        made = sharing.put_rule(
            name=given["name"],
            object_name=given["object"],
            label=given.get("label", ""),
            description=given.get("description", ""),
            criteria=given.get("criteria"),
            owners=owners,
            principal=recipient(given),
            level=level(given),
            active=given.get("active", True),
            by=call.actor,
        )
        return answers.send(rule_wire(made), status=201)


class RuleDoor(ManagingDoor):
    """`GET` and `DELETE /sharing/rules/:name`."""

    @describe("A sharing rule", answer=OBJECT, errors=(404,), tag="security")
    def get(self, call: Call, name: str) -> HttpResponse:
        self.allow(call)
        return answers.send(rule_wire(sharing.find_rule(name)))

    @describe("Delete a sharing rule", answer=None, status=204, errors=(404,), tag="security")
    def delete(self, call: Call, name: str) -> HttpResponse:
        sharing.delete_rule(name=name, by=call.actor)
        return HttpResponse(status=204)


class EvaluateRuleDoor(ManagingDoor):
    """`POST /sharing/rules/:name/evaluate`: rules take effect as they are read, so this only counts."""

    reading_posts = True
    replays = False

    @describe("How many records and people a rule concerns", answer=OBJECT, errors=(404, 409), tag="security")
    def post(self, call: Call, name: str) -> HttpResponse:
        self.allow(call)
        row = sharing.find_rule(name)
        known = directory.get()
        owners = people(row.owners, known) if row.owners else None
        found = matching(row.object_name, row.criteria, owners)
        if found is None:
            raise Conflict("The rule's condition has no meaning for its object.", code="INVALID_STATE")
        reached = people(row.principal, known)
        counts = {"matchedRecords": found, "expandedUsers": len(reached) if reached is not None else None}
        nothing = dict.fromkeys(("grantsCreated", "grantsUpdated", "grantsRevoked", "grantsRefused"), 0)
        return answers.send({"ruleId": str(row.id), **counts, **nothing})


class RestrictionsDoor(ManagingDoor):
    """`GET` and `POST /security/restrictions`."""

    @describe("Restrictions", answer=shape(data=array(OBJECT)), tag="security")
    def get(self, call: Call) -> HttpResponse:
        self.allow(call)
        return answers.send({"data": [wall_wire(row) for row in Restriction.objects.all()]})

    @describe("Make or change a restriction", answer=OBJECT, status=201, body=WALL_BODY, tag="security")
    def post(self, call: Call) -> HttpResponse:
        given = read(call, WALL_KINDS, "name", "object", "operations")
        made = walls.put_restriction(
            name=given["name"],
            object_name=given["object"],
            operations=texts(given, "operations"),
            fields=texts(given, "fields"),
            label=given.get("label", ""),
            description=given.get("description", ""),
            criteria=given.get("criteria"),
            active=given.get("active", True),
            principal=recipient(given) if "recipientType" in given else EVERYONE,
            by=call.actor,
            **window(given),
        )
        return answers.send(wall_wire(made), status=201)


class RestrictionDoor(ManagingDoor):
    """`GET` and `DELETE /security/restrictions/:name`."""

    @describe("A restriction", answer=OBJECT, errors=(404,), tag="security")
    def get(self, call: Call, name: str) -> HttpResponse:
        self.allow(call)
        return answers.send(wall_wire(walls.find(name)))

    @describe("Delete a restriction", answer=None, status=204, errors=(404,), tag="security")
    def delete(self, call: Call, name: str) -> HttpResponse:
        walls.delete_restriction(name=name, by=call.actor)
        return HttpResponse(status=204)


def rule_wire(row: SharingRule) -> dict[str, Any]:
    """Return a sharing rule as the protocol shows it."""
    kind, _colon, name = row.owners.partition(":")
    return {
        "id": str(row.id),
        "organization_id": str(current_tenant().id),
        "name": row.name,
        "label": row.label,
        "description": row.description or None,
        "object_name": row.object_name,
        "criteria": row.criteria,
        "owner_type": kind or None,
        "owner_id": name or None,
        **named(row.principal),
        "access_level": word(row.level),
        "active": row.active,
        "managed_by": row.module or "admin",
        "customized": False,
        "created_at": moment(row.created_at),
        "updated_at": moment(row.updated_at),
    }


def wall_wire(row: Restriction) -> dict[str, Any]:
    """Return a restriction as the API shows it."""
    return {
        "id": str(row.id),
        "name": row.name,
        "label": row.label,
        "description": row.description or None,
        "object_name": row.object_name,
        "operations": row.operations,
        "fields": row.fields,
        "criteria": row.criteria,
        **named(row.principal),
        "active": row.active,
        **moments(row),
        "created_at": moment(row.created_at),
        "updated_at": moment(row.updated_at),
    }
