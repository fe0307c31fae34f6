"""Files for spreadsheets: no cell becomes a formula, numbers stay numbers, nothing is lost."""

import csv
import io
import json
from decimal import Decimal

import pytest
from openpyxl import Workbook, load_workbook

from apps.api.export.cells import csv_cell
from apps.api.export.formats import FORMATS, Column

COLUMNS = [Column("name", "Name"), Column("amount", "Amount"), Column("tags", "Tags"), Column("open", "Open")]
ATTACKS = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+SUM(1)",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    '=HYPERLINK("http://x")',
    "\uff1d1+1",
]


def written(name, records, *, header=True):
    return b"".join(FORMATS[name].write(COLUMNS, records, header=header))


def rows_of_csv(content):
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def rows_of_xlsx(content):
    sheet = load_workbook(io.BytesIO(content)).active
    return [[(cell.value, cell.data_type) for cell in row] for row in sheet.iter_rows()]


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_text_starts_a_formula(attack):
    assert rows_of_csv(written("csv", [{"name": attack}]))[1][0] == "'" + attack
    value, kind = rows_of_xlsx(written("xlsx", [{"name": attack}]))[1][0]
    assert kind == "s"
    assert value.startswith("'")


def test_unguarded_text_would_be_a_formula():
    """The control: without the guard openpyxl itself makes a formula of it."""
    book = Workbook()
    book.active["A1"] = "=1+1"
    assert book.active["A1"].data_type == "f"


@pytest.mark.parametrize("harmless", ["-12.50", "+49 30 123456", "a=b", "x@y.example", "", "—"])
def test_harmless_text_stays(harmless):
    assert csv_cell(harmless) == harmless


def test_numbers_stay_numbers():
    record = {"name": "x", "amount": Decimal("-12345678.91"), "tags": ["a", "b"], "open": True}
    assert rows_of_csv(written("csv", [record]))[1] == ["x", "-12345678.91", "a; b", "true"]
    row = rows_of_xlsx(written("xlsx", [record]))[1]
    assert row[1] == (-12345678.91, "n")
    assert row[3] == (True, "b")


def test_control_characters_do_not_break_a_sheet():
    value, _ = rows_of_xlsx(written("xlsx", [{"name": "a\x07b" + "c" * 40_000}]))[1][0]
    assert value.startswith("abc")
    assert len(value) == 32_767


def test_json_holds_what_the_records_hold():
    records = [{"name": "ü", "amount": Decimal("1.10"), "secret": 1}, {"name": None}]
    assert json.loads(written("json", records)) == [{"name": "ü", "amount": 1.1}, {"name": None}]
    assert written("json", []) == b"[]"


def test_a_large_csv_comes_in_chunks():
    chunks = list(FORMATS["csv"].write(COLUMNS, ({"name": "x" * 100} for _ in range(5000)), header=True))
    assert len(chunks) > 5
    assert len(rows_of_csv(b"".join(chunks))) == 5001


def test_the_header_can_be_left_out():
    assert rows_of_csv(written("csv", [{"name": "x"}], header=False)) == [["x", "", "", ""]]
