"""Every field type through every door: written, read, filtered, sorted, grouped, exported, imported, typed, shown.

A type without a row in `kind_cases` fails here: whoever adds one says how it behaves.
"""

import json

import jsonschema_rs
import pytest
from django.http import QueryDict
from django.template.loader import render_to_string
from django.urls import set_urlconf
from django.utils import timezone, translation

from apps.api.export.cells import csv_cell
from apps.api.graphql import documents, running
from apps.api.graphql.naming import reference_names
from apps.api.openapi.objects import value_schema
from apps.core.actor import SYSTEM
from apps.core.errors import Problem
from apps.core.scope import tenant_scope
from apps.objects import query, records
from apps.objects.describe import field_item
from apps.objects.kinds import KINDS, AcceptContext, kind_of, public_kinds
from apps.objects.kinds.secret import MASK
from apps.objects.parse import load_body
from apps.objects.publish import publish_in
from apps.objects.records import versions
from apps.objects.transfer.mapping import Link
from apps.objects.transfer.rows import Loader
from apps.portal import cells, forms, show
from apps.portal.listing import filters, operators
from apps.portal.widgets import WIDGETS
from tests.objects.kind_cases import CASES, HERE, ME, UNSET

KINDS_HERE = sorted(CASES)
BASE = {"name": "qa_base", "sharingModel": "public_read_write", "fields": {"title": {"type": "text"}}}


def body():
    fields = {"title": {"type": "text"}}
    for name, case in CASES.items():
        fields[f"f_{name}"] = {"type": name, "label": name.title()} | case.declared
    return {"name": "qa_kind", "sharingModel": "public_read_write", "fields": fields}


def plain(value):
    """Return JSON with floats in place of Decimals, so that a table row compares."""
    return json.loads(json.dumps(value, default=float))


LEAF = {
    "name": "qa_leaf",
    "ownership": "none",
    "sharingModel": "public_read_write",
    "fields": {"title": {"type": "text"}, "kind": {"type": "lookup", "reference": "qa_kind"}},
}
WRITTEN = [name for name in KINDS_HERE if not KINDS[name].generated]


class World:
    """The object with a field of every type, and two records of it."""

    def __init__(self, tenant, by):
        self.tenant, self.by = tenant, by
        self.definition = load_body(body())
        self.base = records.create("qa_base", {"title": "Base"}, by=by, tenant=tenant).id
        self.anchor = records.create(
            "qa_kind", {"title": "Anchor", "f_master_detail": self.base}, by=by, tenant=tenant
        ).id
        self.one = records.create("qa_kind", self.data("value"), by=by, tenant=tenant).id
        records.create("qa_leaf", {"title": "Leaf", "kind": self.one}, by=by, tenant=tenant)
        self.two = records.create("qa_kind", self.data("other"), by=by, tenant=tenant).id

    def real(self, kind, value):
        """Return the value with the marks of the table replaced."""
        if value is HERE:
            return self.base if kind == "master_detail" else self.anchor
        return str(self.by.user_id) if value is ME else value

    def data(self, side):
        made = {"title": side, "f_master_detail": self.base}
        for kind, case in CASES.items():
            value = getattr(case, side)
            if value is not UNSET:
                made[f"f_{kind}"] = self.real(kind, value)
        return made

    def field(self, kind):
        return self.definition.fields[f"f_{kind}"]

    def expected(self, kind):
        return self.real(kind, CASES[kind].read)

    def rows(self, source):
        return query.find("qa_kind", source, by=self.by, tenant=self.tenant).records()

    def read(self, record_id):
        return query.get("qa_kind", record_id, by=self.by, tenant=self.tenant).record()

    def names(self):
        return show.Names(records={("qa_kind", self.anchor): "", ("qa_base", self.base): ""})


@pytest.fixture(scope="module")
def world(database, people):
    set_urlconf("config.urls_tenant")
    acme, by = database["acme"], people.actor("owner")
    publish_in(acme, [load_body(BASE), load_body(body()), load_body(LEAF)], by=SYSTEM)
    yield World(acme, by)
    set_urlconf(None)
    publish_in(acme, [], by=SYSTEM, drop=["qa_leaf", "qa_kind", "qa_base"], allow_destructive=True)


def test_every_kind_has_a_row():
    assert set(public_kinds()) == set(CASES)
    for name, kind in KINDS.items():
        assert kind.__doc__, name
        assert kind.widget in WIDGETS or kind.internal, name


@pytest.mark.parametrize("kind", KINDS_HERE)
def test_is_read_as_it_was_written(world, kind):
    record = world.read(world.one)
    assert plain(record[f"f_{kind}"]) == world.expected(kind)


@pytest.mark.parametrize("kind", [k for k in KINDS_HERE if CASES[k].bad is not UNSET])
def test_refuses_what_is_no_value(world, kind):
    with pytest.raises(Problem) as refusal:
        records.create(
            "qa_kind", world.data("value") | {f"f_{kind}": CASES[kind].bad}, by=world.by, tenant=world.tenant
        )
    assert [error.field for error in refusal.value.fields] == [f"f_{kind}"]


@pytest.mark.parametrize("kind", KINDS_HERE)
def test_is_found_by_its_operators(world, kind):
    for operator, operand in CASES[kind].finds.items():
        found = world.rows({"where": {f"f_{kind}": {operator: world.real(kind, operand)}}, "fields": ["id"]})
        ids = [row["id"] for row in found]
        assert world.one in ids, operator
        assert kind == "master_detail" or world.two not in ids, operator
    present = world.rows({"where": {f"f_{kind}": {"$null": False}}, "fields": ["id"]})
    assert world.one in [row["id"] for row in present]


def asked(world, text, variables):
    document = documents.read(text)
    me = {"id": "", "name": "", "email": ""}
    answer = running.run(
        running.Asked(document, document.operation(None), variables, world.by, world.tenant, me)
    )
    assert answer.errors == []
    return json.loads(answer.data)


@pytest.mark.parametrize("kind", KINDS_HERE)
def test_is_the_same_over_graphql(world, kind):
    field = world.field(kind)
    record, identity = reference_names(field.name, several=field.multiple)
    refers = kind == "user" or field.reference
    shown = f"value: {identity} {record} {{ id }}" if refers else f"value: {field.name}"
    text = f"query($id: ID!) {{ qa_kind(id: $id) {{ {shown} }} }}"
    found = asked(world, text, {"id": world.one})["qa_kind"]
    assert plain(found["value"]) == plain(world.read(world.one)[field.name])
    if refers:
        behind = found[record]
        assert behind is None or {"id": found["value"]} == behind
    text = "query($w: QaKindWhere) { qa_kind_list(where: $w) { nodes { id } } }"
    for operator, operand in CASES[kind].finds.items():
        where = {field.name: {operator[1:]: world.real(kind, operand)}}
        nodes = asked(world, text, {"w": where})["qa_kind_list"]["nodes"]
        assert {"id": world.one} in nodes, operator


@pytest.mark.parametrize("kind", KINDS_HERE)
def test_no_operator_beyond_its_own(world, kind):
    own = kind_of(world.field(kind)).operators
    for operator in ("$eq", "$gt", "$contains", "$icontains"):
        if operator not in own:
            with pytest.raises(Problem) as refusal:
                world.rows({"where": {f"f_{kind}": {operator: "x"}}})
            assert refusal.value.code == "INVALID_FILTER"


@pytest.mark.parametrize("kind", KINDS_HERE)
def test_sorts_groups_and_pages_or_says_no(world, kind):
    name = f"f_{kind}"
    sorting = {"orderBy": [{"field": name, "order": "asc"}], "fields": ["id"]}
    grouping = {"groupBy": [name], "aggregations": [{"function": "count", "alias": "n"}]}
    if not CASES[kind].sorts:
        for source in (sorting, grouping):
            with pytest.raises(Problem):
                world.rows(source)
        return
    whole = [row["id"] for row in world.rows(sorting)]
    paged, after = [], "*"
    while after:
        page = query.find("qa_kind", sorting | {"limit": 1, "after": after}, by=world.by, tenant=world.tenant)
        paged += [row["id"] for row in page.records()]
        after = page.next_cursor
    assert paged == whole
    assert len(whole) == 3
    assert world.expected(kind) in [row[name] for row in world.rows(grouping)]


@pytest.mark.parametrize("kind", WRITTEN)
def test_leaves_by_the_export_and_comes_back_by_the_import(world, kind):
    cell = csv_cell(world.read(world.one)[f"f_{kind}"])
    field = world.field(kind)
    links = [Link("title", "title"), Link("c", field.name, "id" if field.reference or kind == "user" else "")]
    if kind != "master_detail":
        links.append(Link("m", "f_master_detail", "id"))
    with tenant_scope(world.tenant):
        loader = Loader(world.definition, ["title", "c", "m"], links, "insert", "", world.by)
        outcome = loader.load(["again", cell.removeprefix("'"), world.base])
        assert outcome.action == "created", outcome.errors
        got = query.get("qa_kind", outcome.record_id, by=world.by).record()
        records.delete("qa_kind", outcome.record_id, by=world.by)
    write_only = kind_of(field).write_only
    assert plain(got[field.name]) == (
        None if write_only else world.expected(kind)
    )  # a mask is no value to import


@pytest.mark.parametrize("kind", KINDS_HERE)
def test_fits_its_schema(world, kind):
    field = world.field(kind)
    wire = plain(world.read(world.one)[field.name])
    for value, writing in ((wire, False), (None, False), (world.real(kind, CASES[kind].value), True)):
        if value is not UNSET:
            told = value_schema(field, writing=writing)
            assert jsonschema_rs.is_valid(told, value), (told, value)
    item = field_item(world.definition, field)
    assert load_body(
        {
            "name": "qa_kind",
            "fields": {"title": {"type": "text"}, field.name: {"type": kind} | CASES[kind].declared},
        }
    )
    assert item["type"] == kind


def wire_of(field, raw):
    """Return the wire value that `raw` would be stored as."""
    kind = kind_of(field)
    return kind.python_json(field, kind.accept(field, raw, context=AcceptContext(zone=forms.zone())))


def shown_input(world, kind, texts):
    with tenant_scope(world.tenant):
        sections = forms.sections(
            world.definition,
            frozenset({f"f_{kind}"}),
            texts,
            errors={f"f_{kind}": "Wrong."},
            names=world.names(),
            members={str(world.by.user_id): "Olivia"},
        )
    (section,) = sections
    (box,) = section.inputs
    return render_to_string("components/input.html", {"input": box})


@pytest.mark.parametrize("kind", WRITTEN)
def test_is_typed_into_a_form_and_shown_in_it_again(world, kind):
    field, case = world.field(kind), CASES[kind]
    post = QueryDict(mutable=True)
    for end, typed in case.typed.items():
        sent = world.real(kind, typed)
        post.setlist(field.name + end, sent if isinstance(sent, list) else [sent])
    with timezone.override("UTC"):
        texts = forms.posted(world.definition, frozenset({field.name}), post)
        raw = forms.raw(field, texts[field.name])
        made = records.create(
            "qa_kind",
            {"f_master_detail": world.base, field.name: raw},
            by=world.by,
            tenant=world.tenant,
            zone=forms.zone(),
        )
        record = made.record()
        assert plain(record[field.name]) == world.expected(kind)
        stored = forms.text_of(field, record[field.name])
    records.delete("qa_kind", made.id, by=world.by, tenant=world.tenant)
    if not KINDS[kind].write_only:  # what the form shows again is what was sent
        with timezone.override("UTC"):
            assert plain(wire_of(field, forms.raw(field, stored))) == world.expected(kind)
    html = shown_input(world, kind, {field.name: stored})
    assert f'id="f-{field.name}"' in html
    assert f'id="error-{field.name}"' in html
    assert "hunter2" not in html
    again = QueryDict(mutable=True)
    assert forms.posted(world.definition, frozenset({field.name}), again).keys() <= {field.name}


@pytest.mark.parametrize("kind", KINDS_HERE)
def test_is_shown_in_cells_lists_and_histories(world, kind):
    field, case = world.field(kind), CASES[kind]
    value = world.read(world.one)[field.name]
    with translation.override("en"), timezone.override("UTC"):
        cell = str(show.cell(value, field, world.definition, world.names()))
        brief = str(show.brief(value, field, world.definition, world.names()))
        plain = show.plain(value, field, world.definition, world.names())
    assert case.shown in cell
    assert case.brief in brief
    assert plain is not None
    assert "\n" not in brief or kind not in cells.BRIEF
    for told in (cell, brief, plain):
        assert "hunter2" not in told


@pytest.mark.parametrize("kind", KINDS_HERE)
def test_every_offered_filter_is_one_the_query_takes(world, kind):
    field = world.field(kind)
    for operator in operators.offered(field):
        value = {"none": "", "days": "7", "period": "thismonth", "range": "1..2"}.get(operator.takes)
        sample = world.expected(kind)
        text = value if value is not None else str(sample[0] if isinstance(sample, list) else sample)
        if operator.takes == "range":
            text = f"{sample}..{sample}"
        condition = filters.Condition("0", field.name, operator.code, text)
        if filters.decode([condition.encoded()], world.definition, frozenset({field.name})):
            world.rows({"where": filters.where([condition]), "limit": 1})
        else:
            assert operator.takes != "none", operator.code


@pytest.mark.parametrize("kind", [k for k in WRITTEN if k != "master_detail"])
def test_a_change_is_told_and_can_be_taken_back(world, kind):
    name, case = f"f_{kind}", CASES[kind]
    with tenant_scope(world.tenant):
        made = records.create(
            "qa_kind", {"f_master_detail": world.base, name: world.real(kind, case.value)}, by=world.by
        )
        records.update("qa_kind", made.id, {name: None}, by=world.by)
        same = records.update("qa_kind", made.id, {name: None}, by=world.by)
        assert not same.changed  # nothing changed, nothing written
        told = versions.versions("qa_kind", made.id, by=world.by)
        change = next(c for c in told[0].changes if c.field == name)
        assert "hunter2" not in str(change)
        result = versions.restore_version("qa_kind", made.id, 1, by=world.by)
        got = query.get("qa_kind", made.id, by=world.by).record()
        records.delete("qa_kind", made.id, by=world.by)
    write_only = KINDS[kind].write_only
    assert plain(got[name]) == (None if write_only or kind == "json" else world.expected(kind)), result


# -- secrets through the services ----------------------------------------------------------------------


def test_the_mask_sent_back_keeps_the_secret(world):
    made = records.create(
        "qa_kind", {"f_master_detail": world.base, "f_secret": "hunter2"}, by=world.by, tenant=world.tenant
    )
    back = records.update(
        "qa_kind", made.id, {"f_secret": MASK, "title": "new"}, by=world.by, tenant=world.tenant
    )
    assert back.changed == ["title"]
    from django.db import connections

    with tenant_scope(world.tenant), connections["default"].cursor() as cursor:
        cursor.execute(
            'SELECT f_secret IS NOT NULL, f_secret = %s FROM "obj_qa_kind" WHERE id = %s', [MASK, made.id]
        )
        assert cursor.fetchone() == (True, False)


@pytest.mark.parametrize(
    "source",
    [
        {"where": {"f_secret": "hunter2"}},
        {"where": {"f_secret": {"$startsWith": "h"}}},
        {"where": {"f_text": {"$eq": {"$field": "f_secret"}}}},
        {"orderBy": ["f_secret"]},
        {"groupBy": ["f_secret"], "aggregations": [{"function": "count", "alias": "n"}]},
        {"aggregations": [{"function": "count_distinct", "field": "f_secret", "alias": "n"}]},
        {"aggregations": [{"function": "max", "field": "f_secret", "alias": "n"}]},
        {"search": "hunter2", "searchFields": ["f_secret"]},
    ],
    ids=["eq", "starts", "field", "order", "group", "distinct", "max", "search"],
)
def test_no_question_guesses_a_secret(world, source):
    with pytest.raises(Problem):
        world.rows(source)
    plain = json.loads(json.dumps(source).replace("f_secret", "title"))
    world.rows(plain)  # the control: the same question about a field that may be asked


@pytest.mark.parametrize(
    ("kind", "harm"),
    [
        ("richtext", '<img src=x onerror="alert(1)">'),
        ("html", "<script>alert(1)</script>"),
        ("signature", "https://example.com/track.png"),
        ("secret", "hunter2"),
        ("color", '"><script>alert(1)</script>'),
        ("composite", '{"width": "\\"><script>alert(1)</script>"}'),
    ],
)
def test_what_an_address_puts_into_a_form_is_harmless(world, kind, harm):
    html = shown_input(world, kind, {f"f_{kind}": harm})
    for alive in ("<script", "onerror", "track.png", "hunter2"):
        assert alive not in html
    assert "alert(1)" not in html or "&lt;script&gt;" in html
