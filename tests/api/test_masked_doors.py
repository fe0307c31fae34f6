"""Every door that shows or asks for values, walked by somebody who sees masks: no value, and no answer that tells one."""

import json
from typing import Any

import pytest

from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, tenant_scope
from apps.objects.parse import load_body
from apps.objects.publish import publish_in
from apps.permissions import services as permissions
from tests.api.conftest import Caller

pytestmark = pytest.mark.usefixtures("api")

IBAN, MAIL, PHONE = "DE00-canary-4711", "canary@example.com", "+49 30 5550199"
CANARIES = (IBAN, MAIL, PHONE, "canary", "5550199")
PERSON = {
    "name": "api_person",
    "label": "Person",
    "sharingModel": "public_read_write",
    "nameField": "name",
    "searchableFields": ["name", "email"],
    "fields": {
        "name": {"type": "text", "required": True},
        "iban": {"type": "text", "encrypted": True, "unique": True, "maskingRule": "last4"},
        "email": {"type": "email", "maskingRule": "partial", "externalId": True},
        "phone": {"type": "phone", "maskingRule": "redact"},
        "boss": {"type": "lookup", "reference": "api_person"},
    },
}
RIGHTS = {
    "allowRead": True,
    "allowCreate": True,
    "allowEdit": True,
    "allowExport": True,
    "viewAllRecords": True,
}
DATA = "/api/v1/data/api_person"


@pytest.fixture(scope="module")
def published(database: dict[str, TenantRef], people: Any, objects: None) -> None:
    acme = database["acme"]
    publish_in(acme, [load_body(PERSON)], by=SYSTEM)
    with tenant_scope(acme):
        permissions.create_set(
            name="api_masked", label="Masked", body={"objects": {"api_person": RIGHTS}}, by=SYSTEM
        )
        permissions.assign(name="api_masked", user_id=people.users["sales@acme"].id, by=SYSTEM)


@pytest.fixture
def person(published: None, owner: Caller) -> str:
    """A person with every value, changed once; another one points to it."""
    found = owner.get(f'{DATA}?filter={{"name":"Ann"}}').json()["records"]
    if found:
        return str(found[0]["id"])
    made = owner.post(DATA, {"name": "Ann", "iban": IBAN, "email": MAIL, "phone": "+49 30 5550000"})
    assert made.status_code == 201, made.content
    key = str(made.json()["id"])
    assert owner.send("PATCH", f"{DATA}/{key}", {"phone": PHONE}).status_code == 200
    assert owner.post(DATA, {"name": "Bob", "boss": key}).status_code == 201
    return key


SHOWING = {
    "list": ("GET", ""),
    "selected": ("GET", "?select=iban,email,phone"),
    "query": ("POST", "/query", {"fields": ["iban", "email", "phone"]}),
    "expanded": ("GET", "?expand=boss"),
    "one": ("GET", "/{key}"),
    "export csv": ("GET", "/export?format=csv"),
    "export json": ("GET", "/export?format=json"),
    "history": ("GET", "/{key}/history"),
    "versions": ("GET", "/{key}/versions"),
    "first version": ("GET", "/{key}/versions/1"),
    "compared": ("GET", "/{key}/compare?from=1&to=2"),
    "written": ("PATCH", "/{key}", {"name": "Ann"}),
}


def content(answer: Any) -> str:
    raw = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return str(raw.decode())


@pytest.mark.parametrize("name", SHOWING)
def test_no_door_shows_a_masked_value(person: str, sales: Caller, owner: Caller, name: str) -> None:
    method, path, *body = SHOWING[name]
    url = DATA + path.format(key=person)
    answer = sales.send(method, url, *body)
    assert answer.status_code == 200, answer.content
    text = content(answer)
    assert not [value for value in CANARIES if value in text]
    shown = content(owner.send(method, url, *body))
    assert [value for value in CANARIES if value in shown], "negative control: the owner is shown them here"


ASKING = {
    "filter": ("GET", '?filter={{"email":"{mail}"}}'),
    "parameter": ("GET", "?email={mail}"),
    "order": ("GET", "?sort=phone"),
    "groups": ("GET", "?groupBy=email"),
    "search in it": ("GET", "?search=canary&searchFields=email"),
    "having": ("POST", "/query", {"aggregations": [{"function": "max", "field": "phone", "alias": "m"}]}),
    "expanded filter": (
        "POST",
        "/query",
        {"expand": {"boss": {"object": "api_person", "where": {"phone": PHONE}}}},
    ),
    "export filter": ("GET", '/export?filter={{"phone":"x"}}'),
    "export order": ("GET", '/export?orderby={{"email":"desc"}}'),
}


@pytest.mark.parametrize("name", ASKING)
def test_no_door_answers_a_question_about_one(person: str, sales: Caller, owner: Caller, name: str) -> None:
    method, path, *body = ASKING[name]
    url = DATA + path.format(mail=MAIL)
    assert sales.send(method, url, *body).status_code == 403
    assert owner.send(method, url, *body).status_code == 200, "negative control"


def test_analytics_asks_nothing_about_one(person: str, sales: Caller) -> None:
    wanted = {"cube": "api_person", "measures": ["count"], "dimensions": ["email"]}
    answer = sales.post("/api/v1/analytics/query", wanted)
    assert answer.status_code == 403 and not [value for value in CANARIES if value in content(answer)]


def test_a_search_finds_nobody_by_it(person: str, sales: Caller, owner: Caller) -> None:
    url = "/api/v1/search?q=canary&objects=api_person"
    assert sales.get(url).json()["totalHits"] == 0
    assert owner.get(url).json()["totalHits"] == 1


@pytest.mark.parametrize("way", ["update", "create", "upsert", "import", "batch"])
def test_a_right_guess_is_answered_as_a_wrong_one(person: str, sales: Caller, way: str) -> None:
    """0 bits: but for the guess itself both answers are the same."""

    def answer(guess: str) -> tuple[int, str]:
        row = {"name": "X", "email": guess}
        match way:
            case "update":
                made = sales.send("PATCH", f"{DATA}/{person}", {"email": guess})
            case "create":
                made = sales.post(DATA, row)
            case "upsert":
                body = {"operation": "upsert", "records": [{"externalId": guess, "data": {"name": "X"}}]}
                made = sales.post(f"{DATA}/batch", body)
            case "import":
                body = {"format": "json", "rows": [row], "writeMode": "upsert", "matchFields": ["email"]}
                made = sales.post(f"{DATA}/import", body | {"dryRun": True})
            case _:
                made = sales.post(
                    "/api/v1/batch",
                    {"operations": [{"object": "api_person", "action": "create", "data": row}]},
                )
        text = {
            key: value
            for key, value in json.loads(content(made)).items()
            if key not in ("requestId", "jobId", "id")
        }
        return made.status_code, json.dumps(text).replace(guess, "GUESS")

    right, wrong = answer(MAIL), answer("nobody@example.org")
    assert right == wrong
    assert right[0] in (200, 403) and "canary" not in right[1]
