"""A list as a file: exactly the columns, order, search and filters shown, every page of it."""

import csv
import datetime as dt
import io
import re
from collections.abc import Iterator
from decimal import Decimal
from tempfile import SpooledTemporaryFile
from typing import Any

from django.http import FileResponse
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from apps.audit import ledger
from apps.core.actor import Actor
from apps.core.errors import Invalid
from apps.objects.definitions import ObjectDef
from apps.objects.kinds.kind import kind_of
from apps.portal import records, show
from apps.portal.listing import page as listing
from apps.portal.listing.address import ListAddress

BATCH = 500
MOST_ROWS = 100_000
IN_MEMORY = 2_000_000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def response(definition: ObjectDef, address: ListAddress, form: str, *, by: Actor) -> FileResponse:
    """Return the file as an attachment; raises `Invalid` for an unknown format or too many rows."""
    if form not in CONTENT_TYPES:
        raise Invalid(_("Choose CSV or Excel."), code="INVALID_REQUEST")
    file: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  the response closes it
    count = (_csv if form == "csv" else _xlsx)(file, definition, address, by)
    file.seek(0)
    details = {"object": definition.name, "format": form, "rows": count, "query": address.params()}
    ledger.record("record.exported", by=by, target=f"object:{definition.name}", details=details)
    title = slugify(definition.label_for(show.locale(), plural=True), allow_unicode=True) or definition.name
    name = f"{title}-{timezone.localdate().isoformat()}.{form}"
    return FileResponse(file, as_attachment=True, filename=name, content_type=CONTENT_TYPES[form])


def heads(definition: ObjectDef, address: ListAddress) -> list[str]:
    """Return the headings in the reader's language."""
    return [show.label(definition, name) for name in address.columns]


def rows(definition: ObjectDef, address: ListAddress, *, by: Actor) -> Iterator[list[Any]]:
    """Yield the values of each record: exact numbers and dates as themselves, all else as text."""
    cursor, sent = "", 0
    while True:
        body = listing.ast(address, definition) | {"limit": BATCH, "after": cursor}
        found = records.find(definition, body, by=by, op="export")
        names = records.names_for(definition, found.rows, address.columns, by=by)
        for record in found.rows:
            yield [_value(record.get(name), name, definition, names) for name in address.columns]
        sent, cursor = sent + len(found.rows), found.next_cursor
        if not cursor:
            return
        if sent >= MOST_ROWS:
            raise Invalid(
                _("A file holds at most 100,000 records. Narrow the list with a filter."),
                code="INVALID_REQUEST",
            )


def _value(value: Any, name: str, definition: ObjectDef, names: show.Names) -> Any:
    field = definition.all_fields[name]
    cell = kind_of(field).cell
    if value is None or cell in show.NUMERIC_CELLS:
        return value
    if cell == "date":
        return dt.date.fromisoformat(value)
    if cell == "datetime":
        return show.moment(value).replace(tzinfo=None)
    return show.plain(value, field, definition, names)


def _csv(file: Any, definition: ObjectDef, address: ListAddress, by: Actor) -> int:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)
    writer, count = csv.writer(text), 0
    writer.writerow(heads(definition, address))
    for row in rows(definition, address, by=by):
        writer.writerow([harmless(value) for value in row])
        count += 1
    text.detach()
    return count


def harmless(value: Any) -> Any:
    """Return a text that a spreadsheet takes for a formula with an apostrophe before it; other values as they are."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return "'" + value
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return value


def _xlsx(file: Any, definition: ObjectDef, address: ListAddress, by: Actor) -> int:
    book = Workbook(write_only=True)
    sheet = book.create_sheet(_sheet_title(definition))
    sheet.freeze_panes = "A2"
    bold = [WriteOnlyCell(sheet, value=head) for head in heads(definition, address)]
    for cell in bold:
        cell.font = Font(bold=True)
    for place, head in enumerate(bold, start=1):
        sheet.column_dimensions[get_column_letter(place)].width = max(16, len(str(head.value)) + 4)
    sheet.append(bold)
    count = 0
    for row in rows(definition, address, by=by):
        sheet.append([_sheet_cell(sheet, value) for value in row])
        count += 1
    book.save(file)
    return count


def _sheet_title(definition: ObjectDef) -> str:
    """Return the object's name as spreadsheets accept it: 31 characters, none of them special."""
    label = definition.label_for(show.locale(), plural=True)
    return re.sub(r"[\\/*?:\[\]]", " ", label).strip(" '")[:31] or definition.name[:31]


def _sheet_cell(sheet: Any, value: Any) -> Any:
    """Return a cell; text is marked as text, so that no spreadsheet runs it."""
    if isinstance(value, str):
        cell = WriteOnlyCell(sheet, value="".join(c for c in value if c >= " " or c in "\t\n"))
        cell.data_type = "s"
        return cell
    return float(value) if isinstance(value, Decimal) and abs(value) < 10**15 else value
