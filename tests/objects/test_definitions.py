"""A definition file is judged as a whole: every fault at once, each with its place and its cure."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.core.declared import declarations
from apps.objects.definitions import FieldGroup
from apps.objects.describe import field_item, object_item
from apps.objects.kinds import public_kinds
from apps.objects.parse import DefinitionErrors, load_body, load_yaml
from apps.objects.parse.declare import SHAPES
from apps.objects.parse.field_keys import FIELD_KEYS
from apps.objects.parse.tree import SIZE_LIMIT

GOOD = """
name: contacts
label: Contact
fields:
  name: {type: text, required: true}
  salary: {type: currency, min: 0.5}
  status: {type: select, options: [open, {value: won, label: Won, color: green, default: true}]}
"""


def faults(text, **more):
    with pytest.raises(DefinitionErrors) as refused:
        load_yaml(text, "bad.yml", **more)
    return refused.value.errors


def codes(text, **more):
    return {(e.path, e.code) for e in faults(text, **more)}


def thing(**more):
    fields = {"title": {"type": "text"}} | more.pop("fields", {})
    return load_body({"name": "thing", "fields": fields, **more})


def test_good():
    made = load_yaml(GOOD)
    assert list(made.fields) == ["name", "salary", "status"]
    assert made.plural_label == "Contacts"
    assert load_body(made.body) == made


def test_all_errors_at_once():
    found = faults(
        """
name: Bad Name
lable: x
fields:
  a: {type: txt}
  b: {type: select}
  c: {type: text, maxLength: lots, min: 3}
  id: {type: text}
  d: {type: lookup, required: true}
  e: {type: text}
  e: {type: text}
"""
    )
    assert [(e.line, e.path, e.code) for e in found] == [
        (2, "name", "invalid_name"),
        (3, "lable", "unknown_key"),
        (5, "fields.a.type", "invalid_value"),
        (6, "fields.b.options", "required"),
        (7, "fields.c.maxLength", "invalid_type"),
        (7, "fields.c.min", "not_applicable"),
        (8, "fields.id", "reserved_name"),
        (9, "fields.d.reference", "required"),
        (9, "fields.d.deleteBehavior", "conflict"),
        (11, "fields.e", "duplicate_key"),
    ]
    assert all(e.file == "bad.yml" and e.message for e in found)
    assert "Did you mean 'label'?" in str(found[1])


def test_a_key_that_nothing_enforces_is_refused():
    found = codes("name: x\nlifecycle: {}\nfields:\n  a: {type: text, lookupFilters: x, nonsense: 1}\n")
    assert found == {
        ("lifecycle", "unsupported"),
        ("fields.a.lookupFilters", "unsupported"),
        ("fields.a.nonsense", "unknown_key"),
    }


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        ("- 1", "invalid_type"),
        ("a: [1", "syntax"),
        ("a: &a [*a]", "too_large"),
        ("x: " + "a" * SIZE_LIMIT, "too_large"),
        ("name: !!python/object/apply:os.system [ls]", "tag"),
        ("a: &x {b: 1}\nc: {<<: *x}", "invalid_key"),
        ("a: {b: {c: " * 30 + "1" + "}}" * 30, "syntax"),
    ],
)
def test_hostile_yaml_is_refused(text, code):
    assert code in {e.code for e in faults(text)}


def test_alias_bomb_is_refused():
    bomb = "a0: &a0 [x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
    )
    assert {e.code for e in faults(bomb)} == {"too_large"}


def test_yaml_words_stay_words():
    made = load_yaml(
        "name: x\nlabel: no\nfields:\n  t: {type: text}\n  a: {type: select, options: [yes, no, on]}\n"
    )
    assert made.label == "no"
    assert made.fields["a"].option_values == ("yes", "no", "on")


def test_names():
    for name in ("Thing", "1thing", "a__b", "_a", "a_", "x" * 49, "sys_user"):
        assert any(e.path == "name" for e in faults(f"name: {name}\nfields:\n  a: {{type: text}}\n"))
    assert codes("name: lead\nfields:\n  a: {type: text}\n", module="crm") == {("name", "invalid_name")}


def test_fields():
    assert ("", "required") in codes("name: x\n")
    assert ("fields", "required") in codes("name: x\nfields: {}\n")


def test_labels():
    made = thing(label="Ding", fields={"annual_revenue": {"type": "currency"}})
    assert (made.label, made.plural_label) == ("Ding", "Dings")
    assert made.fields["annual_revenue"].label == "Annual revenue"


def test_name_field():
    assert thing().name_field == "title"
    assert thing(fields={"name": {"type": "text"}}).name_field == "name"
    assert ("nameField", "unknown_field") in codes("name: x\nnameField: z\nfields:\n  a: {type: text}\n")
    assert ("nameField", "not_applicable") in codes("name: x\nnameField: a\nfields:\n  a: {type: json}\n")


def test_searchable_fields():
    assert thing().searchable_fields == ("title",)
    marked = {"a": {"type": "text", "searchable": True}, "b": {"type": "email", "searchable": True}}
    assert thing(fields=marked).searchable_fields == ("a", "b")
    assert thing(fields=marked, searchableFields=["b"]).searchable_fields == ("b",)
    assert thing(fields=marked, enable={"searchable": False}).searchable_fields == ()
    assert ("fields.a.searchable", "not_applicable") in codes(
        "name: x\nfields:\n  a: {type: date, searchable: true}\n"
    )


def test_sections():
    made = thing(
        fieldGroups=[{"key": "one", "label": "One"}, {"key": "two"}, {"key": "empty"}],
        fields={
            "a": {"type": "text", "group": "two"},
            "b": {"type": "text", "group": "one"},
            "c": {"type": "text", "hidden": True},
        },
    )
    assert [(g.label, [f.name for f in fs]) for g, fs in made.sections()] == [
        ("", ["title"]),
        ("One", ["b"]),
        ("Two", ["a"]),
    ]
    assert made.field_groups[1] == FieldGroup("two", "Two")
    assert ("fields.a.group", "unknown_group") in codes("name: x\nfields:\n  a: {type: text, group: z}\n")


def test_enable():
    made = thing(enable={"trackHistory": False, "apiMethods": ["get", "list"]})
    assert not made.enable.track_history
    assert made.enable.api_methods == {"get", "list"}
    assert ("enable.files", "unsupported") in codes(
        "name: x\nenable: {files: true}\nfields:\n  a: {type: text}\n"
    )


def test_ownership():
    assert thing().owner_field == "owner_id"
    assert thing(ownership="none", sharingModel="public_read").owner_field is None
    assert ("ownership", "conflict") in codes("name: x\nownership: none\nfields:\n  a: {type: text}\n")


def test_default_option():
    made = load_yaml(GOOD)
    assert made.fields["status"].default_value == "won"
    assert ("fields.a.defaultValue", "invalid_option") in codes(
        "name: x\nfields:\n  a: {type: select, options: [b], defaultValue: c}\n"
    )


def test_default_is_judged_by_the_type():
    assert ("fields.a.defaultValue", "invalid_number") in codes(
        "name: x\nfields:\n  a: {type: number, defaultValue: x}\n"
    )
    assert (
        thing(fields={"day": {"type": "date", "defaultValue": "{today}"}}).fields["day"].default_value
        == "{today}"
    )


def test_list_views():
    made = thing(
        listViews={"mine": {"columns": ["title", "created_at"], "sort": "-created_at", "label": "Mine"}}
    )
    view = object_item(made)["listViews"]["mine"]
    assert view["columns"] == ["title", "created_at"]
    assert view["sort"] == [{"field": "created_at", "order": "desc"}]
    bad = "name: x\nfields:\n  a: {type: json}\nlistViews:\n  v: {columns: [ghost], sort: a}\n  w: {}\n"
    assert codes(bad) >= {
        ("listViews.v.columns", "unknown_field"),
        ("listViews.v.sort", "unknown_field"),
        ("listViews.w", "required"),
    }


def test_default_view():
    assert thing().default_view.name == "all"
    views = {"a": {"columns": ["title"]}, "b": {"columns": ["title"], "default": True}}
    assert thing(listViews=views).default_view.name == "b"


def test_list_view_filter_is_judged():
    def judged(text):
        return codes(
            f"name: x\nfields:\n  a: {{type: number}}\n  t: {{type: text}}\nlistViews:\n  v: {{columns: [a], filter: {text}}}\n"
        )

    path = "listViews.v.filter"
    assert judged("{ghost: 1}") == {(f"{path}.ghost", "unknown_field")}
    assert judged("{a: {$contains: 1}}") == {(f"{path}.a.$contains", "invalid_operator")}
    assert judged("{a: {$gt: x}}") == {(f"{path}.a.$gt", "invalid_number")}
    assert judged("{$or: [{a: 1}, {ghost: 1}]}") == {(f"{path}.$or[1].ghost", "unknown_field")}
    assert judged("{a: {$in: 1}}") == {(f"{path}.a.$in", "invalid_type")}


def test_objectos_permissions():
    made = load_yaml(
        """
name: contacts
permission_sets:
  sales: {allowRead: true, allowCreate: true, allowEdit: [{field: owner, equals: $currentUser.id}], allowDelete: false}
  admin: {allowRead: true, allowCreate: true, allowEdit: true, allowDelete: true}
fields:
  name: {type: text}
  boss: {type: lookup, reference_to: contacts}
  salary: {type: currency, permissions: {visible_to: [hr, admin], editable_by: [admin]}}
"""
    )
    sales, admin = made.permission_sets["sales"], made.permission_sets["admin"]
    assert sales["objects"]["contacts"] == {
        "allowRead": True,
        "allowCreate": True,
        "allowEdit": True,
        "allowDelete": False,
        "allowExport": False,
        "viewAllRecords": True,
        "modifyAllRecords": False,
    }
    assert admin["objects"]["contacts"]["modifyAllRecords"]
    assert sales["fields"]["contacts.salary"] == {"readable": False, "editable": False}
    assert admin["fields"]["contacts.salary"] == {"readable": True, "editable": True}
    assert made.fields["boss"].reference == "contacts"
    assert made.fields["salary"].visible_to == {"hr", "admin"}
    bad = "name: x\nfields:\n  a: {type: text}\npermission_sets:\n  s: {allowRead: [{field: a, equals: 1}]}\n"
    assert codes(bad) == {("permission_sets.s.allowRead", "unsupported")}


def test_translations():
    words = {
        "label": "Ding",
        "pluralLabel": "Dinge",
        "description": "Was es gibt",
        "fields": {
            "title": {"label": "Titel", "description": "Wie es heißt"},
            "s": {"options": {"open": "offen"}},
        },
        "fieldGroups": {"g": "Gruppe"},
        "listViews": {"all": "Alle"},
    }
    made = thing(
        fields={"s": {"type": "select", "options": ["open"]}},
        fieldGroups=[{"key": "g"}],
        listViews={"all": {"columns": ["title"]}},
        translations={"de": words},
    )
    assert made.label_for("de") == made.label_for("de-at") == "Ding"
    assert made.label_for("de", plural=True) == "Dinge"
    assert made.label_for("fr") == "Thing"
    assert made.description_for("de") == "Was es gibt"
    assert made.description_for("fr") == made.description
    assert made.field_label("title", "de") == "Titel"
    assert made.field_description("title", "de") == "Wie es heißt"
    assert made.option_label("s", "open", "de") == "offen"
    assert made.group_label("g", "de") == "Gruppe"
    assert made.view_label("all", "de") == "Alle"
    bad = "name: x\nfields:\n  a: {type: text}\ntranslations:\n  de: {fields: {ghost: {label: x}}, listViews: {v: x}}\n"
    assert {e.code for e in faults(bad)} == {"unknown_field", "unknown_key"}


def test_describe_object():
    made = thing(icon="box", description="A thing.", highlightFields=["title"])
    item = object_item(made)
    assert (item["icon"], item["description"], item["highlightFields"]) == ("box", "A thing.", ["title"])
    assert item["fields"]["title"]["sortable"] is True
    assert item["fields"]["created_at"]["system"] is True


def test_describe_hides_what_may_not_be_read():
    made = thing(
        fields={"secret": {"type": "text"}},
        indexes=[{"fields": ["secret"]}],
        listViews={
            "v": {"columns": ["title", "secret"], "sort": "secret"},
            "w": {"columns": ["title"], "filter": {"$or": [{"title": "x"}, {"$not": {"secret": "y"}}]}},
        },
    )
    item = object_item(made, readable={"title"})
    assert "secret" not in repr(item)
    assert "secret" in repr(object_item(made))


def test_describe_field():
    made = thing(
        fields={
            "a": {"type": "currency", "currency": "EUR", "min": 0, "max": 2.5, "description": "Money"},
            "s": {"type": "select", "options": [{"value": "open", "color": "green"}]},
        }
    )
    item = field_item(made, made.fields["a"])
    assert (item["currency"], item["min"], item["max"], item["description"]) == ("EUR", 0, "2.5", "Money")
    assert field_item(made, made.fields["s"])["options"][0]["color"] == "green"


def test_every_key_is_declared_with_its_enforcement():
    declared = {d.key: d for d in declarations("yaml")}
    for prefix, keys in SHAPES.items():
        for name, key in keys.items():
            assert declared[f"{prefix}.{name}"].enforced_by == key.enforced_by


@pytest.mark.parametrize(
    ("field", "path", "code"),
    [
        ("{type: lookup, reference: x, deleteBehavior: gone}", "deleteBehavior", "invalid_value"),
        ("{type: number, min: 2, max: 1}", "min", "conflict"),
        ("{type: number, precision: 2, scale: 3}", "scale", "conflict"),
        ("{type: text, minLength: 9, maxLength: 3}", "minLength", "conflict"),
        ("{type: text, maxLength: 9999}", "maxLength", "out_of_range"),
        ("{type: autonumber, autonumberFormat: ACC}", "autonumberFormat", "invalid_value"),
        ("{type: currency, currency: euro}", "currency", "max_length"),
        ("{type: json, unique: true}", "unique", "not_applicable"),
        ("{type: text, unique: global}", "unique", "invalid_value"),
        ("{type: select, options: [a, a]}", "options", "duplicate"),
    ],
)
def test_field_faults(field, path, code):
    assert (f"fields.b.{path}", code) in codes(f"name: x\nfields:\n  a: {{type: text}}\n  b: {field}\n")


KEYS = [key for keys in SHAPES.values() for key in keys]
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=12)
    | st.floats(allow_nan=False, allow_infinity=False)
)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=20,
)
FIELD = st.fixed_dictionaries({"type": st.sampled_from(sorted(public_kinds()))}) | st.dictionaries(
    st.sampled_from(list(FIELD_KEYS)), ANYTHING
)


@settings(max_examples=400, deadline=None)
@given(
    st.dictionaries(st.sampled_from(KEYS), ANYTHING, max_size=8),
    st.dictionaries(st.sampled_from(["a", "b"]), FIELD | ANYTHING),
)
def test_whatever_comes_in_a_definition_comes_out_or_faults_do(body, fields):
    try:
        made = load_body({"name": "thing", **body, "fields": fields})
    except DefinitionErrors as refused:
        assert refused.errors
    else:
        assert load_body(made.body) == made
        object_item(made, "de")


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab:-[]{}&*!|>'\"#%@\n ,?0.", max_size=60))
def test_whatever_comes_as_yaml_faults_or_a_definition_comes_out(text):
    with contextlib.suppress(DefinitionErrors):
        load_yaml(text)
