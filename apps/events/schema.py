"""JSON Schema (2020-12) of an event's data: judged when it is declared, and held against what will be stored."""

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs

ROOM = 20_000
LINEAR = jsonschema_rs.RegexOptions(size_limit=100_000)
ONE = frozenset(
    [
        "items",
        "contains",
        "additionalProperties",
        "propertyNames",
        "unevaluatedItems",
        "unevaluatedProperties",
        "not",
        "if",
        "then",
        "else",
    ]
)
SEVERAL = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
NAMED = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs"})
PLAIN = frozenset(
    [
        "type",
        "enum",
        "const",
        "multipleOf",
        "maximum",
        "exclusiveMaximum",
        "minimum",
        "exclusiveMinimum",
        "maxLength",
        "minLength",
        "pattern",
        "maxItems",
        "minItems",
        "uniqueItems",
        "maxContains",
        "minContains",
        "maxProperties",
        "minProperties",
        "required",
        "dependentRequired",
        "format",
        "title",
        "description",
        "default",
        "deprecated",
        "examples",
        "$ref",
        "$comment",
    ]
)
KEYWORDS = ONE | SEVERAL | NAMED | PLAIN


class Schema:
    """A compiled schema; one that is broken, or uses what is not enforced, is refused with ValueError.

    Patterns run on an engine of linear time, formats are asserted, references stay within the schema.
    """

    def __init__(self, body: Mapping[str, Any]) -> None:
        if len(str(body)) > ROOM:
            msg = f"The schema is longer than {ROOM} characters."
            raise ValueError(msg)
        if fault := next(_faults(body), None):
            raise ValueError(fault)
        try:
            self._checks = jsonschema_rs.Draft202012Validator(
                dict(body), validate_formats=True, pattern_options=LINEAR
            )
        except ValueError as error:
            msg = f"The schema is none: {str(error).splitlines()[0]}"
            raise ValueError(msg) from error

    def fault(self, data: Any) -> str | None:
        """Return what is wrong with `data` (as JSON has it) in one sentence, or None."""
        if self._checks.is_valid(data):
            return None
        error = next(iter(self._checks.iter_errors(data)))
        return f"{'.'.join(['data', *map(str, error.instance_path)])}: {error.message}"


def _faults(schema: Any) -> Iterator[str]:
    if not isinstance(schema, Mapping):
        return  # true, false, or nothing that a schema is: the compiler says so
    if unknown := schema.keys() - KEYWORDS:
        yield f"An event's schema may not use {', '.join(sorted(unknown))}."
    if not str(schema.get("$ref", "#")).startswith("#"):
        yield f"The schema may not refer to {schema['$ref']!r}: nothing outside it is looked up."
    for key, value in schema.items():
        if key in ONE:
            yield from _faults(value)
        elif key in SEVERAL and isinstance(value, list | tuple):
            for item in value:
                yield from _faults(item)
        elif key in NAMED and isinstance(value, Mapping):
            for item in value.values():
                yield from _faults(item)
