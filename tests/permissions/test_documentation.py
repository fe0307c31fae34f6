"""The guides name what the code knows, and nothing else."""

import re
from pathlib import Path

from apps.core.declared import declared_keys
from apps.objects.query import arrays, filters, macros, params, refusals
from apps.objects.query.grouping import BUCKETS, FUNCTIONS
from apps.objects.records.bulk import MOST_ROWS
from apps.permissions.bodies import BODY_KEYS, FIELD_KEYS, SCOPES, SYSTEM_PERMISSIONS
from apps.permissions.builtin import BUILT_IN
from apps.permissions.narrowing import AREAS
from apps.permissions.policies import POLICY_KEYS
from apps.permissions.rights import KEYS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def words(name):
    return set(re.findall(r"[$A-Za-z_][\w$]*", (DOCS / name).read_text()))


def test_permissions_guide():
    known = {*KEYS, *SYSTEM_PERMISSIONS, *BUILT_IN, *AREAS, *BODY_KEYS, *FIELD_KEYS, *SCOPES, *POLICY_KEYS}
    assert known <= words("permissions.md")


def test_every_key_of_a_set_is_declared():
    keys = {f"objects.{key}" for key in (*KEYS, "readScope", "writeScope")}
    keys |= {f"fields.{key}" for key in FIELD_KEYS} | {"systemPermissions"}
    keys |= {f"rowLevelSecurity.{key}" for key in POLICY_KEYS - {"name", "label", "description"}}
    assert declared_keys("yaml", "permission_set.") == keys


def test_queries_guide():
    text = (DOCS / "queries.md").read_text()
    known = {*filters.OPERATORS, *params.ALIASES, *params.ALIASES.values(), *FUNCTIONS, *BUCKETS}
    assert {name for name in known if name.isidentifier() or name.startswith("$")} <= words("queries.md")
    spelled = set(text.split("Operators there: `")[1].split("`")[0].split())
    aliases = {"equals", "not_equals", "neq", "ne", "gt", "gte", "lt", "lte", "greater_than", "less_than"}
    aliases |= {"startswith", "endswith"}
    assert spelled >= (set(arrays.WORDS) | set(arrays.PRESENCE)) - aliases
    assert spelled <= set(arrays.WORDS) | set(arrays.PRESENCE)
    for token in re.findall(r"\{([a-z0-9_]+)\}", text.split("Words in braces")[1].split("array form")[0]):
        macros.resolve(f"{{{token}}}", macros.Moment())
    for limit in (refusals.MOST_ROWS, refusals.MOST_SKIPPED, refusals.MOST_VALUES, refusals.COUNT_CAP):
        assert f"{limit:,}" in text
    for limit in (refusals.DEFAULT_LIMIT, refusals.MOST_DEPTH, refusals.MOST_TESTS, MOST_ROWS):
        assert re.search(rf"\b{limit}\b", text)
