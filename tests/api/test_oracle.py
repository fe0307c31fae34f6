"""R22: a hidden field and a hidden record are told by no surface; each row is a question that could tell them.

Another surface adds its row here. The same question from whoever may know proves that the row would notice.
"""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest

LEADS = "/api/v1/data/api_lead"
CUBES = "/api/v1/analytics/query"
CANARY = "zqhidden"
pytestmark = pytest.mark.usefixtures("api")


@dataclass(frozen=True)
class Question:
    """A request; `{own}` and `{other}` stand for the ids of the seen and the unseen record."""

    method: str
    path: str
    body: Any = None
    query: dict[str, str] = field(default_factory=dict)


def q(method: str, path: str, body: Any = None, **query: str) -> Question:
    return Question(method, path, body, query)


def where(test: Any) -> dict[str, Any]:
    return {"where": {"secret": test}, "fields": ["id"]}


# Whoever may not read the field: absent from these answers …
SILENT = {
    "list": q("GET", LEADS),
    "select": q("GET", LEADS, select="id,name,secret"),
    "get": q("GET", f"{LEADS}/{{own}}"),
    "get, selected": q("GET", f"{LEADS}/{{own}}", select="secret"),
    "query": q("POST", f"{LEADS}/query", {"fields": ["id", "secret"]}),
    "search in the object": q("GET", LEADS, search=CANARY),
    "search everywhere": q("GET", "/api/v1/search", q="Seen"),
    "export as CSV": q("GET", f"{LEADS}/export", format="csv"),
    "export as JSON": q("GET", f"{LEADS}/export", format="json"),
    "history": q("GET", f"{LEADS}/{{own}}/history"),
    "versions": q("GET", f"{LEADS}/{{own}}/versions"),
    "compare": q("GET", f"{LEADS}/{{own}}/compare", **{"from": "1", "to": "2"}),
    "answer to a change": q("PATCH", f"{LEADS}/{{own}}", {"name": "Seen"}),
    "clone": q("POST", f"{LEADS}/{{own}}/clone", {"overrides": {"name": "Copy"}}),
    "metadata": q("GET", "/api/v1/meta/object/api_lead"),
    "rights": q("GET", "/api/v1/auth/me/permissions"),
    "explanation": q(
        "POST", "/api/v1/security/explain", {"object": "api_lead", "operation": "edit", "recordId": "{own}"}
    ),
}
# … and these are refused: their answers would tell the value, bit by bit.
REFUSED = {
    "filter": q("POST", f"{LEADS}/query", where(CANARY)),
    "filter by a beginning": q("POST", f"{LEADS}/query", where({"$startsWith": "z"})),
    "filter by order": q("POST", f"{LEADS}/query", where({"$gt": "a"})),
    "filter by presence": q("POST", f"{LEADS}/query", where({"$null": False})),
    "filter under not": q("POST", f"{LEADS}/query", {"where": {"$not": {"secret": CANARY}}}),
    "filter by another field": q(
        "POST", f"{LEADS}/query", {"where": {"name": {"$eq": {"$field": "secret"}}}}
    ),
    "filter in the address": q("GET", LEADS, secret=CANARY),
    "sort": q("GET", LEADS, sort="secret"),
    "group": q("POST", f"{LEADS}/query", {"groupBy": ["secret"]}),
    "aggregate": q(
        "POST", f"{LEADS}/query", {"aggregations": [{"function": "max", "field": "secret", "alias": "m"}]}
    ),
    "aggregate's filter": q(
        "POST",
        f"{LEADS}/query",
        {"aggregations": [{"function": "count", "alias": "n", "filter": {"secret": CANARY}}]},
    ),
    "search in the field": q("POST", f"{LEADS}/query", {"search": CANARY, "searchFields": ["secret"]}),
    "export, filtered": q("GET", f"{LEADS}/export", filter=f'["secret","=","{CANARY}"]'),
    "export, sorted": q("GET", f"{LEADS}/export", orderby='{"secret":"asc"}'),
    "analytics' measure": q("POST", CUBES, {"cube": "api_lead", "measures": ["max_secret"]}),
    "analytics' dimension": q(
        "POST", CUBES, {"cube": "api_lead", "measures": ["count"], "dimensions": ["api_lead.secret"]}
    ),
    "analytics' filter": q(
        "POST", CUBES, {"cube": "api_lead", "measures": ["count"], "where": {"api_lead.secret": CANARY}}
    ),
    "write": q("PATCH", f"{LEADS}/{{own}}", {"secret": CANARY}),
    "write of the same value": q("POST", LEADS, {"name": "x", "secret": CANARY}),
}
# Of a record that may not be read, nothing: as if it did not exist.
UNSEEN = {
    "get": q("GET", f"{LEADS}/{{other}}"),
    "change": q("PATCH", f"{LEADS}/{{other}}", {"name": "x"}),
    "delete": q("DELETE", f"{LEADS}/{{other}}"),
    "clone": q("POST", f"{LEADS}/{{other}}/clone", {}),
    "history": q("GET", f"{LEADS}/{{other}}/history"),
    "versions": q("GET", f"{LEADS}/{{other}}/versions"),
    "shares": q("GET", f"{LEADS}/{{other}}/shares"),
    "share": q("POST", f"{LEADS}/{{other}}/shares", {"recipientType": "everyone"}),
    "explanation": q(
        "POST", "/api/v1/security/explain", {"object": "api_lead", "operation": "read", "recordId": "{other}"}
    ),
}


@pytest.fixture
def ids(owner, sales):
    """A lead of the seller's own, whose secret somebody else wrote, and one they may not see."""
    own = sales.post(LEADS, {"name": "Seen"}).json()["id"]
    assert owner.send("PATCH", f"{LEADS}/{own}", {"secret": CANARY}).status_code == 200
    other = owner.post(LEADS, {"name": "Unseen", "secret": CANARY}).json()["id"]
    yield {"own": own, "other": other}
    for made in (own, other):
        owner.send("DELETE", f"{LEADS}/{made}")


def ask(who, question, ids):
    def filled(value):
        if isinstance(value, str):
            return value.replace("{own}", ids["own"]).replace("{other}", ids["other"])
        return {key: filled(item) for key, item in value.items()} if isinstance(value, dict) else value

    extra = {"QUERY_STRING": urlencode(question.query)} if question.query else {}
    answer = who.send(question.method, filled(question.path), filled(question.body), **extra)
    stream = getattr(answer, "streaming_content", None)
    return answer.status_code, b"".join(stream) if stream is not None else answer.content


@pytest.mark.parametrize("name", SILENT)
def test_a_hidden_field_is_absent(sales, ids, name):
    status, body = ask(sales, SILENT[name], ids)
    assert status < 500
    assert CANARY.encode() not in body.replace(f'"query":"{CANARY}"'.encode(), b"")
    if name in ("metadata", "list", "query", "get"):
        assert b'"secret"' not in body


@pytest.mark.parametrize("name", REFUSED)
def test_a_question_that_would_tell_it_is_refused(sales, ids, name):
    status, body = ask(sales, REFUSED[name], ids)
    assert status == 403, body
    assert ids["own"].encode() not in body.replace(
        ids["own"].encode() if "{own}" in REFUSED[name].path else b"\0", b""
    )


@pytest.mark.parametrize("name", UNSEEN)
def test_a_hidden_record_does_not_exist(sales, ids, name):
    status, body = ask(sales, UNSEEN[name], ids)
    absent = ask(sales, UNSEEN[name], {**ids, "other": "01a1f900-0000-7000-8000-000000000000"})
    assert status in (403, 404)
    assert status == absent[0]
    assert b"Unseen" not in body
    assert CANARY.encode() not in body


@pytest.mark.parametrize(
    "question",
    [
        q("GET", LEADS, search="Unseen"),
        q("POST", f"{LEADS}/query", {"where": {"name": "Unseen"}, "count": True}),
        q(
            "POST",
            f"{LEADS}/query",
            {"groupBy": ["name"], "aggregations": [{"function": "count", "alias": "n"}]},
        ),
        q("POST", CUBES, {"cube": "api_lead", "measures": ["count"], "dimensions": ["name"]}),
        q("GET", "/api/v1/search", q="Unseen"),
        q("GET", f"{LEADS}/export", format="csv"),
    ],
)
def test_no_count_group_search_or_export_knows_of_it(owner, sales, ids, question):
    _status, mine = ask(sales, question, ids)
    assert mine.count(b"Unseen") <= mine.count(b'"query":"Unseen"')
    assert ids["other"].encode() not in mine
    _status, theirs = ask(owner, question, ids)  # negative control: the question would have told
    assert theirs.count(b"Unseen") > theirs.count(b'"query":"Unseen"') or ids["other"].encode() in theirs


def test_the_same_questions_tell_those_who_may_know(owner, ids):
    """Negative control: without the rights' limits each of these answers would hold the value."""
    told = [name for name, question in SILENT.items() if CANARY.encode() in ask(owner, question, ids)[1]]
    assert {"list", "get", "query", "export as CSV", "export as JSON", "history", "versions"} <= set(told)
    open_to_them = [name for name, question in REFUSED.items() if ask(owner, question, ids)[0] < 400]
    assert len(open_to_them) >= len(REFUSED) - 5, sorted(set(REFUSED) - set(open_to_them))
