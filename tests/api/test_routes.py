"""Every route and method of the API, asked by nobody, by a stranger and by a member; made from the resolver.

A route that nobody described here fails the first test: whoever adds one says with what it may be tried.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver

from apps.api.discovery import MissingDoor
from apps.api.door import VERBS, Door
from tests.api.conftest import caller

ABSENT = "01a1f900-0000-7000-8000-000000000000"
ARGUMENTS = {
    "name": "api_lead",
    "record_id": ABSENT,
    "kind": "object",
    "locale": "de",
    "number": "1",
    "hold_id": ABSENT,
    "job_id": ABSENT,
    "key_id": ABSENT,
    "endpoint_id": ABSENT,
    "delivery_id": ABSENT,
    "source_id": ABSENT,
    "schedule_id": ABSENT,
    "share_id": ABSENT,
    "user_id": ABSENT,
    "package": "com.example.absent",
}
MISMATCH = "TENANT_MISMATCH"
# The middleware asks nobody's host on the health doors; a stranger fails there for being no operator.
CLOSED = {"metrics"}  # there for nobody without METRICS_TOKEN
HOSTLESS = {"diagz": "FORBIDDEN"}
ANSWERED = {200, 201, 202, 204, 304}


@dataclass(frozen=True)
class Case:
    """With what a method is tried by a member, and what may be answered besides success."""

    body: Any = None
    query: str = ""
    refused: frozenset[int] = field(default_factory=frozenset)
    arguments: dict[str, str] = field(default_factory=dict)


def case(body: Any = None, *refused: int, query: str = "", **arguments: str) -> Case:
    return Case(body, query, frozenset(refused), arguments)


OK = case()
NOT_FOUND = case(None, 404)
SCHEDULE = {
    "title": "Week",
    "task": "events.announce",
    "args": {"name": "week"},
    "kind": "cron",
    "cron": "0 7 * * MON",
}
DATASET = {
    "dataset": {"object": "api_lead", "measures": [{"name": "n", "aggregate": "count"}]},
    "selection": {"measures": ["n"]},
}
DESIGN = ("history", "audit", "diff", "published", "layers", "references")
DATA = {
    "{data}/import/jobs": {"GET": OK},
    "{data}/import/jobs/<job_id>": {"GET": NOT_FOUND},
    "{data}/import/jobs/<job_id>/results": {"GET": NOT_FOUND},
    "{data}/import/jobs/<job_id>/cancel": {"POST": NOT_FOUND},
    "{data}/import/jobs/<job_id>/resume": {"POST": NOT_FOUND},
    "{data}/import/jobs/<job_id>/undo": {"POST": NOT_FOUND},
    "{data}/<name>/import": {"POST": case({"rows": [{"name": "x"}], "dryRun": True})},
    "{data}/<name>/import/jobs": {"POST": case({"csv": "name\nx\n"})},
    "{data}/<name>": {"GET": OK, "POST": case({"name": "x"})},
    "{data}/<name>/query": {"POST": case({})},
    "{data}/<name>/createMany": {"POST": case([])},
    "{data}/<name>/updateMany": {"POST": case({"records": []})},
    "{data}/<name>/deleteMany": {"POST": case({"ids": []})},
    "{data}/<name>/batch": {"POST": case({"operation": "create", "records": []})},
    "{data}/<name>/export": {"GET": OK},
    "{data}/<name>/<record_id>": {"GET": NOT_FOUND, "PATCH": case({}, 404), "DELETE": NOT_FOUND},
    "{data}/<name>/<record_id>/clone": {"POST": NOT_FOUND},
    "{data}/<name>/<record_id>/restore": {"POST": NOT_FOUND},
    "{data}/<name>/<record_id>/history": {"GET": NOT_FOUND},
    "{data}/<name>/<record_id>/shares": {"GET": NOT_FOUND, "POST": case({"recipientType": "everyone"}, 404)},
    "{data}/<name>/<record_id>/shares/<share_id>": {"DELETE": NOT_FOUND},
    "{data}/<name>/<record_id>/versions": {"GET": NOT_FOUND},
    "{data}/<name>/<record_id>/versions/<number>": {"GET": NOT_FOUND},
    "{data}/<name>/<record_id>/versions/<number>/restore": {"POST": NOT_FOUND},
    "{data}/<name>/<record_id>/compare": {"GET": NOT_FOUND},
}
CASES: dict[str, dict[str, Case]] = {
    ".well-known/objectstack": {"GET": OK},
    "healthz": {"GET": OK},
    "healthz/host": {"GET": case(query="domain=acme.localhost")},
    "readyz": {"GET": case(None, 503)},
    "metrics": {"GET": case(None, 404)},
    "diagz": {"GET": case(None, 403)},
    "api/v1": {"GET": OK},
    "api/v1/discovery": {"GET": OK},
    "api/v1/health": {"GET": OK},
    "api/v1/ready": {"GET": case(None, 503)},
    "api/v1/openapi.json": {"GET": OK},
    "api/v1/docs": {"GET": OK},
    **{path.replace("{data}", "api/v1/data"): methods for path, methods in DATA.items()},
    **{path.replace("{data}", "api/data"): methods for path, methods in DATA.items()},
    "api/metadata/<name>": {"GET": OK},
    "api/v1/batch": {"POST": case({"operations": []})},
    "api/v1/ledger/integrity": {"GET": OK, "POST": OK},
    "api/v1/ledger/keys": {"GET": OK},
    "api/v1/ledger/checkpoint": {"GET": case(None, 409)},
    "api/v1/ledger/checkpoints": {"GET": OK},
    "api/v1/ledger/proofs/inclusion": {"GET": case(None, 409, query="seq=1")},
    "api/v1/ledger/proofs/consistency": {"GET": case(None, 409, query="from=1")},
    "api/v1/ledger/evidence": {"GET": case(None, 409, query="kind=ledger")},
    "api/v1/ledger/anchor": {
        "GET": NOT_FOUND,
        "PUT": case({"url": "https://ledger.example.org/"}),
        "DELETE": NOT_FOUND,
    },
    "api/v1/graphql": {"GET": case(query="query={me{id}}"), "POST": case({"query": "{me{id}}"})},
    "api/v1/analytics/query": {"POST": case({"cube": "api_lead", "measures": ["count"]})},
    "api/v1/analytics/sql": {"POST": case({"cube": "api_lead", "measures": ["count"]})},
    "api/v1/analytics/meta": {"GET": OK},
    "api/v1/analytics/dataset/query": {"POST": case(DATASET)},
    "api/v1/graphiql": {"GET": OK},
    "api/v1/graphql/stream": {"GET": case(None, 421), "POST": case({"query": "{me{id}}"}, 421)},
    "api/v1/search": {"GET": case(query="q=x")},
    "api/v1/security/explain": {"POST": case({"object": "api_lead", "operation": "read"})},
    "api/v1/security/what-if": {
        "POST": case(
            {
                "object": "api_lead",
                "operation": "read",
                "grant": {"kind": "share", "principal": "everyone"},
            }
        )
    },
    "api/v1/security/suggest": {
        "POST": case({"object": "api_lead", "operation": "read", "userId": ABSENT}, 400)
    },
    "api/v1/security/matrix": {"GET": case(query="of=sets")},
    "api/v1/security/groups": {"GET": OK, "POST": case({"name": "routes", "kind": "team"})},
    "api/v1/security/groups/<name>": {"DELETE": NOT_FOUND},
    "api/v1/security/groups/<name>/members/<user_id>": {"PUT": NOT_FOUND, "DELETE": NOT_FOUND},
    "api/v1/security/assignments": {
        "GET": OK,
        "POST": case({"userId": ABSENT, "permissionSet": "viewer_readonly"}, 400),
    },
    "api/v1/security/assignments/<user_id>/<name>": {"DELETE": NOT_FOUND},
    "api/v1/security/restrictions": {
        "GET": OK,
        "POST": case({"name": "routes", "object": "api_absent", "operations": ["purge"]}, 400),
    },
    "api/v1/security/restrictions/<name>": {"GET": NOT_FOUND, "DELETE": NOT_FOUND},
    "api/v1/security/emergency": {"GET": OK, "POST": case({"reason": "short"}, 400, 403)},
    "api/v1/security/emergency/<user_id>": {"DELETE": case(None, 409)},
    "api/v1/sharing/rules": {
        "GET": OK,
        "POST": case({"name": "routes", "object": "api_absent", "recipientType": "everyone"}, 400),
    },
    "api/v1/sharing/rules/<name>": {"GET": NOT_FOUND, "DELETE": NOT_FOUND},
    "api/v1/sharing/rules/<name>/evaluate": {"POST": NOT_FOUND},
    "api/v1/meta": {"GET": OK},
    "api/v1/meta/types": {"GET": OK},
    "api/v1/meta/object/<name>": {
        "GET": OK,
        "PUT": case({"name": "api_lead"}, 422),
        "DELETE": case(None, 404, name="x_absent"),
    },
    "api/v1/meta/_drafts": {"GET": OK},
    "api/v1/meta/diagnostics": {"GET": OK},
    **{f"api/v1/meta/object/<name>/{part}": {"GET": OK} for part in DESIGN},
    "api/v1/meta/object/<name>/state/<field>": {"GET": case(None, field="status")},
    "api/v1/meta/object/<name>/draft": {"GET": NOT_FOUND},
    "api/v1/meta/object/<name>/publish": {"POST": NOT_FOUND},
    "api/v1/meta/object/<name>/rollback": {"POST": case({"toVersion": 999}, 404)},
    "api/v1/meta/<kind>": {"GET": OK},
    "api/v1/meta/<kind>/<name>": {"GET": case(None, kind="view", name="api_lead.all")},
    "api/v1/ui/view/<name>/<kind>": {"GET": case(None, kind="list")},
    "api/v1/i18n/locales": {"GET": OK},
    "api/v1/i18n/labels/<name>/<locale>": {"GET": OK},
    "api/v1/i18n/translations/<locale>": {"GET": OK},
    "api/v1/webhooks": {
        "GET": OK,
        "POST": case({"url": "https://hooks.example.org/x", "types": ["*"]}),
    },
    "api/v1/webhooks/<endpoint_id>": {"GET": NOT_FOUND, "PATCH": case({}, 404), "DELETE": NOT_FOUND},
    **{
        f"api/v1/webhooks/<endpoint_id>/{verb}": {"POST": case({}, 404)}
        for verb in ("pause", "resume", "rotate", "test", "send-missed")
    },
    "api/v1/webhooks/<endpoint_id>/deliveries": {"GET": NOT_FOUND},
    "api/v1/webhooks/deliveries/<delivery_id>": {"GET": NOT_FOUND},
    "api/v1/webhooks/deliveries/<delivery_id>/redeliver": {"POST": NOT_FOUND},
    "api/v1/hooks/sources": {"GET": OK, "POST": case({"name": "routes", "scheme": "standard"})},
    "api/v1/hooks/sources/<source_id>": {"GET": NOT_FOUND, "DELETE": NOT_FOUND},
    **{
        f"api/v1/hooks/sources/<source_id>/{verb}": {"POST": case({}, 404)}
        for verb in ("pause", "resume", "rotate")
    },
    "api/v1/hooks/in/<name>": {"POST": case({}, 404)},
    "api/v1/events/stream": {"GET": case(None, 421)},
    "api/v1/ledger/export": {"GET": OK},
    "api/v1/privacy/erasures": {
        "GET": OK,
        "POST": case({"subject": "nothing", "reason": "because"}, 400),
    },
    "api/v1/privacy/holds": {"GET": OK, "POST": case({"reason": "case 17"})},
    "api/v1/privacy/holds/<hold_id>/release": {"POST": case({"reason": "closed"}, 404)},
    "api/v1/privacy/retention": {"GET": OK, "PUT": case({"days": None})},
    "api/v1/jobs": {"GET": OK},
    "api/v1/jobs/dead-letters": {"GET": OK},
    "api/v1/jobs/dead-letters/replay": {"POST": case({}, 409)},
    "api/v1/jobs/dead-letters/replay/<job_id>/stop": {"POST": NOT_FOUND},
    "api/v1/jobs/dead-letters/<job_id>": {"GET": NOT_FOUND},
    "api/v1/jobs/dead-letters/<job_id>/retry": {"POST": NOT_FOUND},
    "api/v1/jobs/dead-letters/<job_id>/quarantine": {"POST": NOT_FOUND},
    "api/v1/jobs/dead-letters/<job_id>/discard": {"POST": NOT_FOUND},
    "api/v1/jobs/<job_id>": {"GET": NOT_FOUND},
    "api/v1/jobs/<job_id>/log": {"GET": NOT_FOUND},
    "api/v1/jobs/<job_id>/cancel": {"POST": NOT_FOUND},
    "api/v1/jobs/<job_id>/retry": {"POST": NOT_FOUND},
    "api/v1/me/apps": {"GET": OK},
    "api/v1/packages": {"GET": OK, "POST": case({"manifest": {}}, 422)},
    "api/v1/packages/<package>": {
        "GET": NOT_FOUND,
        "PATCH": case({"version": "1.0.0"}, 404),
        "DELETE": NOT_FOUND,
    },
    "api/v1/packages/<package>/export": {"GET": NOT_FOUND},
    "api/v1/packages/<package>/enable": {"PATCH": NOT_FOUND},
    "api/v1/packages/<package>/disable": {"PATCH": NOT_FOUND},
    "api/v1/schedules": {"GET": OK, "POST": case(SCHEDULE)},
    "api/v1/schedules/<schedule_id>": {
        "GET": NOT_FOUND,
        "PATCH": case({"title": "Later"}, 404),
        "DELETE": NOT_FOUND,
    },
    **{f"api/v1/schedules/<schedule_id>/{verb}": {"POST": NOT_FOUND} for verb in ("pause", "resume", "run")},
}
# What these doors do is identity's own tests' matter; here only who gets in.
AUTH = re.compile(r"api/v1/(auth/|keys)")


def walk(patterns: list[Any], prefix: str = "") -> list[tuple[str, type[Door]]]:
    found: list[tuple[str, type[Door]]] = []
    for pattern in patterns:
        where = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            found += walk(pattern.url_patterns, where)
        elif isinstance(pattern, URLPattern):
            found.append((re.sub(r"<\w+:(\w+)>", r"<\1>", where), pattern.callback.cls))
    return found


def routes() -> list[tuple[str, type[Door]]]:
    from apps.api.urls import urlpatterns

    return [(route, door) for route, door in walk(urlpatterns) if door is not MissingDoor]


def every() -> list[Any]:
    rows = []
    for route, door in routes():
        methods = [method for method in door.methods() if method != "HEAD"]
        rows += [pytest.param(route, door, method, id=f"{method} {route}") for method in methods]
    return rows


def address(route: str, arguments: dict[str, str]) -> str:
    values = ARGUMENTS | arguments
    return "/" + re.sub(r"<(\w+)>", lambda match: values[match[1]], route)


def test_every_route_has_a_case():
    missing = [
        (route, method)
        for route, door in routes()
        if not AUTH.match(route)
        for method in door.methods()
        if method != "HEAD" and method not in CASES.get(route, {})
    ]
    assert missing == []


def test_every_case_has_a_route():
    known = {(route, method) for route, door in routes() for method in door.methods()}
    assert [
        (route, method)
        for route, methods in CASES.items()
        for method in methods
        if (route, method) not in known
    ] == []


def test_a_route_without_a_case_would_be_noticed(monkeypatch):
    monkeypatch.delitem(CASES, "api/v1/jobs")
    with pytest.raises(AssertionError):
        test_every_route_has_a_case()


def test_every_route_goes_through_the_door():
    assert all(issubclass(door, Door) for _, door in routes())


def test_every_handler_is_described():
    bare = [
        (route, verb)
        for route, door in routes()
        for verb in VERBS
        if hasattr(door, verb)
        and not getattr(door, "undocumented", False)
        and not hasattr(getattr(door, verb), "operation")
    ]
    assert bare == []


def of(route: str, method: str) -> Case:
    return CASES.get(route, {}).get(method, case({}))


def ask(who: Any, route: str, method: str) -> Any:
    found = of(route, method)
    query = {"QUERY_STRING": found.query} if found.query else {}
    return who.send(method, address(route, found.arguments), found.body, **query)


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(("route", "door", "method"), every())
def test_nobody_and_strangers_stay_outside(route, door, method, nobody, stranger, keys):
    if not door.identifies:
        assert ask(nobody, route, method).status_code in ({404} if route in CLOSED else ANSWERED | {503})
        return
    anonymous = ask(nobody, route, method)
    if door.public:
        assert anonymous.status_code != 500
    else:
        assert (anonymous.status_code, anonymous.json()["code"]) == (401, "UNAUTHENTICATED")
    foreign = ask(stranger, route, method)
    expected = HOSTLESS.get(route, MISMATCH)
    assert (foreign.status_code, foreign.json()["code"]) == (403, expected)
    named = ask(caller(None, keys["owner@globex"], HTTP_X_TENANT="acme"), route, method)
    assert (named.status_code, named.json()["code"]) == (403, MISMATCH)


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(
    ("route", "door", "method"), [row for row in every() if not AUTH.match(row.values[0])]
)
def test_a_member_gets_in(route, door, method, owner):
    answer = ask(owner, route, method)
    assert answer.status_code in ANSWERED | of(route, method).refused, (
        answer.status_code,
        getattr(answer, "content", b""),
    )
    if hasattr(answer, "streaming_content"):
        b"".join(answer.streaming_content)
    assert answer["X-Request-Id"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cache-Control"]


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(("route", "door", "method"), every())
def test_a_foreign_record_is_an_absent_record(route, door, method, owner, keys, acme, globex):
    if "<record_id>" not in route:
        return
    theirs = (
        caller("globex", keys["owner@globex"]).post("/api/v1/data/api_lead", {"name": "CANARY"}).json()["id"]
    )
    found = of(route, method)
    path = address(route, found.arguments)
    foreign = owner.send(method, path.replace(ABSENT, theirs), found.body)
    absent = owner.send(method, path, found.body)
    assert foreign.status_code == absent.status_code == 404
    assert (
        foreign.content.replace(theirs.encode(), b"").split(b"requestId")[0]
        == absent.content.replace(ABSENT.encode(), b"").split(b"requestId")[0]
    )
    assert b"CANARY" not in foreign.content


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(("route", "door", "method"), every())
def test_other_methods_are_refused_by_name(route, door, method, owner):
    others = {"GET", "POST", "PUT", "PATCH", "DELETE"} - set(door.methods())
    for other in sorted(others):
        answer = owner.send(other, address(route, of(route, method).arguments))
        assert (answer.status_code, answer.json()["code"]) == (405, "METHOD_NOT_ALLOWED")
        assert answer.json()["details"]["allowed"] == door.methods()


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/v2", "/api/v1/nope", "/api/v1/keys/%0A", "/api/v1/data/a/b/c/d%0D%0A"]
)
def test_what_no_door_serves_is_refused_as_json(owner, nobody, path):
    for who in (owner, nobody):
        answer = who.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "ENDPOINT_NOT_FOUND")
