"""Which states may follow one: the protocol's getLegalNextStates."""

import pytest

from apps.objects.conditions import next_states
from apps.objects.parse import load_body

TICKET = {
    "name": "qs_ticket",
    "label": "Ticket",
    "sharingModel": "public_read",
    "fields": {
        "title": {"type": "text"},
        "status": {"type": "select", "options": ["new", "open", "done"]},
        "size": {"type": "select", "options": ["s", "m"]},
        "secret": {"type": "select", "options": ["a", "b"]},
    },
    "validations": [
        {
            "name": "flow",
            "type": "state_machine",
            "message": "No",
            "field": "status",
            "initialStates": ["new"],
            "transitions": {"new": ["open", "done"], "open": ["done"], "done": []},
        }
    ],
}


def test_the_states_after_one():
    ticket = load_body(TICKET)
    found = {
        state: next_states(ticket, "status", state) for state in (None, "new", "open", "done", "nonsense")
    }
    assert found == {None: ["new"], "new": ["open", "done"], "open": ["done"], "done": [], "nonsense": []}
    assert next_states(ticket, "size", "s") == ["m"]


@pytest.mark.usefixtures("api")
def test_the_door_answers_as_the_protocol_says(owner):
    body = owner.get("/api/v1/meta/object/api_lead/state/status?from=new").json()
    assert body == {"object": "api_lead", "field": "status", "from": "new", "next": ["working", "lost"]}
    assert owner.get("/api/v1/meta/object/api_lead/state/status").json()["next"] == ["new", "working", "lost"]


@pytest.mark.usefixtures("api")
def test_fields_without_states_and_hidden_ones_are_not_there(owner, sales):
    for caller, field in ((owner, "name"), (owner, "nope"), (sales, "secret")):
        answer = caller.get(f"/api/v1/meta/object/api_lead/state/{field}")
        assert (answer.status_code, answer.json()["code"]) == (404, "RESOURCE_NOT_FOUND")
