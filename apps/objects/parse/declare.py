"""Entering every accepted key into the register of declared keys."""

from __future__ import annotations

from collections.abc import Mapping

from apps.core.declared import declare
from apps.objects.parse import fields, grants, objects, translations, views
from apps.objects.parse.shape import Key

SHAPES: Mapping[str, Mapping[str, Key]] = {
    "object": objects.OBJECT_KEYS,
    "object.fieldGroups": objects.GROUP_KEYS,
    "object.indexes": objects.INDEX_KEYS,
    "object.enable": objects.ENABLE_KEYS,
    "object.fields": fields.FIELD_KEYS,
    "object.fields.options": fields.OPTION_KEYS,
    "object.fields.permissions": fields.PERMISSION_KEYS,
    "object.listViews": views.VIEW_KEYS,
    "object.permission_sets": grants.SET_KEYS,
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
