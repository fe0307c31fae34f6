"""`/api/v1/keys`: the caller's API keys in the tenant, in the protocol's `{success, data}` dialect."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from apps.api import answers
from apps.api.auth.given import Body
from apps.api.auth.shapes import FLAG, stamp
from apps.api.call import Call
from apps.api.contract import OBJECT, array, describe, shape
from apps.api.door import Door
from apps.core.errors import FieldError, Invalid
from apps.identity import queries
from apps.identity.models import ApiKey
from apps.identity.services import keys

CREATE = Body(required={"name": str}, optional={"scopes": list, "expiresAt": str})


class KeysDoor(Door):
    """`GET` and `POST /keys`."""

    secret_answers: ClassVar[bool] = True
    body_limit: ClassVar[int] = 16 * 1024

    @describe("The caller's keys; never the keys' text", answer=shape(success=FLAG, data=array(OBJECT)))
    def get(self, call: Call) -> HttpResponse:
        keys.require_scope(call.actor, "keys:read", action="api_key.listed")
        return answers.success([_body(row) for row in queries.keys_of(call.actor.user_id)])

    @describe("Make a key; its text is shown this once", body=CREATE.schema, status=201, answer=OBJECT)
    def post(self, call: Call) -> HttpResponse:
        given = CREATE.read(call)
        made = keys.create_key(
            name=given["name"],
            scopes=given.get("scopes") or [keys.EVERYTHING],
            expires_at=_moment(given.get("expiresAt")),
            by=call.actor,
        )
        shown = {"key": made.key, "active_organization_id": str(made.row.tenant_id)}
        return answers.success(_body(made.row) | shown, status=201)


class KeyDoor(Door):
    """`DELETE /keys/:id`."""

    @describe("Revoke a key at once", answer=shape(success=FLAG, data=OBJECT), errors=[404])
    def delete(self, call: Call, key_id: UUID) -> HttpResponse:
        keys.revoke_key(key_id=key_id, by=call.actor)
        return answers.success({"id": str(key_id), "revoked": True})


def _body(row: ApiKey) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "name": row.name,
        "prefix": f"osk_{row.prefix}",
        "scopes": row.scopes,
        "createdAt": stamp(row.created_at),
        "expiresAt": stamp(row.expires_at),
        "lastUsedAt": stamp(row.last_used_at),
    }


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or timezone.is_naive(moment):
        message = _("Write a moment with its zone, like 2027-01-31T00:00:00Z.")
        raise Invalid(message, [FieldError("expiresAt", "invalid_date", message)])
    return moment
