"""Tables out of uploaded files: CSV, XLSX and JSON, with their limits, as header and rows of texts."""

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from apps.core.errors import Problem

MAX_COLUMNS = 200
MAX_ROWS = 200_000
MAX_CELL = 65_536
MAX_UNPACKED = 512 * 1024 * 1024
DELIMITERS = ",;\t|"
ENCODINGS = ("utf-8-sig", "cp1252")


@dataclass(frozen=True)
class Table:
    """A header of distinct, non-empty names and rows as wide as the header."""

    header: list[str]
    rows: list[list[str]]
    format: str


def refused(message: str, cure: str) -> Problem:
    """Return the refusal of a file."""
    return Problem("FILE_INVALID", message, status=400, cure=cure)


def read(file_name: str, content: bytes) -> Table:
    """Return the table in a file; refuse one that is empty, ambiguous or too large, naming the line."""
    suffix = file_name.rsplit(".", 1)[-1].lower()
    readers = {"csv": _csv, "tsv": _csv, "txt": _csv, "xlsx": _xlsx, "json": _json}
    reader = readers.get(suffix)
    if reader is None:
        message = _("Files of type .%(type)s cannot be imported.") % {"type": suffix}
        raise refused(message, _("Upload a CSV, XLSX or JSON file."))
    lines = reader(content)
    header = _header(next(lines, []))
    rows = []
    for number, row in enumerate(lines, start=2):
        if suffix != "json" and not any(cell.strip() for cell in row):
            continue  # a blank line of a file says nothing; an object of a list has its number
        if len(row) > len(header) and any(cell.strip() for cell in row[len(header) :]):
            found = {"line": number, "cells": len(row), "columns": len(header)}
            message = _("Line %(line)s has %(cells)s cells, the header %(columns)s.") % found
            raise refused(message, _("Check the quotes around texts."))
        rows.append((row + [""] * len(header))[: len(header)])
        if len(rows) > MAX_ROWS:
            message = _("The file has more than %(most)s rows.") % {"most": MAX_ROWS}
            raise refused(message, _("Split it into several files."))
    if not rows:
        raise refused(_("The file has a header and no rows."), _("Upload a file with at least one record."))
    return Table(header, rows, "csv" if suffix in {"tsv", "txt"} else suffix)


def _header(cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise refused(_("The file is empty."), _("The first line must name the columns."))
    if len(names) > MAX_COLUMNS:
        message = _("The file has more than %(most)s columns.") % {"most": MAX_COLUMNS}
        raise refused(message, _("Leave out what you do not need."))
    if "" in names:
        message = _("Column %(number)s has no name.") % {"number": names.index("") + 1}
        raise refused(message, _("Name every column in the first line."))
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        message = _("The column “%(name)s” stands twice in the header.") % {"name": min(twice)}
        raise refused(message, _("Name every column once."))
    return names


def _csv(content: bytes) -> Iterator[list[str]]:
    text = _decode(content)
    first = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if any(len(cell) > MAX_CELL for cell in row):
                message = _("A cell in line %(line)s is too long.") % {"line": reader.line_num}
                raise refused(message, _("Check the quotes around texts."))
            yield row
    except csv.Error as error:
        message = _("Line %(line)s cannot be read.") % {"line": reader.line_num}
        raise refused(message, _("Check the quotes around texts.")) from error


def _decode(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings: tuple[str, ...] = ("utf-16",)
    else:
        encodings = ENCODINGS
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise refused(_("The file is no text in UTF-8, UTF-16 or Windows-1252."), _("Save it as CSV in UTF-8."))


def _xlsx(content: bytes) -> Iterator[list[str]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(item.file_size for item in archive.infolist()) > MAX_UNPACKED:
                raise refused(_("The workbook unpacks to too much."), _("Save only the sheet you need."))
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        for row in sheet.iter_rows(values_only=True, max_col=MAX_COLUMNS + 1):
            yield [_cell(value) for value in row]
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, IndexError) as error:
        raise refused(_("The file is no workbook."), _("Save it as .xlsx or CSV.")) from error


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if hasattr(value, "isoformat"):
        text: str = value.isoformat()
        return text.removesuffix("T00:00:00")
    return str(value)


def _json(content: bytes) -> Iterator[list[str]]:
    try:
        rows = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise refused(_("The file is no JSON."), _("Upload a list of objects.")) from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise refused(_("The file is no list of objects."), _("Upload a list of objects."))
    header = list(dict.fromkeys(key for row in rows for key in row))
    yield header
    for row in rows:
        yield [_json_cell(row.get(name)) for name in header]


def _json_cell(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return _cell(value)
