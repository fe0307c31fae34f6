"""JSON as it was written: `jsonb` sorts an object's keys, and the order of declared fields is a declaration."""

from typing import Any

from django.db import models
from psycopg.types.json import Json


class OrderedJSONField(models.JSONField):
    """A column of type `json` for objects and lists: keeps the order of keys; it cannot be filtered."""

    def db_type(self, connection: Any) -> str:
        return "json"

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return value if value is None or isinstance(value, Json) else Json(value)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return value
