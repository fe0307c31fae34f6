"""The index of an object's search: trigrams of the folded texts, so that any part of a word is found by it.

Only objects that say what is searched (`searchableFields`, or a field with `searchable`) have one: it costs each
write a few tenths of a millisecond. Without the extension pg_trgm there is none, and the search reads the records.
"""

from __future__ import annotations

from typing import Any

from django.db import models

from apps.objects.definitions import ObjectDef
from apps.objects.kinds import kind_of
from apps.objects.kinds.naming import named

TRIGRAMS = """
SELECT EXISTS (SELECT FROM pg_opclass c JOIN pg_namespace n ON n.oid = c.opcnamespace
               WHERE c.opcname = 'gin_trgm_ops' AND n.nspname = 'public')
   AND to_regprocedure('public.fold_text(text)') IS NOT NULL
"""


class SearchIndex(models.Index):
    """A GIN index of the folded columns, or nothing where the database has no trigrams."""

    def create_sql(self, model: Any, schema_editor: Any, using: str = "", **kwargs: Any) -> Any:
        quote = schema_editor.quote_name
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(TRIGRAMS)
            if not cursor.fetchone()[0]:
                return "SELECT 1"
        columns = [model._meta.get_field(name).column for name in self.fields]
        parts = ", ".join(f"public.fold_text({quote(name)}) public.gin_trgm_ops" for name in columns)
        how = "CONCURRENTLY " if kwargs.get("concurrently") else ""
        return (
            f"CREATE INDEX {how}IF NOT EXISTS {quote(self.name)} ON {quote(model._meta.db_table)} USING gin ({parts})"
            f" WHERE {quote('deleted_at')} IS NULL"
        )


def searched_fields(definition: ObjectDef) -> list[str]:
    """Return the fields that the definition declares to be searched."""
    fields = definition.all_fields
    if "searchableFields" not in definition.body and not any(f.searchable for f in fields.values()):
        return []  # its name is searched as well, without an index
    known = (n for n in definition.searchable_fields if n in fields)
    return [n for n in known if kind_of(fields[n]).searchable and kind_of(fields[n]).sql_type == "text"]


def search_indexes(definition: ObjectDef) -> list[models.Index]:
    """Return the search index, if the object has one."""
    fields = searched_fields(definition) if definition.enable.searchable else []
    return [SearchIndex(fields=fields, name=named(definition.name, "search", "trgm"))] if fields else []
