"""The caller's own account: profile, password, address, sessions, and what they may do here."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.utils.translation import gettext as _

from apps.api import answers
from apps.api.auth.given import Body
from apps.api.auth.shapes import FLAG, NULL_TEXT, OK, USER, positions, session_body, user_body
from apps.api.auth.signing import SCOPE, AuthDoor, PublicDoor
from apps.api.call import Call
from apps.api.contract import OBJECT, TEXT, array, describe, shape
from apps.api.data.access import operations
from apps.core.errors import Invalid, NotFound, PermissionDenied, Unauthenticated
from apps.identity import queries
from apps.identity.models import Session, User
from apps.identity.place import place_of, scope_at
from apps.identity.resolve import Identity
from apps.identity.secrets import digest
from apps.identity.services import accounts, sessions
from apps.objects.catalog import catalog
from apps.permissions.queries import effective

UPDATE = Body(optional={"name": str, "locale": str, "timeZone": str})
PASSWORD = Body(required={"currentPassword": str, "newPassword": str}, optional={"revokeOtherSessions": bool})
REVOKE = Body(required={"token": str})
FORGOT = Body(required={"email": str})
RESET = Body(required={"token": str, "newPassword": str})
ADDRESS = Body(required={"newEmail": str, "password": str})
CONFIRM = Body(required={"token": str})


class SessionsDoor(AuthDoor):
    """`GET /auth/list-sessions`."""

    @describe("The caller's open sessions", answer=array(OBJECT))
    def get(self, call: Call) -> HttpResponse:
        identity = _identity(call)
        with scope_at(identity.tenant, SCOPE):
            rows = list(queries.sessions_of(identity.user_id))
        return answers.send(
            [session_body(row) | {"current": row.id == identity.credential_id} for row in rows]
        )


class RevokeSessionDoor(AuthDoor):
    """`POST /auth/revoke-session`: by the session's id, or by its token."""

    @describe("End one of the caller's sessions", body=REVOKE.schema, answer=OK, errors=[404])
    def post(self, call: Call) -> HttpResponse:
        identity, token = _identity(call), REVOKE.read(call)["token"]
        with scope_at(identity.tenant, SCOPE):
            row = Session.objects.filter(token_hash=digest(token), user=identity.user_id).first()
            sessions.end_session(session_id=row.id if row else _id(token), by=identity.actor)
        return answers.send({"status": True})


class RevokeSessionsDoor(AuthDoor):
    """`POST /auth/revoke-sessions`: all of them, in every tenant."""

    @describe(
        "End all of the caller's sessions, this one too", body=Body().schema, body_required=False, answer=OK
    )
    def post(self, call: Call) -> HttpResponse:
        Body().read(call)
        _end_everywhere(_identity(call), keep=None)
        return answers.send({"status": True})


class RevokeOtherSessionsDoor(AuthDoor):
    """`POST /auth/revoke-other-sessions`."""

    @describe(
        "End all of the caller's sessions but this one", body=Body().schema, body_required=False, answer=OK
    )
    def post(self, call: Call) -> HttpResponse:
        Body().read(call)
        identity = _identity(call)
        _end_everywhere(identity, keep=identity.credential_id)
        return answers.send({"status": True})


class AccountsDoor(AuthDoor):
    """`GET /auth/list-accounts`: the ways in which the person can sign in."""

    @describe("The ways in which the caller can sign in", answer=array(OBJECT))
    def get(self, call: Call) -> HttpResponse:
        with scope_at(call.tenant, SCOPE):
            user = User.objects.get(pk=_identity(call).user_id)
        one = {
            "id": str(user.id),
            "accountId": str(user.id),
            "userId": str(user.id),
            "providerId": "credential",
        }
        one |= {"issuer": "local:credential", "scopes": []}  # type: ignore[dict-item]
        body = user_body(user)
        return answers.send([one | {"createdAt": body["createdAt"], "updatedAt": body["updatedAt"]}])


class UpdateUserDoor(AuthDoor):
    """`POST /auth/update-user`."""

    @describe("Change the own name, language or time zone", body=UPDATE.schema, answer=OK)
    def post(self, call: Call) -> HttpResponse:
        given, identity = UPDATE.read(call), _identity(call)
        if "timeZone" in given:
            given["time_zone"] = given.pop("timeZone")
        with scope_at(identity.tenant, SCOPE):
            accounts.update_profile(by=identity.actor, **given)
        return answers.send({"status": True})


class ChangePasswordDoor(AuthDoor):
    """`POST /auth/change-password`: other sessions end in any case."""

    @describe(
        "Change the own password; all other sessions end",
        body=PASSWORD.schema,
        answer=shape(token=NULL_TEXT, user=USER),
    )
    def post(self, call: Call) -> HttpResponse:
        given, identity = PASSWORD.read(call), _identity(call)
        if given.get("revokeOtherSessions") is False:
            raise Invalid(_("Other sessions end with every change of the password."))
        with scope_at(identity.tenant, SCOPE):
            user = accounts.change_password(
                by=identity.actor,
                current=given["currentPassword"],
                new=given["newPassword"],
                session_id=identity.credential_id,
            )
        return answers.send({"token": None, "user": user_body(user)})


class ForgotPasswordDoor(PublicDoor):
    """`POST /auth/request-password-reset` (and its older name `/forget-password`)."""

    @describe("Mail a link for a new password, if the address is known", body=FORGOT.schema, answer=OK)
    def post(self, call: Call) -> HttpResponse:
        email, place = FORGOT.read(call)["email"], place_of(call.request)
        with scope_at(place.wanted, "request of a new password"):
            accounts.request_reset(email=email, place=place)
        return answers.send({"status": True})


class ResetPasswordDoor(PublicDoor):
    """`POST /auth/reset-password`."""

    @describe("Choose a new password with a mailed link", body=RESET.schema, answer=OK)
    def post(self, call: Call) -> HttpResponse:
        given = RESET.read(call)
        with scope_at(place_of(call.request).wanted, "choice of a new password"):
            accounts.reset_password(token=given["token"], new=given["newPassword"])
        return answers.send({"status": True})


class ChangeEmailDoor(AuthDoor):
    """`POST /auth/change-email`."""

    @describe("Mail a link that confirms a new address", body=ADDRESS.schema, answer=OK)
    def post(self, call: Call) -> HttpResponse:
        given, identity = ADDRESS.read(call), _identity(call)
        with scope_at(identity.tenant, SCOPE):
            accounts.request_email_change(
                by=identity.actor, password=given["password"], email=given["newEmail"]
            )
        return answers.send({"status": True})


class VerifyEmailDoor(PublicDoor):
    """`POST /auth/verify-email`: a GET would let a mail scanner confirm."""

    @describe("Confirm a new address with a mailed link", body=CONFIRM.schema, answer=OK)
    def post(self, call: Call) -> HttpResponse:
        given = CONFIRM.read(call)
        with scope_at(place_of(call.request).wanted, "confirmation of an address"):
            accounts.confirm_email(token=given["token"])
        return answers.send({"status": True})


class PermissionsDoor(AuthDoor):
    """`GET /auth/me/permissions`: the caller's effective rights in the tenant."""

    @describe("The caller's effective rights", answer=OBJECT)
    def get(self, call: Call) -> HttpResponse:
        identity = _identity(call, keys_too=True)
        body: dict[str, Any] = {"permissionSets": [], "objects": {}, "fields": {}, "systemPermissions": []}
        body["tabPermissions"] = {}
        with scope_at(identity.tenant, SCOPE):
            user = User.objects.get(pk=identity.user_id)
            if identity.tenant is not None:
                known = list(catalog())
                body |= effective(identity.actor, known)
                for obj in known:
                    body["objects"][obj.name]["apiOperations"] = operations(obj)
        who = {"authenticated": True, "userId": str(identity.user_id)}
        who |= {"tenantId": str(identity.tenant.id) if identity.tenant else None}  # type: ignore[dict-item]
        return answers.send(body | who | {"positions": positions(user, identity.role)})


class LocalizationDoor(AuthDoor):
    """`GET /auth/me/localization`: the person's own choices, else the tenant's."""

    @describe(
        "Language, time zone and currency for the caller",
        answer=shape(authenticated=FLAG, currency=NULL_TEXT, locale=TEXT, timezone=TEXT),
    )
    def get(self, call: Call) -> HttpResponse:
        user, tenant = _identity(call, keys_too=True).user, call.snapshot
        return answers.send(
            {
                "authenticated": True,
                "currency": tenant.currency if tenant else None,
                "locale": user.locale or (tenant.locale if tenant else "en"),
                "timezone": user.time_zone or (tenant.time_zone if tenant else "UTC"),
            }
        )


def _identity(call: Call, *, keys_too: bool = False) -> Identity:
    if call.identity is None:
        raise Unauthenticated
    if call.identity.kind == "key" and not keys_too:
        raise PermissionDenied(_("A key has no account; sign in."), code="FORBIDDEN")
    return call.identity


def _end_everywhere(identity: Identity, *, keep: UUID | None) -> None:
    with scope_at(identity.tenant, SCOPE):
        accounts.end_sessions(by=identity.actor, keep=keep)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound(_("There is no such session."), code="RESOURCE_NOT_FOUND") from error
