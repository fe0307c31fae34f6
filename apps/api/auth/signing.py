"""The doors in and out: sign-in, sign-out, the session at hand, and what a sign-in page needs to know."""

from typing import ClassVar

from django.http import HttpResponse
from django.utils.translation import gettext as _

from apps.api import answers
from apps.api.auth.given import Body
from apps.api.auth.shapes import FLAG, USER, positions, session_body, user_body
from apps.api.call import Call
from apps.api.contract import OBJECT, TEXT, describe, shape
from apps.api.door import NONE, Door
from apps.core.errors import Invalid, PermissionDenied
from apps.identity import queries
from apps.identity.models import Session, User
from apps.identity.place import place_of, scope_at
from apps.identity.services import sessions, sign_in

SCOPE = "the caller's own account"
SIGN_IN = Body(required={"email": str, "password": str}, optional={"type": str})
SIGN_UP = Body(required={"email": str, "password": str, "name": str})


class AuthDoor(Door):
    """A door of identity: no tenant is needed, and each handler opens the scope it works in."""

    needs_tenant: ClassVar[bool] = False
    opens: ClassVar[frozenset[str]] = NONE
    replays: ClassVar[bool] = False
    body_limit: ClassVar[int] = 16 * 1024


class PublicDoor(AuthDoor):
    """The same, for anonymous callers too."""

    public: ClassVar[bool] = True


class SignInDoor(PublicDoor):
    """`POST /auth/sign-in/email`."""

    @describe(
        "Sign in with email and password",
        body=SIGN_IN.schema,
        answer=shape(redirect=FLAG, token=TEXT, user=USER),
    )
    def post(self, call: Call) -> HttpResponse:
        given = SIGN_IN.read(call)
        if given.pop("type", "email") != "email":
            raise Invalid(_("Only sign-in by email is offered."))
        made = sign_in.sign_in(**given, place=place_of(call.request))
        body = {"redirect": False, "token": made.token, "user": user_body(made.user)}
        return answers.send(body, headers={"set-auth-token": made.token})


class SignUpDoor(PublicDoor):
    """`POST /auth/sign-up/email`: closed; people come by invitation."""

    @describe("Refused: people come by invitation", body=SIGN_UP.schema)
    def post(self, call: Call) -> HttpResponse:
        SIGN_UP.read(call)
        raise PermissionDenied(
            _("Self-registration is closed on this environment. Ask an administrator for an invitation."),
            code="SELF_REGISTRATION_CLOSED",
        )


class SignOutDoor(PublicDoor):
    """`POST /auth/sign-out`: the token is dead at once; without a session there is nothing to do."""

    @describe("End the session at hand", body=Body().schema, body_required=False, answer=shape(success=FLAG))
    def post(self, call: Call) -> HttpResponse:
        Body().read(call)
        identity = call.identity
        if identity is not None and identity.kind != "key":
            with scope_at(identity.tenant, SCOPE):
                sessions.end_session(session_id=identity.credential_id, by=identity.actor)
        return answers.send({"success": True})


class SessionDoor(PublicDoor):
    """`GET /auth/get-session`: who asks, or null."""

    @describe(
        "The person and the session behind the request; null for nobody",
        answer={"anyOf": [shape(user=USER, session={"type": ["object", "null"]}), {"type": "null"}]},
    )
    def get(self, call: Call) -> HttpResponse:
        identity = call.identity
        if identity is None:
            return answers.send(None)
        with scope_at(identity.tenant, SCOPE):
            user = User.objects.get(pk=identity.user_id)
            session = Session.objects.filter(pk=identity.credential_id).first()
        who = user_body(user) | {
            "positions": positions(user, identity.role),
            "isPlatformAdmin": user.is_staff,
        }
        token = (call.header("Authorization") or "").partition(" ")[2].strip()
        body = session_body(session, token=token if identity.kind == "session" else None) if session else None
        return answers.send({"user": who, "session": body})


class ConfigDoor(PublicDoor):
    """`GET /auth/config`."""

    @describe("What a sign-in page may offer", answer=shape(success=FLAG, data=OBJECT))
    def get(self, call: Call) -> HttpResponse:
        features: dict[str, object] = {
            "audiencePosture": "invite_only",
            "twoFactor": False,
            "organization": True,
            "multiOrgEnabled": True,
            "oidcProvider": False,
            "sso": False,
            "deviceAuthorization": False,
            "admin": True,
            "phoneNumber": False,
        }
        email = {"enabled": True, "disableSignUp": True, "requireEmailVerification": False}
        return answers.success({"emailPassword": email, "socialProviders": [], "features": features})


class BootstrapDoor(PublicDoor):
    """`GET /auth/bootstrap-status`."""

    @describe("Whether anybody is in charge yet", answer=shape(hasOwner=FLAG))
    def get(self, call: Call) -> HttpResponse:
        with scope_at(call.tenant, "whether an operator exists"):
            return answers.send({"hasOwner": queries.has_owner()})
