"""The search: words anywhere, whatever their case and accents, by an index below the tenant's wall."""

import importlib

import pytest
from django.apps import apps
from django.db import connections

from apps.core.actor import SYSTEM
from apps.core.db.owner import owner_session
from apps.core.scope import tenant_scope
from apps.objects import query, records
from apps.objects.parse import load_body
from apps.objects.publish import publish_in
from apps.objects.schema.search import search_indexes

MANY = 4_000
BODY = {
    "name": "qa_found",
    "sharingModel": "public_read_write",
    "searchableFields": ["title", "town"],
    "indexes": [{"fields": ["size"]}],
    "fields": {
        "title": {"type": "text"},
        "town": {"type": "text"},
        "size": {"type": "number"},
        "tags": {"type": "tags"},
    },
}
QUIET = {"name": "qa_quiet", "sharingModel": "public_read_write", "fields": {"title": {"type": "text"}}}
ROWS = [
    ("Müller & Söhne", "Köln"),
    ("MULLER", "Łódź"),
    ("100% pure_water", "Besançon"),
    ("C:\\path", "Straße"),
    (None, "東京"),
]
FILL = """
INSERT INTO "{table}" (id, title, town, size, tags)
SELECT gen_random_uuid(), 'record ' || md5(g::text), 'town ' || md5((g * 7)::text), g, ARRAY['t' || g]
FROM generate_series(1, {many}) g
"""


@pytest.fixture(scope="module")
def found(database, people):
    acme, by = database["acme"], people.actor("owner")
    publish_in(acme, [load_body(BODY), load_body(QUIET)], by=SYSTEM)
    for title, town in ROWS:
        records.create("qa_found", {"title": title, "town": town}, by=by, tenant=acme)
    yield acme, by
    publish_in(acme, [], by=SYSTEM, drop=["qa_found", "qa_quiet"], allow_destructive=True)


def titles(found, words, **more):
    acme, by = found
    page = query.find("qa_found", {"search": words, "orderBy": ["town"], **more}, by=by, tenant=acme)
    return sorted(f"{row['title']}/{row['town']}" for row in page.records())


@pytest.mark.parametrize(
    ("words", "towns"),
    [
        ("muller", ["Köln", "Łódź"]),
        ("MÜLL", ["Köln", "Łódź"]),
        ("söhne koln", ["Köln"]),
        ("lodz", ["Łódź"]),
        ("strasse", ["Straße"]),
        ("100%", ["Besançon"]),
        ("%", ["Besançon"]),
        ("e_w", ["Besançon"]),
        ("\\", ["Straße"]),
        ("京", ["東京"]),
        ("muller besancon", []),
        ("m%r", []),
    ],
    ids=[
        "plain",
        "upper",
        "two",
        "stroke",
        "sharp s",
        "percent",
        "sign",
        "underscore",
        "backslash",
        "cjk",
        "both",
        "wild",
    ],
)
def test_words_are_found(found, words, towns):
    assert sorted(title.rpartition("/")[2] for title in titles(found, words)) == sorted(towns)


def test_only_what_is_named_is_looked_at(found):
    assert titles(found, "koln", searchFields=["title"]) == []
    assert titles(found, "koln", searchFields=["town"]) == ["Müller & Söhne/Köln"]


def test_declared_fields_have_an_index_and_others_none():
    (index,) = search_indexes(load_body(BODY))
    assert index.fields == ["title", "town"]
    assert search_indexes(load_body(QUIET)) == []
    assert search_indexes(load_body(BODY | {"enable": {"searchable": False}})) == []


def test_objects_of_an_earlier_release_get_the_index_by_the_migration(found):
    acme, _by = found
    migration = importlib.import_module("apps.objects.migrations.0007_search_indexes")
    with owner_session(), tenant_scope(acme):
        connection = connections["default"]
        with connection.cursor() as cursor:
            cursor.execute("DROP INDEX qa_found__search__trgm")
        with connection.schema_editor(atomic=False) as editor:
            migration.build(apps, editor)
            migration.build(apps, editor)  # once more changes nothing
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('qa_found__search__trgm') IS NOT NULL")
            assert cursor.fetchone()[0]


def plan(found, where):
    """Return PostgreSQL's plan of a condition as the application's login meets it, wall and all."""
    acme, _by = found
    with tenant_scope(acme), connections["default"].cursor() as cursor:
        cursor.execute(f"EXPLAIN SELECT id FROM obj_qa_found r WHERE r.deleted_at IS NULL AND {where}")
        return "\n".join(row[0] for row in cursor.fetchall())


@pytest.fixture(scope="module")
def filled(found, database):
    acme, _by = found
    with tenant_scope(acme), connections["default"].cursor() as cursor:
        cursor.execute(FILL.format(table="obj_qa_found", many=MANY))
    with owner_session(), tenant_scope(acme), connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT gin_clean_pending_list('qa_found__search__trgm'::regclass)"
        )  # as autovacuum does
        cursor.execute("ANALYZE obj_qa_found")
    return found


def test_the_index_is_used_below_the_wall(filled):
    folded = "public.fold_text(r.{0}) LIKE public.fold_like('abcdef')"
    either = f"({folded.format('title')} OR {folded.format('town')})"
    assert "qa_found__search__trgm" in plan(filled, either)
    # The control: the same words without folding are nothing that the index knows.
    assert "Seq Scan" in plan(filled, "(r.title ILIKE '%abcdef%' OR r.town ILIKE '%abcdef%')")


def test_numbers_and_tags_are_found_by_their_indexes_below_the_wall(filled):
    assert "qa_found__size__ix" in plan(filled, "r.size = 4711")
    assert "qa_found__tags__gin" in plan(filled, "r.tags @> ARRAY['t5']::text[]")
    assert "Seq Scan" in plan(filled, "r.size + 0 = 4711")  # the control


def test_the_index_changes_no_result(filled):
    for words in ("abc", "record ab", "ab cd", "7f"):
        acme, by = filled
        with tenant_scope(acme), connections["default"].cursor() as cursor:
            cursor.execute("SELECT coalesce(title, ''), coalesce(town, '') FROM obj_qa_found")
            rows = cursor.fetchall()
        expected = sum(
            all(any(word in text.lower() for text in row) for word in words.split()) for row in rows
        )
        total = query.find(
            "qa_found", {"search": words, "count": "exact", "limit": 1}, by=by, tenant=acme
        ).total
        assert total == expected
