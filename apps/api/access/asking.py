"""`/security/what-if`, `/security/suggest` and `/security/matrix`: what a grant would do, which would do, who may what."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse

from apps.api import answers
from apps.api.access.reading import LEVEL, identity, level, read
from apps.api.access.rules import ManagingDoor
from apps.api.call import Call
from apps.api.contract import OBJECT, TEXT, Parameter, array, describe, shape
from apps.api.meta.doors import visible_object
from apps.api.security import OPERATIONS
from apps.core.errors import FieldError, Invalid
from apps.identity import queries as people
from apps.identity.models import MembershipState
from apps.objects.definitions import ObjectDef
from apps.objects.records import judging
from apps.permissions import known, matrix, proposals
from apps.permissions.access import Access, access_for
from apps.permissions.granting import require_member
from apps.permissions.principals import check
from apps.permissions.proposals import Proposal
from apps.permissions.rights import Operation

MOST_PEOPLE = 200
GRANT = shape(
    kind={"type": "string", "enum": list(proposals.KINDS)},
    name=TEXT,
    userId=TEXT,
    group=TEXT,
    principal=TEXT,
    accessLevel=LEVEL,
    required=["kind"],
)
ASKED = {"object": str, "operation": str, "recordId": str, "userId": str, "grant": dict}


class WhatIfDoor(ManagingDoor):
    """Needs `manage_permissions`; nothing is written."""

    reading_posts = True
    replays = False

    @describe(
        "What a proposed grant would change, and for whom",
        answer=OBJECT,
        body=shape(
            object=TEXT,
            operation=TEXT,
            recordId=TEXT,
            userId=TEXT,
            grant=GRANT,
            required=["object", "operation", "grant"],
        ),
        errors=(404,),
        tag="security",
    )
    def post(self, call: Call) -> HttpResponse:
        self.allow(call)
        given = read(call, ASKED, "object", "operation", "grant")
        obj, op = _about(call, given)
        proposal = _proposal(given["grant"])
        look = _look(call, obj, given)
        everybody = [
            row.user_id for row in people.members().filter(state=MembershipState.ACTIVE)[:MOST_PEOPLE]
        ]
        gaining = proposals.gains(proposal, op, obj, look, everybody)
        answer: dict[str, Any] = {
            "object": obj.name,
            "operation": given["operation"],
            "gains": list(map(str, gaining)),
        }
        answer |= {"asked": len(everybody)}
        if given.get("userId"):
            user_id = identity(given["userId"], "member")
            require_member(user_id)
            before = proposals.access_with(user_id, None, obj)
            after = proposals.access_with(user_id, proposal, obj)
            answer["before"] = proposals.allows(before, op, obj, look(before), None)
            answer["after"] = proposals.allows(after, op, obj, look(after), proposal)
            answer["cost"] = proposals.cost(before, after, list(known.every()))
        return answers.send(answer)


class SuggestDoor(ManagingDoor):
    """Needs `manage_permissions`; every suggestion was tried with the compiler."""

    reading_posts = True
    replays = False

    @describe(
        "The smallest grants that would allow it",
        answer=shape(suggestions=array(OBJECT)),
        body=shape(
            object=TEXT,
            operation=TEXT,
            recordId=TEXT,
            userId=TEXT,
            required=["object", "operation", "userId"],
        ),
        errors=(404,),
        tag="security",
    )
    def post(self, call: Call) -> HttpResponse:
        self.allow(call)
        given = read(
            call,
            {key: kind for key, kind in ASKED.items() if key != "grant"},
            "object",
            "operation",
            "userId",
        )
        obj, op = _about(call, given)
        user_id = identity(given["userId"], "member")
        require_member(user_id)
        found = proposals.suggest(user_id, op, obj, _look(call, obj, given), list(known.every()))
        return answers.send(
            {"suggestions": [item.proposal.as_dict() | {"cost": item.cost} for item in found]}
        )


class MatrixDoor(ManagingDoor):
    """Needs `manage_permissions`; equal rights give equal bytes, so that two answers can be compared."""

    @describe(
        "Who may do what with which object: members, or with `of=sets` the permission sets",
        answer=shape(subjects=array(OBJECT)),
        parameters=(Parameter("of", "`members` or `sets`"),),
        tag="security",
    )
    def get(self, call: Call) -> HttpResponse:
        self.allow(call)
        of = call.params.get("of", "members")
        if of not in ("members", "sets"):
            fault = FieldError("of", "invalid_option", "members or sets.", options=["members", "sets"])
            raise Invalid(fault.message, [fault])
        objects = list(known.every())
        if of == "sets":
            rows = matrix.of_sets(objects)
        else:
            active = people.members().filter(state=MembershipState.ACTIVE).order_by("user_id")
            rows = matrix.of_members([row.user_id for row in active], objects)
        return answers.send({"subjects": [row.as_dict() for row in rows]})


def _about(call: Call, given: dict[str, Any]) -> tuple[ObjectDef, Operation]:
    operation = OPERATIONS.get(given["operation"])
    if operation is None:
        fault = FieldError(
            "operation", "invalid_option", "There is no such operation.", options=list(OPERATIONS)
        )
        raise Invalid(fault.message, [fault])
    return visible_object(given["object"], access_for(call.actor)), operation


def _look(call: Call, obj: ObjectDef, given: dict[str, Any]) -> proposals.Look:
    """Return how the record of the question is seen with other rights; nothing when none is asked about."""
    if not given.get("recordId"):
        return _nothing
    return judging.judge(obj.name, given["recordId"], by=call.actor)


def _nothing(_access: Access) -> None:
    return None


def _proposal(given: Any) -> Proposal:
    texts = {key: given.get(key, "") for key in ("name", "group", "principal")}
    if given.get("kind") not in proposals.KINDS or not all(
        isinstance(value, str) for value in texts.values()
    ):
        fault = FieldError(
            "grant.kind", "invalid_option", "There is no such grant.", options=list(proposals.KINDS)
        )
        raise Invalid(fault.message, [fault])
    user_id: UUID | None = None
    if given["kind"] in ("assign", "join"):
        user_id = identity(str(given.get("userId", "")), "member")
        require_member(user_id)
    if given["kind"] == "share":
        check(texts["principal"])
    made = Proposal(given["kind"], user_id=user_id, level=level(given), **texts)
    proposals.check(made)
    return made
