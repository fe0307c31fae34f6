"""What an import keeps of values: its file and what its updates replaced, sealed, so that no dump shows them."""

import base64
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from apps.core import canonical
from apps.core.sealing import VERSION, seal, unseal
from apps.objects.definitions import ObjectDef
from apps.objects.transfer.models import ImportRun

FILE, VALUE, MARK = "import files", "import values", "$sealed"


def file_sealed(run_id: UUID, content: bytes) -> bytes:
    """Return a file as its import keeps it."""
    return seal(FILE, str(run_id), content)


def file_of(run: ImportRun) -> bytes:
    """Return the file of an import; those of earlier releases lie open."""
    content = bytes(run.content)
    return unseal(FILE, str(run.id), content) if content.startswith(VERSION) else content


def values_sealed(obj: ObjectDef, record_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return replaced values with those of encrypted fields sealed for the record."""

    def one(name: str, value: Any) -> Any:
        if value is None or not obj.all_fields[name].encrypted:
            return value
        text = orjson.dumps(canonical.plain(value))
        return {MARK: base64.b64encode(seal(VALUE, f"{record_id}/{name}", text)).decode()}

    return {name: one(name, value) for name, value in values.items()}


def values_of(record_id: UUID, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return replaced values as they were."""

    def one(name: str, value: Any) -> Any:
        if not (isinstance(value, dict) and value.keys() == {MARK}):
            return value
        return orjson.loads(unseal(VALUE, f"{record_id}/{name}", base64.b64decode(value[MARK])))

    return {name: one(name, value) for name, value in values.items()}
