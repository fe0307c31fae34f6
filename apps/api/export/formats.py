"""The three file formats: each turns a stream of records into a stream of bytes."""

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from apps.api.answers import encode
from apps.api.export.cells import csv_cell, sheet_cell

CHUNK = 64 * 1024
IN_MEMORY = 4 * 1024 * 1024
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """One column of the file."""

    name: str
    label: str


class Format(Protocol):
    """Writes records; `header` tells whether the first line names the columns."""

    name: str
    media: str

    def write(self, columns: Sequence[Column], records: Iterable[Record], *, header: bool) -> Iterator[bytes]:
        """Yield the file in chunks."""


class Csv:
    """RFC 4180 in UTF-8, lines ended by CRLF."""

    name = "csv"
    media = "text/csv; charset=utf-8"

    def write(self, columns: Sequence[Column], records: Iterable[Record], *, header: bool) -> Iterator[bytes]:
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        if header:
            writer.writerow([csv_cell(column.label) for column in columns])
        for record in records:
            writer.writerow([csv_cell(record.get(column.name)) for column in columns])
            if buffer.tell() > CHUNK:
                yield _taken(buffer)
        yield _taken(buffer)


class Json:
    """A JSON array of records."""

    name = "json"
    media = "application/json; charset=utf-8"

    def write(self, columns: Sequence[Column], records: Iterable[Record], *, header: bool) -> Iterator[bytes]:
        names = [column.name for column in columns]
        lead = b"["
        for record in records:
            yield lead + encode({name: record[name] for name in names if name in record})
            lead = b",\n"
        yield b"[]" if lead == b"[" else b"]"


class Xlsx:
    """One sheet; built on disk when it is large, since the format puts its index at the end."""

    name = "xlsx"
    media = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    def write(self, columns: Sequence[Column], records: Iterable[Record], *, header: bool) -> Iterator[bytes]:
        book = Workbook(write_only=True)
        sheet = book.create_sheet("Records")
        if header:
            sheet.append([_cell(sheet, column.label) for column in columns])
        for record in records:
            sheet.append([_cell(sheet, record.get(column.name)) for column in columns])
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
            book.save(file)
            file.seek(0)
            while chunk := file.read(CHUNK):
                yield chunk


FORMATS: Mapping[str, Format] = {item.name: item for item in (Csv(), Json(), Xlsx())}


def _taken(buffer: io.StringIO) -> bytes:
    content = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return content


def _cell(sheet: Any, value: Any) -> WriteOnlyCell:
    made = sheet_cell(value)
    cell = WriteOnlyCell(sheet, value=None if isinstance(made, str) else made)
    if isinstance(made, str):
        # Set by hand: openpyxl would take "=…" for a formula.
        cell._value, cell.data_type = made, "s"  # noqa: SLF001
    return cell
