"""The tenant's layer: it merges, it is derived, it outlives upgrades, and what no longer fits is named."""

from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.audit.queries import history as ledger_of
from apps.core.actor import SYSTEM
from apps.core.db.owner import owner_session
from apps.core.errors import Conflict, NotFound, PermissionDenied
from apps.core.scope import tenant_scope
from apps.objects import records
from apps.objects.catalog import catalog
from apps.objects.design import history, references, saving
from apps.objects.models import Overlay
from apps.objects.overlay import keeping
from apps.objects.overlay.layering import derive, merge
from apps.objects.parse import DefinitionErrors, load_body
from apps.objects.publish import plan_objects, publish_objects

BASE = {
    "name": "shop_item",
    "label": "Item",
    "sharingModel": "public_read_write",
    "fieldGroups": [{"key": "main", "label": "Main"}],
    "fields": {
        "name": {"type": "text", "label": "Name", "required": True, "group": "main"},
        "state": {
            "type": "select",
            "options": [{"value": "new", "label": "New"}, {"value": "old", "label": "Old"}],
        },
        "price": {"type": "currency"},
    },
    "listViews": {"all": {"label": "All", "columns": ["name", "price"]}},
}


def changed(base=BASE, **fields):
    """The base with other or more fields; None takes one away."""
    body = deepcopy(base)
    for name, spec in fields.items():
        if spec is None:
            del body["fields"][name]
        else:
            body["fields"][name] = body["fields"].get(name, {}) | spec
    return body


OWN = {"type": "text", "label": "Shelf", "group": "main"}
LABELS = st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=8)
NAMES = st.sampled_from(["shelf", "aisle", "rack"])
FIELDS = st.fixed_dictionaries({"type": st.sampled_from(["text", "number", "date"]), "label": LABELS})


@st.composite
def wishes(draw):
    """A whole definition that a tenant may want instead of BASE."""
    body = deepcopy(BASE) | draw(
        st.dictionaries(st.sampled_from(["label", "description", "icon"]), LABELS, max_size=2)
    )
    body["fields"] |= draw(st.dictionaries(NAMES, FIELDS, max_size=3))
    for name in draw(st.sets(st.sampled_from([*BASE["fields"]]))):
        body["fields"][name] |= draw(
            st.fixed_dictionaries(
                {}, optional={"label": LABELS, "hidden": st.just(True), "readonly": st.just(True)}
            )
        )
    if draw(st.booleans()):
        body["fields"]["state"]["options"] = [
            *BASE["fields"]["state"]["options"],
            {"value": "mid", "label": draw(LABELS)},
        ]
    if draw(st.booleans()):
        del body["fields"]["name"]["group"]
    if draw(st.booleans()):
        body["listViews"] = BASE["listViews"] | {"mine": {"label": draw(LABELS), "columns": ["name"]}}
    return body


@settings(max_examples=300, deadline=None)
@given(wishes())
def test_what_is_derived_merges_into_what_was_wanted(wanted):
    made = merge(BASE, derive(BASE, wanted))
    assert made.clashes == ()
    assert made.body == wanted
    assert derive(BASE, made.body) == made.overlay  # and says no more than it needs


def test_nothing_wanted_is_no_layer():
    assert derive(BASE, BASE) == {}
    assert merge(BASE, {}).body == BASE


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        (changed(price=None), "fields.price"),
        (changed(price={"type": "number"}), "fields.price.type"),
        (changed(name={"required": False}), "fields.name.required"),
        (changed(name={"maxLength": 9}), "fields.name.maxLength"),
        (changed(state={"options": [{"value": "new", "label": "New"}]}), "fields.state.options.old"),
        (BASE | {"sharingModel": "private"}, "sharingModel"),
        (BASE | {"fieldGroups": []}, "fieldGroups.main"),
        (BASE | {"listViews": {}}, "listViews.all"),
        (BASE | {"enable": {"apiEnabled": False}}, "enable"),
    ],
)
def test_what_is_the_modules_stays_the_modules(wanted, path):
    with pytest.raises(DefinitionErrors) as refused:
        derive(BASE, wanted)
    assert [(e.path, e.code) for e in refused.value.errors] == [(path, "module_owned")]
    assert refused.value.errors[0].cure


def test_an_upgrade_carries_what_was_renamed_and_tells_what_has_no_place_any_more():
    layer = derive(BASE, changed(price={"label": "Cost"}, state={"label": "Status"}, shelf=OWN))
    newer = changed(amount={"type": "currency", "renamedFrom": "price"}, price=None, state=None)
    newer["fieldGroups"] = [{"key": "other", "label": "Other"}]
    del newer["fields"]["name"]["group"]
    made = merge(newer, layer)
    assert made.body["fields"]["amount"]["label"] == "Cost"
    assert made.body["fields"]["shelf"] == {"type": "text", "label": "Shelf"}
    assert [(clash.code, clash.path, clash.blocking) for clash in made.clashes] == [
        ("field_gone", "changes.state", False),
        ("group_gone", "fields.shelf.group", False),
    ]
    assert merge(newer, made.overlay).clashes == ()  # told once


def test_an_option_that_the_module_adds_later_is_there_too():
    layer = derive(
        BASE,
        changed(state={"options": [*BASE["fields"]["state"]["options"], {"value": "mid", "label": "M"}]}),
    )
    newer = changed(
        state={"options": [{"value": "new", "label": "Fresh"}, {"value": "late", "label": "Late"}]}
    )
    options = merge(newer, layer).body["fields"]["state"]["options"]
    assert [option["value"] for option in options] == ["new", "late", "mid"]
    assert options[0]["label"] == "Fresh"


# -- in a tenant ---------------------------------------------------------------------------------------


@pytest.fixture
def shop(fresh_tenant):
    """A tenant in which the module shop stands, open for publishing."""
    with owner_session(), tenant_scope(fresh_tenant):
        publish_objects([load_body(BASE, module="shop")], by=SYSTEM, module="shop")
        yield fresh_tenant


def bring(body, **options):
    return publish_objects([load_body(body, module="shop")], by=SYSTEM, module="shop", **options)


def lay(body, **options):
    return saving.put(saving.want("shop_item", body), by=SYSTEM, **options)


@pytest.mark.usefixtures("shop")
def test_a_layer_outlives_an_upgrade_with_its_values():
    lay(changed(shelf=OWN, name={"label": "Title"}))
    made = records.create("shop_item", {"name": "x", "shelf": "A1"}, by=SYSTEM).id
    bring(changed(weight={"type": "number"}) | {"label": "Article"})
    now = catalog().object("shop_item")
    assert [*now.fields] == ["name", "state", "price", "weight", "shelf"]
    assert (now.label, now.fields["name"].label, now.module) == ("Article", "Title", "shop")
    written = records.update("shop_item", made, {"weight": 3}, by=SYSTEM).record()
    assert (written["shelf"], written["weight"]) == ("A1", 3)
    assert keeping.base_of("shop_item") == changed(weight={"type": "number"}) | {"label": "Article"}


@pytest.mark.usefixtures("shop")
def test_without_its_layer_the_upgrade_would_have_dropped_the_field():
    """The control: the layer is what keeps it."""
    lay(changed(shelf=OWN))
    records.create("shop_item", {"name": "x", "shelf": "A1"}, by=SYSTEM)
    Overlay.objects.all().delete()
    with pytest.raises(Conflict) as refused:
        bring(changed(weight={"type": "number"}))
    assert refused.value.code == "DESTRUCTIVE_CHANGE"


@pytest.mark.usefixtures("shop")
def test_an_upgrade_that_takes_a_name_of_ones_own_is_refused_by_name_until_it_is_free():
    lay(changed(shelf=OWN))
    made = records.create("shop_item", {"name": "x", "shelf": "A1"}, by=SYSTEM).id
    newer = changed(shelf={"type": "number"})
    for act in (lambda: bring(newer), lambda: plan_objects([load_body(newer, module="shop")], module="shop")):
        with pytest.raises(Conflict) as refused:
            act()
        assert refused.value.code == "OVERLAY_CONFLICT"
        [clash] = refused.value.details["conflicts"]
        assert (clash["code"], clash["path"]) == ("field_taken", "fields.shelf")
    lay(changed(my_shelf=OWN | {"renamedFrom": "shelf"}))
    bring(newer)
    record = records.update("shop_item", made, {"shelf": 7}, by=SYSTEM).record()
    assert (record["my_shelf"], record["shelf"]) == ("A1", 7)


@pytest.mark.usefixtures("shop")
def test_a_list_of_ones_own_that_names_a_field_the_module_drops_is_named():
    lay(BASE | {"listViews": BASE["listViews"] | {"mine": {"label": "Mine", "columns": ["name", "state"]}}})
    with pytest.raises(Conflict) as refused:
        bring(changed(state=None))
    assert refused.value.code == "OVERLAY_CONFLICT"
    assert "listViews.mine" in refused.value.details["conflicts"][0]["path"]


@pytest.mark.usefixtures("shop")
def test_taking_the_layer_off_leaves_the_module_and_asks_before_values_are_lost():
    lay(changed(shelf=OWN, name={"label": "Title"}))
    records.create("shop_item", {"name": "x", "shelf": "A1"}, by=SYSTEM)
    with pytest.raises(Conflict) as refused:
        saving.remove("shop_item", by=SYSTEM)
    assert refused.value.code == "DESTRUCTIVE_CHANGE"
    assert saving.remove("shop_item", by=SYSTEM, allow_destructive=True) is True
    assert catalog().object("shop_item").body == load_body(BASE).body
    assert not Overlay.objects.exists()
    with pytest.raises(Conflict) as refused:
        saving.remove("shop_item", by=SYSTEM)
    assert refused.value.code == "INVALID_STATE"


@pytest.mark.usefixtures("shop")
def test_a_draft_waits_beside_what_is_in_force_and_goes_over_what_the_module_brings_then():
    saving.draft(saving.want("shop_item", changed(shelf=OWN)), by=SYSTEM)
    assert "shelf" not in catalog().object("shop_item").fields
    bring(changed(weight={"type": "number"}))
    [waiting] = saving.drafts()
    assert {"weight", "shelf"} <= waiting.body["fields"].keys()
    assert {step.field for step in saving.plan(saving.wanted_by_draft("shop_item")).steps} == {"shelf"}
    saving.publish_draft("shop_item", by=SYSTEM)
    assert {"weight", "shelf"} <= catalog().object("shop_item").fields.keys()
    assert saving.drafts() == []
    with pytest.raises(NotFound):
        saving.publish_draft("shop_item", by=SYSTEM)


@pytest.mark.usefixtures("shop")
def test_a_draft_whose_name_the_module_took_says_so():
    saving.draft(saving.want("shop_item", changed(shelf=OWN)), by=SYSTEM)
    bring(changed(shelf={"type": "number"}))
    [clash] = saving.draft_of("shop_item").clashes
    assert (clash.code, clash.blocking) == ("field_taken", True)
    with pytest.raises(Conflict) as refused:
        saving.publish_draft("shop_item", by=SYSTEM)
    assert refused.value.code == "OVERLAY_CONFLICT"
    saving.discard("shop_item", by=SYSTEM)
    assert saving.draft_of("shop_item") is None


@pytest.mark.usefixtures("shop")
def test_an_earlier_version_comes_back_as_a_layer_over_todays_module():
    lay(changed(name={"label": "Title"}))  # 2
    lay(changed(name={"label": "Heading"}))  # 3
    bring(changed(weight={"type": "number"}))  # 4
    with pytest.raises(DefinitionErrors):
        saving.roll_back("shop_item", 2, by=SYSTEM)  # version 2 has no weight, and that is the module's
    lay(changed(keeping.base_of("shop_item"), name={"label": "Last"}))  # 5
    saving.roll_back("shop_item", 4, by=SYSTEM)
    assert catalog().object("shop_item").fields["name"].label == "Heading"
    newest = history.versions("shop_item")[0]
    assert (newest.version, newest.operation) == (6, "revert")


@pytest.mark.usefixtures("shop")
def test_a_wish_over_a_definition_that_was_replaced_meanwhile_is_refused():
    wanted = saving.want("shop_item", changed(shelf=OWN))
    bring(changed(weight={"type": "number"}))
    with pytest.raises(Conflict) as refused:
        saving.put(wanted, by=SYSTEM)
    assert refused.value.code == "CONCURRENT_UPDATE"


@pytest.mark.usefixtures("shop")
def test_each_act_is_one_entry_and_needs_the_right(people):
    acts = [
        (lambda by: saving.draft(saving.want("shop_item", changed(shelf=OWN)), by=by), "object.drafted"),
        (lambda by: saving.publish_draft("shop_item", by=by), "object.updated"),
        (lambda by: saving.draft(saving.want("shop_item", BASE), by=by), "object.drafted"),
        (lambda by: saving.discard("shop_item", by=by), "object.draft_discarded"),
        (lambda by: saving.roll_back("shop_item", 1, by=by, allow_destructive=True), "object.updated"),
        (lambda by: saving.remove("shop_item", by=by), "object.updated"),
    ]
    for number, (act, action) in enumerate(acts):
        if number == len(acts) - 1:
            lay(changed(name={"label": "Title"}))
        with pytest.raises(PermissionDenied):
            act(people.actor("sales"))
        before = len(ledger_of("object:shop_item"))
        act(SYSTEM)
        entries = ledger_of("object:shop_item")
        assert (len(entries) - before, entries[0].action) == (1, action)


def test_a_difference_is_told_field_by_field():
    changes = history.diff(BASE, changed(price=None, name={"label": "Title"}, shelf=OWN) | {"icon": "box"})
    assert {(change.kind, change.path) for change in changes} == {
        ("removed", "fields.price"),
        ("changed", "fields.name.label"),
        ("added", "fields.shelf"),
        ("added", "icon"),
    }
    assert history.diff(BASE, deepcopy(BASE)) == []


@pytest.mark.usefixtures("shop")
def test_what_points_to_an_object_is_found():
    part = {
        "name": "shop_part",
        "fields": {"name": {"type": "text"}, "item": {"type": "lookup", "reference": "shop_item"}},
    }
    publish_objects([load_body(part, module="shop")], by=SYSTEM, module="shop")
    assert [(m.type, m.name, m.path) for m in references.references("shop_item")] == [
        ("object", "shop_part", "fields.item.reference")
    ]
