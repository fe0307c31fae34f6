"""The object builder: own objects and own fields by forms, as drafts with a plan, published, compared and reverted."""

import re
from typing import Any

import pytest
from django.test import Client

from apps.audit.queries import history as ledger_of
from apps.core.scope import tenant_scope
from apps.objects.catalog import catalog
from apps.objects.design import saving
from apps.objects.kinds import public_kinds
from apps.objects.models import Overlay
from apps.portal import field_types
from tests.portal.atelier import Atelier

OBJECTS = "/settings/objects"
PERSON = {"label": "Person", "required": "1", "personal": "1", "group": "person"}


def text(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, answer.content[:500]
    return str(answer.content.decode())


def goes(answer: Any, to: str) -> None:
    assert (answer.status_code, answer.headers.get("Location")) == (302, to), answer.content[-3000:]


def publish(client: Client, name: str, path: str = "review", **more: str) -> Any:
    seen = re.search(r'name="seen" value="([^"]+)"', text(client, f"{OBJECTS}/{name}/{path}"))
    assert seen is not None
    return client.post(f"{OBJECTS}/{name}/{path}", {"seen": seen[1], **more})


def begin(client: Client, label: str, sharing: str = "public_read_write") -> str:
    name = "x_" + label.lower()
    goes(client.post(f"{OBJECTS}/new", {"label": label, "sharingModel": sharing}), f"{OBJECTS}/{name}")
    return name


def test_an_object_is_begun_filled_with_fields_published_and_used(atelier: Atelier) -> None:
    admin = atelier.client("admin")
    name = begin(admin, "Vehicle")
    design = f"{OBJECTS}/{name}"
    assert "Nobody sees it until you publish it" in text(admin, design)
    assert atelier.client("owner").get(f"/o/{name}").status_code == 404
    goes(admin.post(f"{design}/sections", {"label": "Technical data"}), design)
    forms: dict[str, dict[str, str]] = {
        "select": {"label": "Fuel", "options": "Petrol\nel | Electric | green", "group": "technical_data", "required": "1",
                   "defaultValue": "el"},
        "number": {"label": "Seats", "min": "1", "max": "9", "scale": "0"},
        "lookup": {"label": "Keeper", "reference": "crm_account", "deleteBehavior": "restrict"},
        "autonumber": {"label": "Plate", "autonumberFormat": "V-{0000}"},
    }  # fmt: skip
    for type_, form in forms.items():
        goes(admin.post(f"{design}/new-field/{type_}", form), design)
    shown = text(admin, design)
    assert "Technical data" in shown and shown.count("ab-tag-green") == 5  # every field is new
    assert "Electric" in shown  # in the preview's select
    review = text(admin, f"{design}/review")
    assert "Create the object x_vehicle with 5 fields." in review and "CREATE TABLE" in review
    goes(publish(admin, name), design)
    with tenant_scope(atelier.ref):
        made = catalog().object(name)
        assert made.fields["fuel"].option_values == ("petrol", "el")
        assert (made.fields["seats"].max, made.fields["keeper"].delete_behavior) == (9, "restrict")
        assert len([e for e in ledger_of(f"object:{name}") if e.action == "object.created"]) == 1
    assert admin.post(f"/o/{name}/new", {"name": "Van", "fuel": "petrol", "seats": "5"}).status_code == 302
    assert "Van" in text(admin, f"/o/{name}")


def test_a_field_of_ones_own_on_a_modules_object(atelier: Atelier) -> None:
    admin = atelier.client("admin")
    design = f"{OBJECTS}/crm_contact"
    goes(admin.post(f"{design}/new-field/text", {"label": "Badge number", "unique": "1"}), design)
    goes(
        admin.post(f"{design}/fields/full_name", PERSON),
        design,
    )
    shown = text(admin, design)
    assert "ab-tag-violet" in shown and "2 changes are kept as a draft" in shown
    goes(publish(admin, "crm_contact"), design)
    with tenant_scope(atelier.ref):
        found = catalog().object("crm_contact")
        assert (found.module, found.fields["full_name"].label) == ("crm", "Person")
        assert found.fields["badge_number"].unique
    assert "Badge number" in text(admin, "/o/crm_contact/new")
    refused = admin.post(f"{design}/fields/full_name", PERSON | {"required": ""})
    assert refused.status_code == 400
    assert "belongs to the module" in refused.content.decode()
    refused = admin.post(f"{design}/fields/full_name", {"action": "remove"})
    assert "cannot be removed" in refused.content.decode()


def test_a_form_that_changes_one_word_makes_a_layer_of_one_word(atelier: Atelier) -> None:
    admin, design = atelier.client("admin"), f"{OBJECTS}/crm_account"
    with tenant_scope(atelier.ref):
        found = catalog().object("crm_account")
    form = {
        "label": "Client", "pluralLabel": found.plural_label, "description": found.description, "icon": found.icon,
        "nameField": found.name_field, "highlightFields": list(found.highlight_fields),
    }  # fmt: skip
    goes(admin.post(f"{design}/settings", form), design)
    with tenant_scope(atelier.ref):
        assert Overlay.objects.get(name="crm_account").body == {"object": {"label": "Client"}}
    goes(admin.post(f"{design}/discard"), design)


def test_values_go_only_for_whoever_types_the_name(atelier: Atelier) -> None:
    admin = atelier.client("admin")
    name = begin(admin, "Parcel")
    design = f"{OBJECTS}/{name}"
    admin.post(f"{design}/new-field/text", {"label": "Weight"})
    publish(admin, name)
    assert admin.post(f"/o/{name}/new", {"name": "p", "weight": "3"}).status_code == 302
    goes(admin.post(f"{design}/fields/weight", {"action": "remove"}), design)
    assert "values are lost" in text(admin, f"{design}/review")
    for wrong in ({}, {"confirm": "yes"}):
        assert publish(admin, name, **wrong).status_code == 400
    with tenant_scope(atelier.ref):
        assert "weight" in catalog().object(name).fields
    goes(publish(admin, name, confirm=name), design)
    with tenant_scope(atelier.ref):
        assert "weight" not in catalog().object(name).fields


def test_what_was_looked_at_is_what_is_published(atelier: Atelier) -> None:
    admin = atelier.client("admin")
    name = begin(admin, "Route")
    page = text(admin, f"{OBJECTS}/{name}/review")
    seen = re.search(r'name="seen" value="([^"]+)"', page)
    assert seen is not None
    admin.post(f"{OBJECTS}/{name}/new-field/text", {"label": "Depot"})  # meanwhile, in another tab
    stale = admin.post(f"{OBJECTS}/{name}/review", {"seen": seen[1]})
    assert stale.status_code == 409
    with tenant_scope(atelier.ref):
        assert catalog().find(name) is None
    goes(publish(admin, name), f"{OBJECTS}/{name}")


def test_history_is_compared_and_an_earlier_version_comes_back(atelier: Atelier) -> None:
    admin = atelier.client("admin")
    name = begin(admin, "Pallet")
    design = f"{OBJECTS}/{name}"
    publish(admin, name)
    admin.post(f"{design}/settings", {"label": "Skid", "sharingModel": "public_read_write"})
    publish(admin, name)
    page = text(admin, f"{design}/history?from=1&to=2")
    assert "<del" in page and "Pallet" in page and "Skid" in page
    assert "Back to version 1" in text(admin, f"{design}/history/1")
    goes(publish(admin, name, "history/1"), design)
    with tenant_scope(atelier.ref):
        assert catalog().object(name).label == "Pallet"
    assert text(admin, f"{design}/history/99", 404)


def test_fields_are_moved_and_a_draft_is_discarded(atelier: Atelier) -> None:
    admin = atelier.client("admin")
    name = begin(admin, "Crate")
    design = f"{OBJECTS}/{name}"
    admin.post(f"{design}/new-field/text", {"label": "Colour"})
    goes(admin.post(f"{design}/fields/colour", {"action": "up"}), design)
    with tenant_scope(atelier.ref):
        draft = saving.draft_of(name)
        assert draft is not None and [*draft.body["fields"]] == ["colour", "name"]
    goes(admin.post(f"{design}/discard"), OBJECTS)
    assert text(admin, design, 404)


@pytest.mark.parametrize(
    ("path", "form", "status", "said"),
    [
        ("new", {"label": ""}, 400, "The object needs a name."),
        ("new", {"label": "Lead", "name": "crm_lead"}, 400, "There is an object crm_lead already."),
        ("new", {"label": "Two words", "name": "Two words"}, 400, "Two words"),
        ("crm_lead/new-field/select", {"label": "State", "options": ""}, 400, "needs options"),
        ("crm_lead/new-field/select", {"label": "State", "options": "a | b | c | d"}, 400, "Line 1 is not"),
        ("crm_lead/new-field/number", {"label": "N", "min": "few"}, 400, "This is no number."),
        ("crm_lead/new-field/number", {"label": "N", "min": "9", "max": "1"}, 400, "min is greater than max"),
        ("crm_lead/new-field/lookup", {"label": "L"}, 400, "needs the object it points to"),
        (
            "crm_lead/new-field/text",
            {"label": "T", "name": "status"},
            400,
            "There is a field status already.",
        ),
        ("crm_lead/new-field/text", {"label": "T", "rest": "[1]"}, 400, "This is no JSON object."),
        ("crm_lead/new-field/text", {"label": "T", "rest": '{"what": 1}'}, 400, "is unknown"),
        ("crm_lead/new-field/text", {"label": "T", "visibleWhen": "record.nope =="}, 400, "invalid-feedback"),
    ],
)
def test_what_is_wrong_is_said_beside_the_input_and_nothing_is_kept(
    atelier: Atelier, path: str, form: dict[str, str], status: int, said: str
) -> None:
    answer = atelier.client("admin").post(f"{OBJECTS}/{path}", form)
    content = answer.content.decode()
    assert answer.status_code in (status, 422), content[-500:]
    assert said in content or (said == "invalid-feedback" and "ab-summary" in content)
    with tenant_scope(atelier.ref):
        assert saving.draft_of("crm_lead") is None


@pytest.mark.parametrize("type_", public_kinds())
def test_every_type_has_a_form(atelier: Atelier, type_: str) -> None:
    content = text(atelier.client("admin"), f"{OBJECTS}/crm_account/new-field/{type_}")
    assert str(field_types.card(type_).label) in content


def test_only_who_may_change_definitions_gets_in(atelier: Atelier) -> None:
    for who in ("sales", "manager", "nobody"):
        client = atelier.client(who)
        assert "/settings/objects" not in text(client, "/settings/members")
        for path in (
            "",
            "/new",
            "/crm_lead",
            "/crm_lead/settings",
            "/crm_lead/history",
            "/crm_lead/new-field/text",
        ):
            assert client.get(f"{OBJECTS}{path}").status_code == 403, path
        for path in ("/new", "/crm_lead/settings", "/crm_lead/sections", "/crm_lead/new-field/text", "/crm_lead/discard",
                     "/crm_lead/fields/status", "/crm_lead/review", "/crm_lead/history/1"):  # fmt: skip
            assert client.post(f"{OBJECTS}{path}", {"label": "X", "seen": "x"}).status_code in (403, 302), (
                path
            )
    with tenant_scope(atelier.ref):
        assert saving.draft_of("crm_lead") is None
    assert "/settings/objects" in text(atelier.client("admin"), "/settings/members")  # the control


def test_another_tenants_objects_are_not_there(atelier: Atelier) -> None:
    name = begin(atelier.client("owner"), "Canary")
    publish(atelier.client("owner"), name)
    with tenant_scope(atelier.ref):
        assert catalog().find(name) is not None  # the control
    assert text(atelier.client("owner"), f"{OBJECTS}/x_elsewhere", 404)
