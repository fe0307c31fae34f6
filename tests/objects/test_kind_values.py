"""The kinds with more than a word or a number: what they take, what they refuse, and what they keep secret."""

import base64
import datetime as dt
import struct
import zlib
from decimal import Decimal

import pytest
from django.db import connections

from apps.objects.definitions import FieldDef
from apps.objects.kinds import KINDS, AcceptContext, FieldProblem, kind_of
from apps.objects.kinds.autonumber import NextNumber, format_problem
from apps.objects.kinds.markup import cleaned, rendered, words
from apps.objects.kinds.secret import MASK
from apps.objects.parse import load_body
from apps.objects.parse.errors import DefinitionErrors


def png(width=3, height=2):
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress((b"\x00" + b"\x7f" * width) * height))
    return b"\x89PNG\r\n\x1a\n" + head + data + chunk(b"IEND", b"")


SIGNATURE = "data:image/png;base64," + base64.b64encode(png()).decode()
PARTS = (
    FieldDef("width", "number", "Width", required=True, min=Decimal(0)),
    FieldDef("unit", "text", "Unit", max_length=3),
    FieldDef("due", "date", "Due"),
)
MORE = {
    "slider": {"min": Decimal(10), "max": Decimal(20), "step": Decimal("2.5")},
    "vector": {"dimensions": 3},
    "composite": {"parts": PARTS},
    "repeater": {"parts": PARTS},
    "record": {"parts": PARTS},
}
BERLIN = {"street": "Unter den Linden 1", "city": "Berlin", "countryCode": "DE"}
TAKES = [
    ("markdown", "a **b**\n", "a **b**\n"),
    ("html", "<p onclick=x()>Hi<script>evil()</script></p>", "<p>Hi</p>"),
    (
        "html",
        '<table><tr><td style="color:red">1</td></tr></table>',
        "<table><tbody><tr><td>1</td></tr></tbody></table>",
    ),
    ("richtext", "<h1>No</h1><h2>Yes</h2>", "No<h2>Yes</h2>"),
    ("code", "  if x:\n\tpass\n", "  if x:\n\tpass\n"),
    ("color", " #ABC ", "#aabbcc"),
    ("qrcode", "https://example.com", "https://example.com"),
    ("signature", SIGNATURE, SIGNATURE),
    ("secret", "hunter2", "hunter2"),
    ("rating", 5, Decimal(5)),
    ("slider", "12.5", Decimal("12.5")),
    ("progress", 65.25, Decimal("65.25")),
    ("toggle", True, True),
    ("tags", ["North ", "north", "East  end"], ["North", "East end"]),
    ("address", {**BERLIN, "state": "", "countryCode": "de"}, BERLIN),
    ("location", {"lat": "52.5163", "lng": 13}, {"lat": 52.5163, "lng": 13}),
    (
        "composite",
        {"width": "12.50", "unit": "cm", "due": "2026-01-31"},
        {"width": 12.5, "unit": "cm", "due": "2026-01-31"},
    ),
    ("repeater", [{"width": 1}, {}, {"width": 2}], [{"width": 1}, {"width": 2}]),
    ("record", {"north": {"width": 1}}, {"north": {"width": 1}}),
    ("vector", [1, 0.5, -0.0], [1.0, 0.5, 0.0]),
]
REFUSES = [
    ("color", "red", "invalid_format"),
    ("color", "#12345", "invalid_format"),
    ("signature", "data:image/svg+xml;base64,PHN2Zz4=", "invalid_format"),
    ("signature", "data:image/png;base64,AAAA", "invalid_format"),
    ("signature", "data:image/png;base64," + base64.b64encode(png(width=2001)).decode(), "max_value"),
    ("rating", 6, "max_value"),
    ("rating", -1, "min_value"),
    ("rating", 4.5, "max_scale"),
    ("progress", 101, "max_value"),
    ("time", "24:00", "invalid_time"),
    ("time", 930, "invalid_type"),
    ("tags", ["a,b"], "invalid_format"),
    ("tags", [f"t{i}" for i in range(51)], "max_items"),
    ("tags", ["x" * 81], "max_length"),
    ("tags", {"a": 1}, "invalid_type"),
    ("address", {"planet": "Mars"}, "invalid_shape"),
    ("address", {"countryCode": "Germany"}, "invalid_format"),
    ("location", {"lat": 91, "lng": 0}, "max_value"),
    ("location", {"lat": 1}, "invalid_shape"),
    ("location", {"lat": 1, "lng": 2, "alt": 3}, "invalid_shape"),
    ("composite", {"unit": "cm"}, "required"),
    ("composite", {"width": -1}, "min_value"),
    ("composite", {"width": 1, "depth": 2}, "invalid_shape"),
    ("composite", {"width": "1234567890.1234567"}, "invalid_number"),
    ("composite", [1], "invalid_shape"),
    ("repeater", [{"width": 1}, {"width": 2, "unit": "inch"}], "max_length"),
    ("repeater", [{"width": 1}] * 201, "max_items"),
    ("record", {"": {"width": 1}}, "invalid_shape"),
    ("vector", [1, 2], "min_items"),
    ("vector", [1, 2, "3"], "invalid_number"),
    ("vector", [1, 2, float("inf")], "invalid_number"),
    ("secret", MASK, "invalid_value"),
]


def field(kind, **more):
    return FieldDef("f", kind, **(MORE.get(kind, {}) | more))


def accept(kind, raw, **more):
    made = field(kind, **more)
    return kind_of(made).accept(made, raw, context=AcceptContext())


def named(rows):
    return [pytest.param(*row, id=f"{row[0]}-{place}") for place, row in enumerate(rows)]


@pytest.mark.parametrize(("kind", "raw", "value"), named(TAKES))
def test_takes(kind, raw, value):
    assert accept(kind, raw) == value


@pytest.mark.parametrize(("kind", "raw", "code"), named(REFUSES))
def test_refuses(kind, raw, code):
    with pytest.raises(FieldProblem) as problem:
        accept(kind, raw)
    assert problem.value.code == code


@pytest.mark.parametrize(("kind", "_raw", "value"), named([t for t in TAKES if t[0] != "secret"]))
def test_survives_csv_and_the_ledger(kind, _raw, value):
    from apps.core import canonical

    made = field(kind)
    own = kind_of(made)
    assert own.accept(made, own.from_text(made, own.to_text(made, value))) == value
    kept = canonical.plain(own.python_json(made, value))
    assert own.remembered(made, kept)
    assert own.accept(made, own.recalled(made, kept)) == value


def test_slider_steps():
    assert accept("slider", 15) == 15
    with pytest.raises(FieldProblem):
        accept("slider", 11)


def test_vector_dimensions():
    assert accept("vector", [1], dimensions=1) == [1.0]
    faults = faults_of({"type": "vector"})
    assert [(f.path, f.code) for f in faults] == [("fields.x.dimensions", "required")]


def test_code_says_its_language():
    from apps.objects.describe import field_item

    made = load_body(
        {"name": "qa_x", "fields": {"title": {"type": "text"}, "x": {"type": "code", "language": "sql"}}}
    )
    assert field_item(made, made.fields["x"])["language"] == "sql"


def test_numbers_have_formats(database):
    year = dt.datetime.now(dt.UTC)
    assert format_problem("A-{YY}{MM}-{000}") is None
    assert "{QQ}" in str(format_problem("A-{QQ}-{000}"))
    with connections["default"].raw_cursor() as cursor:
        text, params = NextNumber("numbers", "A-{YY}-{000}").as_sql(None, connections["default"])
        cursor.execute(
            "SELECT " + text.replace("nextval(%s::regclass)", "7"), [p for p in params if p != '"numbers"']
        )
        assert cursor.fetchone()[0] == f"A-{year:%y}-007"


# -- parts ---------------------------------------------------------------------------------------------


def faults_of(body):
    with pytest.raises(DefinitionErrors) as refusal:
        load_body({"name": "qa_x", "fields": {"title": {"type": "text"}, "x": body}})
    return refusal.value.errors


def test_parts_are_judged_by_their_types():
    parts = {"width": {"type": "number", "min": 0}, "unit": {"type": "select", "options": ["cm", "mm"]}}
    made = load_body(
        {"name": "qa_x", "fields": {"title": {"type": "text"}, "x": {"type": "composite", "fields": parts}}}
    )
    found = made.fields["x"]
    assert [part.name for part in found.parts] == ["width", "unit"]
    with pytest.raises(FieldProblem) as problem:
        kind_of(found).accept(found, {"unit": "inch"})
    assert problem.value.code == "invalid_option"
    assert problem.value.message.startswith("Unit: ")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"type": "composite", "fields": {"a": {"type": "lookup", "reference": "qa_x"}}}, "not_applicable"),
        ({"type": "composite", "fields": {"a": {"type": "composite"}}}, "not_applicable"),
        ({"type": "composite", "fields": {"a": {"type": "secret"}}}, "not_applicable"),
        ({"type": "composite", "fields": {"a": {"type": "text", "unique": True}}}, "not_applicable"),
        ({"type": "composite", "fields": {}}, "invalid_type"),
        ({"type": "text", "fields": {"a": {"type": "text"}}}, "not_applicable"),
        ({"type": "rating", "max": 11}, "out_of_range"),
        ({"type": "slider", "step": 0}, "out_of_range"),
        ({"type": "secret", "defaultValue": "x"}, "not_applicable"),
        ({"type": "secret", "searchable": True}, "not_applicable"),
        ({"type": "image"}, "unsupported"),
    ],
)
def test_wrong_definitions(body, code):
    assert [fault.code for fault in faults_of(body)] == [code]


def test_a_file_field_is_refused_with_a_cure():
    (fault,) = faults_of({"type": "file"})
    assert "url" in fault.cure


# -- markup --------------------------------------------------------------------------------------------

ATTACKS = [
    "<img src=x onerror=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    '<a href="javascript:alert(1)">x</a>',
    '<a href="data:text/html,x">x</a>',
    '<iframe src="https://example.com"></iframe>',
    '<p style="position:fixed">x</p>',
    "<form action=/x><input name=q></form>",
    "<style>*{display:none}</style>",
    "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>",
    '<div id="list" class="ab-alerts">x</div>',
    "<!-- --!><img src=x onerror=alert(1)>",
]
LIVE = (
    "<script",
    "onerror",
    "javascript:",
    "data:",
    "<iframe",
    "style",
    "<form",
    "<input",
    "<img",
    "<svg",
    "id=",
    "class=",
)


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_alive_stays_in_html(attack):
    assert any(word in attack for word in LIVE)  # the control: it is alive as written
    assert not any(word in cleaned(attack) for word in LIVE)
    shown = rendered(attack)
    assert not any(f"<{tag}" in shown for tag in ("script", "img", "svg", "iframe", "form", "style"))


def test_markdown_is_rendered_and_its_links_are_harmless():
    shown = rendered(
        "# T\n\n| a |\n|---|\n| 1 |\n\n[x](https://e.example) [y](javascript:alert(1)) ~~z~~ <b>raw</b>"
    )
    assert "<h1>T</h1>" in shown
    assert "<td>1</td>" in shown
    assert 'href="https://e.example" rel="noopener noreferrer nofollow"' in shown
    assert 'href="javascript' not in shown
    assert "&lt;b&gt;raw&lt;/b&gt;" in shown


def test_words_of_html():
    assert words("<p>One<br>two</p><p>A &amp; B</p>") == "One two A & B"


# -- secrets -------------------------------------------------------------------------------------------


def test_no_way_of_writing_a_secret_down_tells_it():
    for name in ("secret", "password"):
        kind, made = KINDS[name], field(name)
        assert kind.write_only
        assert kind.python_json(made, "hunter2") == MASK
        assert kind.to_text(made, "hunter2") == MASK
        assert kind.is_echo(MASK)
        assert not kind.is_echo("hunter2")
        assert kind.operators == {"$null", "$exists"}
        assert not (kind.sortable or kind.searchable or kind.uniqueable or kind.nestable)
        with pytest.raises(FieldProblem):
            kind.filter_value(made, "hunter2")
