"""Entering every accepted key into the register of declared keys."""

from __future__ import annotations

from collections.abc import Mapping

from apps.core.declared import declare
from apps.objects.parse import (
    field_keys,
    grants,
    object_keys,
    record_types,
    summaries,
    translations,
    validations,
    views,
)
from apps.objects.parse.shape import Key

SHAPES: Mapping[str, Mapping[str, Key]] = {
    "object": object_keys.OBJECT_KEYS,
    "object.fieldGroups": object_keys.GROUP_KEYS,
    "object.indexes": object_keys.INDEX_KEYS,
    "object.recordTypes": record_types.HOLDER_KEYS,
    "object.recordTypes.types": record_types.TYPE_KEYS,
    "object.enable": object_keys.ENABLE_KEYS,
    "object.fields": field_keys.FIELD_KEYS,
    "object.fields.options": field_keys.OPTION_KEYS,
    "object.fields.permissions": field_keys.PERMISSION_KEYS,
    "object.fields.summaryOperations": summaries.SUMMARY_KEYS,
    "object.listViews": views.VIEW_KEYS,
    "object.permission_sets": grants.SET_KEYS,
    "object.validations": validations.RULE_KEYS,
    "object.translations": translations.WORD_KEYS,
    "object.translations.fields": translations.FIELD_WORD_KEYS,
}


def declare_shapes(shapes: Mapping[str, Mapping[str, Key]] = SHAPES) -> None:
    """Declare the keys of closed shapes, each under the path it has in YAML."""
    for prefix, keys in shapes.items():
        for name, key in keys.items():
            declare(
                kind="yaml",
                key=f"{prefix}.{name}",
                doc=key.doc,
                enforced_by=key.enforced_by,
                tested_by=key.tested_by,
            )
