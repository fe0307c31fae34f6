"""The pages show masks to those who see masks, and lead nowhere that the compiler refuses."""

import pytest

from apps.core.actor import SYSTEM
from apps.core.scope import tenant_scope
from apps.objects import records
from apps.objects.catalog import catalog
from apps.objects.parse import load_body
from apps.objects.publish import publish_in
from apps.permissions import services as permissions
from tests.portal.atelier import Atelier

IBAN, MAIL = "DE00-canary-4711", "canary@example.com"
PERSON = {
    "name": "qp_person",
    "label": "Person",
    "sharingModel": "public_read_write",
    "nameField": "name",
    "searchableFields": ["name", "email"],
    "fields": {
        "name": {"type": "text", "required": True},
        "iban": {"type": "text", "encrypted": True, "maskingRule": "last4"},
        "email": {"type": "email", "maskingRule": "partial"},
    },
    "listViews": {
        "all": {
            "label": "All",
            "columns": ["name", "iban", "email"],
            "sort": [{"field": "email", "order": "asc"}],
            "filter": {"email": {"$contains": "canary"}},
            "default": True,
        }
    },
}
RIGHTS = {
    "allowRead": True,
    "allowCreate": True,
    "allowEdit": True,
    "allowExport": True,
    "viewAllRecords": True,
}


PAGES = {
    "list": "/o/qp_person",
    "ordered": "/o/qp_person?f=&sort=-email",
    "filtered": "/o/qp_person?f=0.email.contains.canary",
    "everybody": "/o/qp_person?f=",
    "one": "/o/qp_person/{key}",
    "form": "/o/qp_person/{key}/edit",
    "versions": "/o/qp_person/{key}/versions",
    "file": "/o/qp_person/export?format=csv&f=",
}


@pytest.fixture
def person(atelier: Atelier) -> str:
    """The key of a person with both values, changed once; sales sees masks."""
    with tenant_scope(atelier.ref):
        known = catalog().find("qp_person") is not None
    if known:
        return str(atelier.rows("qp_person", {"where": {"name": "Ann"}})[0]["id"])
    publish_in(atelier.ref, [load_body(PERSON)], by=SYSTEM)
    with tenant_scope(atelier.ref):
        body = {"objects": {"qp_person": RIGHTS}}
        permissions.create_set(name="qp_masked", label="Masked", body=body, by=SYSTEM)
        permissions.assign(name="qp_masked", user_id=atelier.ids["sales"], by=SYSTEM)
    values = {"name": "Ann", "iban": IBAN, "email": "old-canary@example.com"}
    made = records.create("qp_person", values, by=SYSTEM, tenant=atelier.ref)
    records.update("qp_person", made.id, {"email": MAIL}, by=SYSTEM, tenant=atelier.ref)
    return made.id


@pytest.mark.parametrize("name", PAGES)
def test_no_page_shows_a_masked_value(atelier: Atelier, person: str, name: str) -> None:
    def text(who: str) -> str:
        answer = atelier.client(who).get(PAGES[name].format(key=person))
        assert answer.status_code == 200, (who, name)
        raw = b"".join(answer.streaming_content) if answer.streaming else answer.content
        return str(raw.decode())

    shown = text("sales").replace("email.contains.canary", "").replace("contains.canary", "")
    assert "Ann" in shown
    assert IBAN not in shown and "canary@" not in shown and "4711" not in shown.replace("••••4711", "")
    assert MAIL in text("owner"), "negative control: the owner is shown it here"
    if name == "everybody":
        assert "••••4711" in shown and "c•••@example.com" in shown


def test_what_is_masked_neither_orders_nor_filters(atelier: Atelier, person: str) -> None:
    """The declared order and filter of the list are over a masked field: both are left out, nothing is refused."""
    page = atelier.client("sales").get("/o/qp_person").content.decode()
    assert "sort=email" not in page and "sort=-email" not in page
    assert "sort=name" in page or "sort=-name" in page
    assert (
        "sort=email" in (own := atelier.client("owner").get("/o/qp_person").content.decode())
        or "sort=-email" in own
    )


def test_the_form_asks_for_nothing_that_is_masked(atelier: Atelier, person: str) -> None:
    """Else the mask would be sent back as the value."""
    form = atelier.client("sales").get(f"/o/qp_person/{person}/edit").content.decode()
    assert 'name="name"' in form and 'name="iban"' not in form and 'name="email"' not in form
    own = atelier.client("owner").get(f"/o/qp_person/{person}/edit").content.decode()
    assert 'name="iban"' in own
