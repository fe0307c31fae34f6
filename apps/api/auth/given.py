"""The strict reading of a small JSON body: only declared fields, each of its one type."""

from typing import Any

from django.utils.translation import gettext as _

from apps.api.call import Call
from apps.api.contract import Schema
from apps.core.errors import FieldError, Invalid

LONGEST = 4096
_NAMES = {str: "string", bool: "boolean", int: "integer", list: "array"}


class Body:
    """The fields a door takes: `Body(required={"email": str}, optional={"name": str})`."""

    def __init__(
        self, required: dict[str, type] | None = None, optional: dict[str, type] | None = None
    ) -> None:
        self.required = required or {}
        self.optional = optional or {}

    @property
    def schema(self) -> Schema:
        """The JSON Schema of the body."""
        kinds = self.required | self.optional
        made: dict[str, Any] = {"type": "object", "additionalProperties": False}
        made["properties"] = {name: self._property(kind) for name, kind in kinds.items()}
        return made | ({"required": list(self.required)} if self.required else {})

    def read(self, call: Call) -> dict[str, Any]:
        """Return the given fields; raise `Invalid` naming all that are missing, unknown or of another type."""
        values = call.mapping(optional=not self.required)
        kinds = self.required | self.optional
        found = [
            FieldError(name[:80], "unknown_field", _("This field is not known here."))
            for name in values
            if name not in kinds
        ]
        for name, kind in kinds.items():
            error = self._check(name, kind, values.get(name))
            if error:
                found.append(error)
        if found:
            raise Invalid(_("The request cannot be read."), found)
        return {name: values[name] for name in kinds if values.get(name) is not None}

    def _check(self, name: str, kind: type, value: Any) -> FieldError | None:
        if value is None:
            return (
                FieldError(name, "required", _("This field is required.")) if name in self.required else None
            )
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            return FieldError(
                name, "invalid_type", _("This must be of type %(type)s.") % {"type": _NAMES[kind]}
            )
        if isinstance(value, str) and len(value) > LONGEST:
            return FieldError(name, "max_length", _("This is too long."), constraint=LONGEST)
        if isinstance(value, list) and not all(isinstance(item, str) for item in value):
            return FieldError(name, "invalid_type", _("This must be a list of texts."))
        return None

    @staticmethod
    def _property(kind: type) -> dict[str, Any]:
        if kind is list:
            return {"type": "array", "items": {"type": "string"}}
        return {"type": _NAMES[kind]} | ({"maxLength": LONGEST} if kind is str else {})
