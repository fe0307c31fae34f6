"""An import request: rows, CSV or a workbook, and what to do with them."""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.api.answers import encode
from apps.api.contract import OBJECT, TEXT, array, shape
from apps.core.errors import Invalid
from apps.objects.transfer.direct import Chosen, Wish
from apps.objects.transfer.models import Mode

FORMATS = {"json": "rows", "csv": "csv", "xlsx": "xlsxBase64"}
KEYS = frozenset(
    {
        "format",
        *FORMATS.values(),
        "mapping",
        "writeMode",
        "matchFields",
        "dryRun",
        "runAutomations",
        "fileName",
    }
)
FLAG = {"type": "boolean"}
BODY = shape(
    format={"type": "string", "enum": list(FORMATS)},
    rows=array(OBJECT),
    csv=TEXT,
    xlsxBase64=TEXT,
    fileName=TEXT,
    mapping={
        "type": "object",
        "description": "column → field, {field, match} for a reference found by another field, or null.",
        "additionalProperties": {
            "anyOf": [{"type": ["string", "null"]}, shape(field=TEXT, match=TEXT, required=["field"])]
        },
    },
    writeMode={"type": "string", "enum": list(Mode.values)},
    matchFields=array(TEXT, maxItems=5),
    dryRun=FLAG,
    runAutomations={"const": True},
    required=[],
)


@dataclass(frozen=True)
class Given:
    """What was sent: a file's name and content, and the wish."""

    file_name: str
    content: bytes
    wish: Wish


def read(body: Mapping[str, Any]) -> Given:
    """Return the import that a body asks for; raises `Invalid` for anything that cannot be meant."""
    if unknown := sorted(set(body) - KEYS):
        raise Invalid(
            f"Unknown key(s): {', '.join(key[:40] for key in unknown)}; allowed: {', '.join(sorted(KEYS))}."
        )
    if body.get("runAutomations", True) is not True:
        raise Invalid(
            "runAutomations cannot be switched off: an import writes through the same services as everybody.",
            code="INVALID_REQUEST",
        )
    file_name, content = _content(body)
    return Given(file_name, content, _wish(body))


def _content(body: Mapping[str, Any]) -> tuple[str, bytes]:
    sent = [kind for kind, key in FORMATS.items() if key in body]
    kind = body.get("format", sent[0] if len(sent) == 1 else None)
    if kind not in FORMATS or sent != [kind]:
        raise Invalid("Send one of rows (json), csv (csv) or xlsxBase64 (xlsx), and the format that fits it.")
    value = body[FORMATS[kind]]
    name = body.get("fileName", f"import.{kind}")
    if not isinstance(name, str) or not 0 < len(name) <= 200:
        raise Invalid("fileName is a text of at most 200 characters.")
    stem = name.rsplit(".", 1)[0]
    if kind == "json":
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            raise Invalid("rows must be a list of objects.")
        return f"{stem}.json", encode(value)
    if not isinstance(value, str):
        raise Invalid(f"{FORMATS[kind]} must be a text.")
    if kind == "csv":
        return f"{stem}.csv", value.encode()
    try:
        return f"{stem}.xlsx", b64decode(value, validate=True)
    except binascii.Error:
        raise Invalid("xlsxBase64 is no base64.") from None


def _wish(body: Mapping[str, Any]) -> Wish:
    mode, keys, dry = (
        body.get("writeMode", Mode.INSERT),
        body.get("matchFields", []),
        body.get("dryRun", False),
    )
    if mode not in Mode.values:
        raise Invalid(f"writeMode is one of {', '.join(Mode.values)}.")
    if not isinstance(keys, list) or len(keys) > 5 or not all(isinstance(key, str) for key in keys):
        raise Invalid("matchFields is a list of at most five field names.")
    if mode != Mode.INSERT and not keys:
        raise Invalid(f"writeMode {mode} needs matchFields: the fields by which existing records are found.")
    if not isinstance(dry, bool):
        raise Invalid("dryRun is true or false.")
    return Wish(mode, tuple(dict.fromkeys(keys)), _mapping(body.get("mapping")), dry)


def _mapping(raw: Any) -> Chosen | None:
    if raw is None:
        return None
    if not isinstance(raw, dict):
        raise Invalid("mapping is an object: column → field, {field, match}, or null.")
    return {column: _target(column, item) for column, item in raw.items()}


def _target(column: str, item: Any) -> tuple[str, str | None] | None:
    if item is None:
        return None
    if isinstance(item, str):
        return item, None
    if isinstance(item, dict) and item.keys() <= {"field", "match"} and isinstance(item.get("field"), str):
        match = item.get("match")
        if match is None or isinstance(match, str):
            return item["field"], match
    raise Invalid(f"mapping.{column[:80]} is a field's name, {{field, match}}, or null.")
