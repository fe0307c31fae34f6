"""The page on GraphQL: its documents fit the CRM's schema, its codes exist, its figures are the limits."""

import hashlib
import json
import re
from pathlib import Path
from uuid import UUID

import pytest

from apps.api.graphql import documents, limits
from apps.api.graphql.problems import Unfit
from apps.api.graphql.schema import schemas
from apps.core.scope import TenantRef
from apps.objects.catalog import Catalog
from apps.objects.parse import load_yaml
from apps.objects.query.plans import View
from apps.permissions.access import SYSTEM_ACCESS

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "graphql.md").read_text()
EXAMPLES = re.findall(r"```graphql\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def made():
    """The schema of the CRM for somebody with every right."""
    files = sorted((ROOT / "modules" / "crm" / "objects").glob("*.yml"))
    found = {obj.name: obj for obj in (load_yaml(file.read_text(), file.name) for file in files)}
    nobody = TenantRef(UUID(int=1), "docs", "t_docs")
    return schemas.of(View(nobody, Catalog(found), SYSTEM_ACCESS))


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_fits_the_schema(made, number):
    documents.check(made, documents.read(EXAMPLES[number]))


def test_control_a_wrong_example_would_be_found(made):
    with pytest.raises(Unfit):
        documents.check(made, documents.read(EXAMPLES[0].replace("score", "skore")))


def test_every_code_is_told_and_every_told_code_exists():
    source = "".join(
        path.read_text()
        for folder in ("graphql", "live")
        for path in (ROOT / "apps/api" / folder).glob("*.py")
    )
    own = r"\b(?:GRAPHQL|PERSISTED_QUERY)_[A-Z_]+\b"
    assert set(re.findall(f'"({own})"', source)) == set(re.findall(own, PAGE))


def test_the_figures_are_the_limits():
    for figure in (
        limits.MOST_BYTES, limits.MOST_TOKENS, limits.MOST_FIELDS, limits.MOST_DEPTH, limits.MOST_NESTED, limits.MOST_ROOTS,
        limits.MOST_RECORDS, limits.MOST_DIRECTIVES, limits.MOST_VARIABLES, limits.MOST_OPERATIONS, limits.MOST_SAME,
        limits.LONGEST_NAME,
    ):  # fmt: skip
        assert re.search(rf"\b{figure:,}\b", PAGE[PAGE.index("## Limits") :]), figure


def test_the_hash_of_the_page_is_the_documents():
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    sent = json.loads(text)
    assert (
        sent["extensions"]["persistedQuery"]["sha256Hash"]
        == hashlib.sha256(sent["query"].encode()).hexdigest()
    )
