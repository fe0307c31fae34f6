"""Reduce a recording of the official client to what the replay needs.

python -m tests.api.replay.extract <folder with transcript.jsonl and objectstack.json>
"""

import json
import sys
from pathlib import Path
from typing import Any

from tests.api.replay.shapes import shape_of

HERE = Path(__file__).parent
# The exchanges of the MUST part, in the order of the recording.
WANTED = (
    1,
    *range(33, 43),
    *range(44, 56),
    59,
    60,
    61,
    *range(67, 119),
    121,
    *range(124, 126),
    *range(127, 146),
)
WANTED += (*range(147, 151), *range(152, 160), 174, 219, 221, *range(233, 237), *range(274, 284), 285)
HEADERS = ("if-match", "if-none-match", "authorization")
OBJECT_KEYS = (
    "name",
    "label",
    "pluralLabel",
    "nameField",
    "searchableFields",
    "sharingModel",
    "fields",
    "validations",
)
FIELD_KEYS = (
    "type", "label", "required", "unique", "maxLength", "min", "max", "options", "reference", "deleteBehavior",
    "autonumberFormat", "defaultValue", "searchable", "summaryOperations", "expression", "returnType",
)  # fmt: skip


def exchange(line: dict[str, Any]) -> dict[str, Any]:
    """Return one exchange: what was sent in full, what came back as a status, a code and a shape."""
    body = line["responseBody"]
    known = body if isinstance(body, dict) else {}
    error = known.get("error")
    code = known.get("code") or (error.get("code") if isinstance(error, dict) else None)
    record = known.get("record")
    plain = line["status"] == 201 and not {"records", "results"} & known.keys()
    ids = [known["id"]] if "id" in known and (plain or isinstance(record, dict)) else []
    ids += [item["id"] for item in known.get("records", []) if isinstance(item, dict) and "id" in item]
    ids += [known["jobId"]] if line["status"] == 201 and "jobId" in known else []
    ids += [item["id"] for item in known.get("results", []) if isinstance(item, dict) and "id" in item]
    return {
        "n": line["n"],
        "call": line["client"],
        "method": line["method"],
        "path": line["path"],
        "headers": {name: value for name, value in line["requestHeaders"].items() if name in HEADERS},
        "body": line["requestBody"],
        "status": line["status"],
        "code": code,
        "ids": ids,
        "version": record.get("updated_at") if isinstance(record, dict) else None,
        "etag": line["responseHeaders"].get("etag"),
        "shape": shape_of(body) if line["status"] < 400 else None,
    }


def definition(body: dict[str, Any]) -> dict[str, Any]:
    """Return an object's definition without what the recording's server had filled in."""
    made = {key: body[key] for key in OBJECT_KEYS if key in body}
    made["fields"] = {
        name: {
            key: field[key] for key in FIELD_KEYS if field.get(key) is not None and field[key] is not False
        }
        for name, field in body["fields"].items()
    }
    return made


def main(folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / "transcript.jsonl").read_text().splitlines()]
    kept = [exchange(line) for line in lines if line["n"] in WANTED]
    objects = json.loads((folder / "objectstack.json").read_text())["objects"]
    write("exchanges.json", kept)
    write("objects.json", [definition(body) for body in objects])


def write(name: str, rows: list[Any]) -> None:
    text = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    (HERE / name).write_text(f"[\n{text}\n]\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
