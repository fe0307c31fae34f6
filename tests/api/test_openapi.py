"""The OpenAPI document: valid, complete, and telling each caller only what they may see."""

import json
from pathlib import Path

import drf_spectacular.validation
import jsonschema_rs
import pytest

from apps.api.openapi.operations import UNDESCRIBED

pytestmark = pytest.mark.usefixtures("api")
WHERE = "/api/v1/openapi.json"
RULES = Path(drf_spectacular.validation.__file__).with_name("openapi_3_1_schema.json")


@pytest.fixture
def document(owner):
    return owner.get(WHERE).json()


def test_it_is_valid(document, nobody):
    rules = jsonschema_rs.validator_for(json.loads(RULES.read_text("utf-8")))
    assert document["openapi"].startswith("3.1")
    rules.validate(document)
    rules.validate(nobody.get(WHERE).json())
    assert not rules.is_valid(document | {"paths": {"no-slash": {}}}), "control"


def test_every_operation_has_a_name_of_its_own(document):
    ids = [told["operationId"] for item in document["paths"].values() for told in item.values()]
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere(document):
    text = json.dumps(document)
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= set(document["components"]["schemas"])


def test_the_tenants_objects_stand_in_it_by_name(document, nobody):
    assert "post" in document["paths"]["/api/v1/data/api_lead"]
    assert "/api/v1/data/{name}" not in document["paths"]
    assert "/api/v1/data/api_closed" not in document["paths"]
    assert "/api/v1/data/{name}" in nobody.get(WHERE).json()["paths"]


def test_the_fields_are_those_the_caller_may_see(document, sales):
    fields = document["components"]["schemas"]["api_lead"]["properties"]
    assert {"id", "name", "secret", "amount"} <= set(fields)
    theirs = sales.get(WHERE)
    assert "secret" not in theirs.json()["components"]["schemas"]["api_lead"]["properties"]
    assert "delete" not in str(theirs.json()["components"]["schemas"]["api_lead.create"])


def test_required_and_bounds_are_told(document):
    create = document["components"]["schemas"]["api_lead.create"]
    assert create["required"] == ["name"]
    assert create["properties"]["score"]["maximum"] == 100
    assert "fixed" not in create["properties"]
    assert "required" not in document["components"]["schemas"]["api_lead.update"]


def test_every_operation_tells_its_refusals(document):
    for path, item in document["paths"].items():
        for method, told in item.items():
            assert {"400", "429", "500"} <= set(told["responses"]), (method, path)
            if told["security"] != [{}]:
                assert {"401", "403"} <= set(told["responses"]), (method, path)


def test_no_operation_is_left_undescribed(document):
    bare = [
        path
        for path, item in document["paths"].items()
        for told in item.values()
        if told["summary"] == UNDESCRIBED.summary
    ]
    assert bare == []


def test_the_page_needs_nothing_from_elsewhere(nobody):
    answer = nobody.get("/api/v1/docs")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "http://" not in page
    assert "https://" not in page
    assert "<script>" not in page
    assert "<style" not in page
    assert " style=" not in page
