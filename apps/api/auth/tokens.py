"""Access and refresh tokens for programs that prefer JWT to an opaque session."""

from django.http import HttpResponse

from apps.api import answers
from apps.api.auth.given import Body
from apps.api.auth.shapes import NULL_TEXT, OK
from apps.api.auth.signing import PublicDoor
from apps.api.call import Call
from apps.api.contract import TEXT, describe, shape
from apps.identity.place import place_of
from apps.identity.services import tokens

ISSUE = Body(required={"email": str, "password": str})
REFRESH = Body(required={"refreshToken": str})
PAIR = shape(
    accessToken=TEXT, refreshToken=TEXT, tokenType=TEXT, expiresIn={"type": "integer"}, tenantId=NULL_TEXT
)


class TokenDoor(PublicDoor):
    """`POST /auth/token`."""

    @describe("Start a family of tokens with email and password", body=ISSUE.schema, answer=PAIR)
    def post(self, call: Call) -> HttpResponse:
        return _send(tokens.issue(**ISSUE.read(call), place=place_of(call.request)))


class RefreshDoor(PublicDoor):
    """`POST /auth/token/refresh`: each refresh token works once."""

    @describe("Trade a refresh token for a new pair", body=REFRESH.schema, answer=PAIR)
    def post(self, call: Call) -> HttpResponse:
        token = REFRESH.read(call)["refreshToken"]
        return _send(tokens.refresh(token=token, place=place_of(call.request)))


class RevokeDoor(PublicDoor):
    """`POST /auth/token/revoke`: also answers yes for a token that is unknown."""

    @describe("End a family of tokens", body=REFRESH.schema, answer=OK)
    def post(self, call: Call) -> HttpResponse:
        tokens.revoke(token=REFRESH.read(call)["refreshToken"], place=place_of(call.request))
        return answers.send({"status": True})


def _send(pair: tokens.Pair) -> HttpResponse:
    return answers.send(
        {
            "accessToken": pair.access,
            "refreshToken": pair.refresh,
            "tokenType": "Bearer",
            "expiresIn": pair.expires_in,
            "tenantId": str(pair.tenant.id) if pair.tenant else None,
        }
    )
