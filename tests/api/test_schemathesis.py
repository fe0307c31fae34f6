"""Schemathesis against the running server: whatever it sends, every answer is one that the document promises."""

import os

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from apps.core.scope import TenantRef, platform_scope
from tests.api.conftest import environment, make_key
from tests.programs import EVERY
from tests.servers import live_server

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "8" if os.environ.get(EVERY) else "4"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def playground(people):
    """A tenant that may be filled with nonsense, its key, and the server's address."""
    from apps.core.actor import SYSTEM, Actor
    from apps.identity.models import Membership
    from apps.objects.parse import load_yaml
    from apps.objects.publish import publish_in
    from apps.tenants.provision import Order, create_tenant
    from tests.api.objects import ALL

    made = create_tenant(by=SYSTEM, wanted=Order(slug="play", name="Play"), default_host="play.localhost").ref
    user = people.users["owner@acme"]
    with platform_scope("test"):
        Membership.objects.create(tenant_id=made.id, user=user, role="owner")
    publish_in(made, [load_yaml(text) for text in ALL], by=SYSTEM)
    actor = Actor(
        kind="member", id=str(user.id), label="Owner", tenant_id=made.id, user_id=user.id, role="owner"
    )
    return TenantRef(made.id, made.slug, made.schema), make_key(made, actor)


@pytest.fixture(scope="module")
def session(playground, tmp_path_factory):
    """Requests to the server in the name of the playground's owner, and the document it serves."""
    folder = tmp_path_factory.mktemp("schemathesis")
    free = environment(RATE_LIMIT_USER="0/m", RATE_LIMIT_IP="0/m")
    with free, live_server(folder, workers=1) as running, requests.Session() as made:
        made.headers["x-api-key"] = playground[1]
        answer = made.get(f"{running.url()}api/v1/openapi.json", timeout=30)
        assert answer.status_code == 200, answer.text
        yield made, running, answer.json()


def operations(document):
    schema = schemathesis.openapi.from_dict(document)
    for result in schema.get_all_operations():
        yield result.ok()


def trouble(operation, session, running, mode):
    """Return what a run against one operation found wrong, or None."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def run(case):
        response = case.call(base_url=running.url().rstrip("/"), session=session, timeout=30)
        case.validate_response(response, checks=CHECKS)

    try:
        run()
    except Unsatisfiable:
        if mode is GenerationMode.POSITIVE:
            raise
        return None  # an operation without parameters and body cannot be asked wrongly
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - all troubles are told at once
        return f"{operation.method.upper()} {operation.path} [{mode.value}]\n{error}"
    return None


@pytest.mark.parametrize(
    "mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value
)
def test_every_answer_is_a_promised_one(session, mode):
    made, running, document = session
    found = [text for op in operations(document) if (text := trouble(op, made, running, mode))]
    assert not found, "\n\n".join(found)


def test_an_unpromised_answer_would_be_noticed(session):
    """The control: a document without its 404 and 400 must fail."""
    made, running, document = session
    path = "/api/v1/data/api_lead/{record_id}"
    told = document["paths"][path]["get"]
    poorer = {**told, "responses": {"200": told["responses"]["200"]}}
    changed = {**document, "paths": {path: {"get": poorer}}}
    assert trouble(next(operations(changed)), made, running, GenerationMode.POSITIVE)
