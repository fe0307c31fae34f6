"""Tenants as organizations, and their members, as the better-auth client asks for them."""

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from django.utils.translation import gettext as _

from apps.api import answers
from apps.api.auth.given import Body
from apps.api.auth.shapes import (
    OK,
    USER,
    invitation_body,
    member_body,
    organization_body,
    place_body,
    session_body,
    user_body,
)
from apps.api.auth.signing import SCOPE, AuthDoor, PublicDoor
from apps.api.call import Call
from apps.api.contract import OBJECT, TEXT, Parameter, array, describe, shape
from apps.core.errors import NotFound, PermissionDenied, Problem
from apps.identity import queries
from apps.identity.models import Membership
from apps.identity.place import place_of, scope_at
from apps.identity.services import invitations, members, sign_in
from apps.tenants.models import Tenant

NAMED = [Parameter("organizationId", "The tenant; it must be the one of the request.")]
INVITE = Body(required={"email": str, "role": str}, optional={"organizationId": str})
ACCEPT = Body(required={"token": str, "password": str}, optional={"name": str})
CANCEL = Body(required={"invitationId": str})
ROLE = Body(required={"memberId": str, "role": str}, optional={"organizationId": str})
REMOVE = Body(required={"memberIdOrEmail": str}, optional={"organizationId": str})
ACTIVE = Body(required={"organizationId": str})
CREATE = Body(required={"email": str}, optional={"password": str, "name": str, "role": str})
USER_ROLES = {"user": "member"}


class TenantDoor(AuthDoor):
    """A door that works in the caller's tenant."""

    needs_tenant: ClassVar[bool] = True
    opens: ClassVar[frozenset[str]] = frozenset({"GET", "POST"})
    replays: ClassVar[bool] = True


class OrganizationsDoor(AuthDoor):
    """`GET /auth/organization/list`."""

    @describe("The tenants the caller belongs to, as far as this host may know", answer=array(OBJECT))
    def get(self, call: Call) -> HttpResponse:
        with scope_at(call.tenant, SCOPE):
            places = queries.places_of(UUID(str(call.actor.user_id)))
        return answers.send([place_body(place) for place in places])


class OrganizationDoor(TenantDoor):
    """`GET /auth/organization/get-full-organization`."""

    @describe(
        "The tenant with its members and open invitations", answer=OBJECT, parameters=NAMED, errors=[404]
    )
    def get(self, call: Call) -> HttpResponse:
        _check_named(call, call.params.get("organizationId"))
        manages = call.identity is not None and call.identity.role in ("owner", "admin")
        waiting = [invitation_body(row) for row in queries.open_invitations()] if manages else []
        everybody = [member_body(row) for row in queries.members()]
        body = _organization(call) | {"invitations": waiting, "members": everybody, "teams": []}
        return answers.send(body)


class SetActiveDoor(TenantDoor):
    """`POST /auth/organization/set-active`: a session's tenant is fixed, so only its own can be named."""

    @describe("Confirm the tenant of the request", body=ACTIVE.schema, answer=OBJECT, errors=[404])
    def post(self, call: Call) -> HttpResponse:
        _check_named(call, ACTIVE.read(call)["organizationId"])
        return answers.send(_organization(call))


class MembersDoor(TenantDoor):
    """`GET /auth/organization/list-members`."""

    @describe(
        "The members of the tenant",
        answer=shape(members=array(OBJECT), total={"type": "integer"}),
        parameters=NAMED,
    )
    def get(self, call: Call) -> HttpResponse:
        _check_named(call, call.params.get("organizationId"))
        rows = [member_body(row) for row in queries.members()]
        return answers.send({"members": rows, "total": len(rows)})


class ActiveMemberDoor(TenantDoor):
    """`GET /auth/organization/get-active-member`."""

    @describe("The caller's membership", answer=OBJECT, parameters=NAMED, errors=[404])
    def get(self, call: Call) -> HttpResponse:
        _check_named(call, call.params.get("organizationId"))
        return answers.send(member_body(_member(call.actor.user_id)))


class InvitationsDoor(TenantDoor):
    """`GET /auth/organization/list-invitations`: for who manages members."""

    @describe("The open invitations of the tenant", answer=array(OBJECT), parameters=NAMED)
    def get(self, call: Call) -> HttpResponse:
        _check_named(call, call.params.get("organizationId"))
        if call.identity is None or call.identity.role not in ("owner", "admin"):
            raise PermissionDenied(_("Only owners and administrators may manage members."))
        return answers.send([invitation_body(row) for row in queries.open_invitations()])


class EmptyListDoor(AuthDoor):
    """`GET /auth/organization/list-teams` and `/list-user-invitations`: there are no teams, and links prove invitations."""

    @describe("Always empty", answer=array(OBJECT))
    def get(self, call: Call) -> HttpResponse:
        return answers.send([])


class InviteDoor(TenantDoor):
    """`POST /auth/organization/invite-member`."""

    secret_answers: ClassVar[bool] = True

    @describe("Invite an address; the link is mailed and returned once", body=INVITE.schema, answer=OBJECT)
    def post(self, call: Call) -> HttpResponse:
        given = INVITE.read(call)
        _check_named(call, given.get("organizationId"))
        made = invitations.invite(email=given["email"], role=given["role"], by=call.actor)
        return answers.send(invitation_body(made.invitation) | {"link": made.link})


class CancelInvitationDoor(TenantDoor):
    """`POST /auth/organization/cancel-invitation`."""

    @describe("Withdraw an invitation", body=CANCEL.schema, answer=OK, errors=[404])
    def post(self, call: Call) -> HttpResponse:
        invitations.revoke(invitation_id=_id(CANCEL.read(call)["invitationId"]), by=call.actor)
        return answers.send({"status": True})


class AcceptInvitationDoor(PublicDoor):
    """`POST /auth/organization/accept-invitation`, at the tenant's host: joins and signs in."""

    @describe(
        "Join with the secret of an invitation's link",
        body=ACCEPT.schema,
        answer=shape(token=TEXT, user=USER, session=OBJECT),
    )
    def post(self, call: Call) -> HttpResponse:
        given, place = ACCEPT.read(call), place_of(call.request)
        if place.wanted is None:
            raise Problem(
                "TENANT_REQUIRED", _("Name the tenant in X-Tenant, or use its own host."), status=400
            )
        with scope_at(place.wanted, SCOPE):
            user = invitations.accept(**given, place=place)
            made = sign_in.sign_in(email=user.email, password=given["password"], place=place)
        return answers.send(
            {
                "token": made.token,
                "user": user_body(user),
                "session": session_body(made.session, token=made.token),
            }
        )


class MemberRoleDoor(TenantDoor):
    """`POST /auth/organization/update-member-role`."""

    @describe("Give a member another role", body=ROLE.schema, answer=OBJECT, errors=[404])
    def post(self, call: Call) -> HttpResponse:
        given = ROLE.read(call)
        _check_named(call, given.get("organizationId"))
        row = _by_membership(given["memberId"])
        return answers.send(
            member_body(members.change_role(user_id=row.user_id, role=given["role"], by=call.actor))
        )


class RemoveMemberDoor(TenantDoor):
    """`POST /auth/organization/remove-member`."""

    @describe("Take a member out of the tenant", body=REMOVE.schema, answer=OBJECT, errors=[404])
    def post(self, call: Call) -> HttpResponse:
        given = REMOVE.read(call)
        _check_named(call, given.get("organizationId"))
        named = given["memberIdOrEmail"]
        row = queries.members().filter(user__email=named.lower()).first() or _by_membership(named)
        body = member_body(row)
        members.remove(user_id=row.user_id, by=call.actor)
        return answers.send({"member": body})


class CreateUserDoor(TenantDoor):
    """`POST /auth/admin/create-user`: a new person and their membership, at once."""

    @describe("Make a person and their membership", body=CREATE.schema, answer=shape(user=USER), errors=[409])
    def post(self, call: Call) -> HttpResponse:
        given: dict[str, Any] = CREATE.read(call)
        given["role"] = USER_ROLES.get(given.get("role", "user"), given.get("role"))
        return answers.send({"user": user_body(members.create_member(**given, by=call.actor).user)})


def _organization(call: Call) -> dict[str, Any]:
    if call.snapshot is None:
        raise NotFound(_("There is no such tenant."), code="RESOURCE_NOT_FOUND")
    return organization_body(call.snapshot, Tenant.objects.get(pk=call.snapshot.id).created_at)


def _check_named(call: Call, named: str | None) -> None:
    if named and (call.tenant is None or named not in (str(call.tenant.id), call.tenant.slug)):
        raise NotFound(_("There is no such tenant."), code="RESOURCE_NOT_FOUND")


def _member(user_id: UUID | None) -> Membership:
    row = queries.membership_of(user_id) if user_id else None
    if row is None:
        raise NotFound(_("There is no such member."), code="RESOURCE_NOT_FOUND")
    return row


def _by_membership(text: str) -> Membership:
    row = queries.members().filter(pk=_id(text)).first()
    if row is None:
        raise NotFound(_("There is no such member."), code="RESOURCE_NOT_FOUND")
    return row


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound(_("There is no such record."), code="RESOURCE_NOT_FOUND") from error
