"""One row for each field type: how it is declared, written, read back, filtered, typed and shown."""

from dataclasses import dataclass, field
from typing import Any

from tests.objects.test_kind_values import SIGNATURE

MASK = "\u2022" * 8
ME = object()  # stands for the id of the one who writes
HERE = object()  # stands for the id of the first record
OPTIONS = [{"value": "open", "label": "Open"}, {"value": "won", "label": "Won"}]
PARTS = {
    "width": {"type": "number", "label": "Width"},
    "unit": {"type": "select", "label": "Unit", "options": [{"value": "cm", "label": "Centimetre"}, "mm"]},
    "fixed": {"type": "boolean", "label": "Fixed"},
}
UNSET: Any = object()


@dataclass(frozen=True)
class Case:
    """`value` is written over the wire and read back as `wire`; `other` is a second value.

    `finds` are filters that hold for the first record and not for the second; `typed` is what a form sends, by the
    end of the input's name; `shown` stands in the cell, `brief` in a list; `bad` is refused.
    """

    value: Any
    other: Any = UNSET
    wire: Any = UNSET
    finds: dict[str, Any] = field(default_factory=dict)
    typed: dict[str, Any] = field(default_factory=dict)
    shown: str = ""
    brief: str = ""
    bad: Any = UNSET
    declared: dict[str, Any] = field(default_factory=dict)
    sorts: bool = True

    @property
    def read(self) -> Any:
        """What is read back."""
        return self.value if self.wire is UNSET else self.wire


def line(value: str, other: str, shown: str = "", **more: Any) -> Case:
    """A row of a kind that is one text."""
    more = {"typed": {"": value}, "finds": {"$eq": value, "$icontains": value[-5:-1].upper()}} | more
    return Case(value, other, shown=shown or value, **more)


NUMBER = {"$eq": 12.5, "$gt": 3, "$between": [12, 13]}
CASES: dict[str, Case] = {
    "text": line("Anna", "Bert", bad=5),
    "textarea": line("one\ntwo", "three", brief="one two", bad=[]),
    "email": line("anna@example.com", "b@other.org", bad="anna"),
    "url": line("https://example.com/a", "http://b.example", "example.com/a", bad="javascript:alert(1)"),
    "phone": line("+49 30 1234567", "555-7788", bad="call me"),
    "markdown": line("**Bold** word", "plain", "<strong>Bold</strong>", brief="**Bold** word", bad=1),
    "html": line("<p>One <b>bold</b></p>", "<p>x</p>", "<b>bold</b>", brief="One bold", bad=1),
    "richtext": line("<h2>Head</h2>", "<p>x</p>", "<h2>Head</h2>", brief="Head", bad=1),
    "code": line("SELECT 1;\n", "x = 2\n", "SELECT 1;", brief="SELECT 1;", bad=1, declared={"language": "sql"}),
    "color": line("#1f6feb", "#ffffff", 'fill="#1f6feb"', bad="blue"),
    "qrcode": line("https://example.com/t/42", "x-1", "<svg", brief="https://example.com/t/42", bad=1),
    "signature": Case(SIGNATURE, typed={"": SIGNATURE}, shown="<img", brief="signed", bad="data:image/png,x", sorts=False),
    "secret": Case("hunter2", "hunter3", MASK, typed={"": "hunter2"}, shown=MASK, bad=1, sorts=False),
    "password": Case("hunter2", "hunter3", MASK, typed={"": "hunter2"}, shown=MASK, bad=1, sorts=False),
    "number": Case(12.5, 3, finds=NUMBER, typed={"": "12.5"}, shown="12.5", bad="many"),
    "currency": Case(1250.5, 3, finds={"$gt": 3}, typed={"": "1 250.50"}, shown="1,250.50", bad="1.005"),
    "percent": Case(25, 3, finds={"$eq": "25"}, typed={"": "25"}, shown="25", bad="x"),
    "rating": Case(4, 2, finds={"$gte": 4}, typed={"": "4"}, shown="4 of 5", bad=6),
    "slider": Case(40, 20, finds={"$gt": 20}, typed={"": "40"}, shown='value="40.00"', bad=40.5),
    "progress": Case(65.25, 3, finds={"$gt": 3}, typed={"": "65.25"}, shown="65.25", bad=101),
    "boolean": Case(True, False, finds={"$eq": True}, typed={"": "true"}, shown="Yes", bad="yes"),
    "toggle": Case(True, False, finds={"$eq": True}, typed={"": "true"}, shown="Yes", bad="yes"),
    "date": Case("2026-01-31", "2025-01-31", finds={"$gt": "2025-12-31"}, typed={"": "2026-01-31"}, shown="2026-01-31", bad="31.01."),
    "datetime": Case(
        "2026-01-31T09:30:00.000Z", "2025-01-31T09:30:00.000Z", finds={"$eq": "2026-01-31"},
        typed={"": "2026-01-31T09:30"}, shown="2026-01-31T09:30", bad="2026-01-31T09:30:00",
    ),
    "time": Case("09:30:00", "08:00:00", finds={"$gt": "08:30", "$in": ["09:30"]}, typed={"": "09:30"}, shown="09:30", bad="25:00"),
    "select": Case("open", "won", finds={"$eq": "open"}, typed={"": "open"}, shown="Open", bad="lost", declared={"options": OPTIONS}),
    "radio": Case("open", "won", finds={"$in": ["open"]}, typed={"": "open"}, shown="Open", bad="lost", declared={"options": OPTIONS}),
    "multiselect": Case(
        ["open", "won"], ["won"], finds={"$contains": "open"}, typed={"": ["open", "won"]}, shown="Won", bad=["lost"],
        declared={"options": OPTIONS}, sorts=False,
    ),
    "checkboxes": Case(
        ["open"], ["won"], finds={"$contains": "open"}, typed={"": ["open"]}, shown="Open", bad=["lost"],
        declared={"options": OPTIONS}, sorts=False,
    ),
    "tags": Case(["north", "East end"], ["west"], finds={"$contains": "north"}, typed={"": "north, East end"}, shown="East end", bad=["a;b"], sorts=False),
    "lookup": Case(HERE, finds={"$eq": HERE}, typed={"": HERE}, shown="Untitled", bad="x", declared={"reference": "qa_kind"}),
    "master_detail": Case(HERE, finds={"$eq": HERE}, typed={"": HERE}, shown="Untitled", bad="x", declared={"reference": "qa_base"}),
    "tree": Case(HERE, finds={"$eq": HERE, "$under": HERE}, typed={"": HERE}, shown="Untitled", bad="x"),
    "user": Case(ME, finds={"$eq": ME}, typed={"": ME}, shown="former member", bad="x"),
    "autonumber": Case(UNSET, wire="K-0002", finds={"$eq": "K-0002"}, shown="K-0002", declared={"autonumberFormat": "K-{0000}"}),
    "summary": Case(
        UNSET,
        wire=1,
        finds={"$eq": 1},
        shown="1",
        declared={"summaryOperations": {"object": "qa_leaf", "function": "count"}},
    ),
    "formula": Case(
        UNSET,
        wire="VALUE",
        finds={"$eq": "VALUE", "$icontains": "alu"},
        shown="VALUE",
        declared={"expression": "upper(record.title)"},
    ),
    "address": Case(
        {"street": "Unter den Linden 1", "city": "Berlin", "countryCode": "DE"}, {"city": "Rom"},
        typed={".street": "Unter den Linden 1", ".city": "Berlin", ".countryCode": "de"},
        shown="<bdi>Unter den Linden 1</bdi><br><bdi>Berlin</bdi>", brief="Unter den Linden 1, Berlin, DE", bad={"planet": "Mars"}, sorts=False,
    ),
    "location": Case(
        {"lat": 52.5163, "lng": 13}, {"lat": 1, "lng": 2}, typed={".lat": "52.5163", ".lng": "13"},
        shown="52.5163, 13", bad={"lat": 91, "lng": 1}, sorts=False,
    ),
    "json": Case({"a": [1, 2.5, None]}, [1], typed={"": '{"a": [1, 2.5, null]}'}, shown="2.5", brief="2.5", sorts=False),
    "composite": Case(
        {"width": 12.5, "unit": "cm", "fixed": True}, {"width": 3},
        typed={".width": "12.5", ".unit": "cm", ".fixed": "true"}, shown="Centimetre", brief="Width: 12.5",
        bad={"width": "wide"}, declared={"fields": PARTS}, sorts=False,
    ),
    "repeater": Case(
        [{"width": 1, "unit": "mm"}, {"width": 2}], [{"width": 3}],
        typed={".rows": ["0", "7"], ".0.width": "1", ".0.unit": "mm", ".7.width": "2"},
        shown='<th scope="col">Width</th>', brief="Width: 1", bad=[{"depth": 1}], declared={"fields": PARTS}, sorts=False,
    ),
    "record": Case(
        {"north": {"width": 100}}, {"south": {}}, typed={"": '{"north": {"width": 100}}'}, shown="north",
        brief="north: Width: 100", bad={"north": 1}, declared={"fields": PARTS}, sorts=False,
    ),
    "vector": Case(
        [0.25, -1, 0.5], [1, 2, 3], typed={"": "[0.25, -1, 0.5]"}, shown="3 numbers", brief="3 numbers", bad=[1],
        declared={"dimensions": 3}, sorts=False,
    ),
}  # fmt: skip
