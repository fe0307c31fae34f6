"""The door to a record's states: which may follow one, as the object's state machine says."""

from django.http import HttpResponse

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import TEXT, Parameter, array, describe
from apps.api.door import Door
from apps.api.meta.doors import visible_object
from apps.core.errors import NotFound
from apps.objects.conditions import next_states
from apps.permissions.access import access_for

STATES = {
    "type": "object",
    "properties": {"object": TEXT, "field": TEXT, "from": TEXT, "next": array(TEXT)},
    "required": ["object", "field", "next"],
}


class NextStatesDoor(Door):
    """`GET /meta/object/:name/state/:field?from=`."""

    @describe(
        "The states that may follow one; without `from`, those a new record may have",
        answer=STATES,
        parameters=[Parameter("from", "The state a record is in.")],
        tag="meta",
    )
    def get(self, call: Call, name: str, field: str) -> HttpResponse:
        access = access_for(call.actor)
        obj = visible_object(name, access)
        found = obj.fields.get(field)
        if found is None or field not in access.clear(obj) or not found.options:
            message = f"The object {obj.name} has no field {field[:48]!r} with states."
            raise NotFound(message, code="RESOURCE_NOT_FOUND")
        state = call.params.get("from") or None
        body = {"object": obj.name, "field": field, "next": next_states(obj, field, state)}
        return answers.send(body | ({"from": state} if state else {}))
