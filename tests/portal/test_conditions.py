"""Forms whose fields come and go, are needed or locked, as the object's conditions say."""

import json
import re
from html import unescape

import pytest

from apps.audit.models import Pending
from apps.core.actor import SYSTEM
from apps.core.scope import tenant_scope
from apps.objects import records
from apps.objects.parse import load_body
from apps.objects.publish import publish_in
from apps.permissions import services as permissions
from tests.portal.atelier import Atelier

OFFER = {
    "name": "qc_offer",
    "label": "Offer",
    "pluralLabel": "Offers",
    "sharingModel": "public_read_write",
    "nameField": "title",
    "fields": {
        "title": {"type": "text", "required": True},
        "status": {"type": "select", "options": ["draft", "won", "lost"], "defaultValue": "draft"},
        "amount": {"type": "currency", "readonlyWhen": "record.status == 'won'"},
        "reason": {
            "type": "text",
            "visibleWhen": "record.status == 'lost'",
            "requiredWhen": "record.status == 'lost'",
        },
        "tier": {
            "type": "select",
            "options": ["base", {"value": "gold", "label": "Gold", "visibleWhen": "record.amount >= 1000"}],
        },
        "cost": {"type": "currency"},
        "warning": {"type": "text", "visibleWhen": "record.cost > 10"},
        "double": {"type": "formula", "expression": "record.amount * 2"},
        "large": {"type": "text", "visibleWhen": "record.double > 100"},
    },
    "validations": [
        {
            "name": "cheap",
            "type": "script",
            "message": "That is cheap.",
            "severity": "warning",
            "condition": "record.amount != null && record.amount < 5",
        }
    ],
}
RIGHTS = {"allowRead": True, "allowCreate": True, "allowEdit": True}
SETS = {
    "qc_all": ("manager", {"objects": {"qc_offer": RIGHTS}}),
    "qc_plain": (
        "sales",
        {"objects": {"qc_offer": RIGHTS}, "fields": {"qc_offer.cost": {"readable": False}}},
    ),
}


@pytest.fixture(scope="module")
def offers(atelier: Atelier) -> Atelier:
    publish_in(atelier.ref, [load_body(OFFER)], by=SYSTEM)
    with tenant_scope(atelier.ref):
        for name, (holder, body) in SETS.items():
            permissions.create_set(name=name, label=name, body=body, by=SYSTEM)
            permissions.assign(user_id=atelier.ids[holder], name=name, by=SYSTEM)
    return atelier


def offer(offers: Atelier, **values: object) -> str:
    with tenant_scope(offers.ref):
        return records.create("qc_offer", {"title": "Offer"} | values, by=offers.actor("manager")).id


def asked(offers: Atelier, who: str = "manager", record: str = "", **texts: str) -> dict[str, object]:
    query = f"?record={record}" if record else ""
    answer = offers.client(who).post(f"/o/qc_offer/conditions{query}", {"title": "x"} | texts)
    assert answer.status_code == 200, answer.content.decode()[:500]
    return dict(answer.json())


def test_a_field_is_shown_while_its_condition_holds(offers: Atelier) -> None:
    assert "reason" in asked(offers, status="draft")["hidden"]
    lost = asked(offers, status="lost")
    assert ("reason" in lost["hidden"], "reason" in lost["required"]) == (False, True)


def test_a_formula_is_computed_while_the_form_is_filled_in(offers: Atelier) -> None:
    assert "large" in asked(offers, amount="50")["hidden"]
    assert "large" not in asked(offers, amount="51")["hidden"]


def test_options_open_and_close(offers: Atelier) -> None:
    assert asked(offers, amount="10")["closed"] == {"tier": ["gold"]}
    assert asked(offers, amount="1000")["closed"] == {}


def test_what_is_locked_follows_the_record_as_it_is_saved(offers: Atelier) -> None:
    won, draft = offer(offers, status="won", amount=5), offer(offers, amount=5)
    assert asked(offers, record=won, status="draft")["readonly"] == ["amount"]
    assert asked(offers, record=draft, status="won")["readonly"] == []


def test_values_that_cannot_be_read_are_absent_and_nothing_breaks(offers: Atelier) -> None:
    assert "large" in asked(offers, amount="a lot", status="nonsense")["hidden"]


def test_a_condition_tells_nothing_of_a_field_that_is_hidden(offers: Atelier) -> None:
    costly = offer(offers, cost=50)
    assert "warning" not in asked(offers, "manager", costly)["hidden"]
    assert "warning" in asked(offers, "sales", costly)["hidden"]


def test_the_page_carries_its_first_looks(offers: Atelier) -> None:
    won = offer(offers, status="won", amount=7)
    text = offers.client("manager").get(f"/o/qc_offer/{won}/edit").content.decode()
    first = json.loads(unescape(re.findall(r'data-looks="([^"]+)"', text)[0]))
    assert (first["readonly"], "reason" in first["hidden"]) == (["amount"], True)
    assert f'data-conditions="/o/qc_offer/conditions?record={won}"' in text
    assert "conditions.js" in text
    plain = offers.client("manager").get("/o/crm_account/new").content.decode()
    assert "data-conditions" not in plain


def test_asking_changes_nothing_and_needs_the_right(offers: Atelier) -> None:
    before = Pending.objects.using("owner").count()
    asked(offers, status="lost")
    assert Pending.objects.using("owner").count() == before
    assert offers.client("nobody").post("/o/qc_offer/conditions", {"title": "x"}).status_code in (403, 404)
    assert offers.client("manager").get("/o/qc_offer/conditions").status_code == 405


def test_the_form_tells_the_fault_and_the_warning(offers: Atelier) -> None:
    client = offers.client("manager")
    answer = client.post("/o/qc_offer/new", {"title": "x", "status": "lost"})
    assert answer.status_code == 400
    assert 'id="error-reason"' in answer.content.decode()
    answer = client.post("/o/qc_offer/new", {"title": "x", "status": "draft", "amount": "2"}, follow=True)
    assert "That is cheap." in answer.content.decode()


def test_what_was_locked_is_said_when_it_is_sent_all_the_same(offers: Atelier) -> None:
    won = offer(offers, status="won", amount=7)
    sent = {"title": "New", "status": "won", "amount": "9", "original.title": "Offer", "original.amount": "7"}
    text = offers.client("manager").post(f"/o/qc_offer/{won}/edit", sent, follow=True).content.decode()
    assert "read-only here: Amount" in text
