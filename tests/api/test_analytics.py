"""Analytics: the answers are those of plain SQL, in the tenant's days, of what the caller may see."""

import datetime as dt
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from apps.api.ranges import PRESETS, range_filter, window
from apps.core.errors import Invalid
from apps.core.scope import TenantRef, tenant_scope
from tests.api.conftest import Caller

pytestmark = pytest.mark.usefixtures("api")
URL = "/api/v1/analytics"
LEADS = "/api/v1/data/api_lead"


@pytest.fixture
def tag(owner: Caller) -> str:
    """Three leads of the owner around midnight in Berlin."""
    tag = uuid4().hex[:8]
    rows = [
        {
            "name": f"{tag} a",
            "company": tag,
            "amount": 10.10,
            "score": 1,
            "next_call": "2026-01-31T22:59:00Z",
        },
        {
            "name": f"{tag} b",
            "company": tag,
            "amount": 20.20,
            "score": 2,
            "next_call": "2026-01-31T23:01:00Z",
        },
        {
            "name": f"{tag} c",
            "company": tag,
            "status": "lost",
            "score": 3,
            "next_call": "2026-07-01T12:00:00Z",
        },
    ]
    assert owner.post(f"{LEADS}/createMany", rows).status_code == 201
    return tag


def ask(who: Caller, tag: str, **body: Any) -> Any:
    return who.post(f"{URL}/query", {"cube": "api_lead", "where": {"company": tag}} | body)


def test_the_numbers_are_those_of_sql(owner: Caller, tag: str, acme: TenantRef) -> None:
    names = ["api_lead.count", "api_lead.sum_amount", "avg_score", "count_distinct_status"]
    data = ask(owner, tag, measures=names, dimensions=["api_lead.status"], order={"count": "desc"}).json()[
        "data"
    ]
    assert [row["api_lead.status"] for row in data["rows"]] == ["new", "lost"]
    with tenant_scope(acme), connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), sum(amount), avg(score), count(DISTINCT status) FROM obj_api_lead"
            " WHERE company = %s AND status = 'new'",
            [tag],
        )
        expected = cursor.fetchone()
    assert [data["rows"][0][name] for name in names] == [float(value) for value in expected]
    assert data["fields"][0] == {"name": "api_lead.status", "type": "string"}
    assert "obj_api_lead" in data["sql"]


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        (None, {"2026-01": 1, "2026-02": 1, "2026-07": 1}),  # the tenant's: Berlin
        ("UTC", {"2026-01": 2, "2026-07": 1}),
        ("Asia/Tokyo", {"2026-02": 2, "2026-07": 1}),
    ],
)
def test_months_begin_in_the_zone(
    owner: Caller, tag: str, zone: str | None, expected: dict[str, int]
) -> None:
    time = [{"dimension": "next_call", "granularity": "month"}]
    more = {"timezone": zone} if zone else {}
    rows = ask(owner, tag, measures=["count"], timeDimensions=time, **more).json()["data"]["rows"]
    assert {row["next_call"]: row["count"] for row in rows} == expected


def test_a_querys_buckets_and_days_are_the_tenants(owner: Caller, tag: str) -> None:
    group = {"field": "next_call", "dateGranularity": "day", "alias": "day"}
    count = [{"function": "count", "alias": "n"}]
    body = {"where": {"company": tag}, "groupBy": [group], "aggregations": count}
    rows = owner.post(f"{LEADS}/query", body).json()["records"]
    assert [row["day"] for row in rows] == ["2026-01-31", "2026-02-01", "2026-07-01"]
    found = owner.get(f"{LEADS}?company={tag}&filter=" + '{"next_call":{"$lte":"2026-01-31"}}').json()[
        "records"
    ]
    assert [row["name"] for row in found] == [f"{tag} a"]


def test_a_window_by_name_or_by_days(owner: Caller, tag: str) -> None:
    def count(wanted: Any) -> int:
        time = [{"dimension": "api_lead.next_call", "dateRange": wanted}]
        return int(
            ask(owner, tag, measures=["count"], timeDimensions=time).json()["data"]["rows"][0]["count"]
        )

    assert count(["2026-02-01", "2026-07-01"]) == 2
    assert count(["2026-01-01", "2026-01-31"]) == 1
    assert (
        ask(
            owner, tag, measures=["count"], timeDimensions=[{"dimension": "next_call", "dateRange": "soon"}]
        ).json()["code"]
        == "ANALYTICS_DATE_RANGE_UNRECOGNIZED"
    )


def test_every_window_by_name() -> None:
    today = dt.date(2026, 3, 4)  # a Wednesday
    told = {preset: "/".join(day.isoformat()[2:] for day in window(preset, today)) for preset in PRESETS}
    assert told == {
        "today": "26-03-04/26-03-04",
        "yesterday": "26-03-03/26-03-03",
        "this_week": "26-03-02/26-03-08",
        "last_week": "26-02-23/26-03-01",
        "this_month": "26-03-01/26-03-31",
        "last_month": "26-02-01/26-02-28",
        "this_quarter": "26-01-01/26-03-31",
        "last_quarter": "25-10-01/25-12-31",
        "this_year": "26-01-01/26-12-31",
        "last_year": "25-01-01/25-12-31",
        "last_7_days": "26-02-26/26-03-04",
        "last_30_days": "26-02-03/26-03-04",
        "last_90_days": "25-12-05/26-03-04",
    }
    with pytest.raises(Invalid):
        range_filter("x", ["2026-01-01"], dt.UTC)


def test_rows_and_fields_that_one_may_not_see_count_nowhere(owner: Caller, sales: Caller, tag: str) -> None:
    assert ask(owner, tag, measures=["count"]).json()["data"]["rows"] == [{"count": 3}]  # the control
    answer = ask(sales, tag, measures=["count"]).json()["data"]
    assert answer["rows"] == [{"count": 0}]
    assert "sql" not in answer
    for body in (
        {"measures": ["count_distinct_secret"]},
        {"measures": ["max_secret"]},
        {"measures": ["count"], "dimensions": ["secret"]},
        {"measures": ["count"], "where": {"secret": "x"}},
        {"measures": ["count"], "where": {"$or": [{"api_lead.secret": "x"}]}},
    ):
        refused = sales.post(f"{URL}/query", {"cube": "api_lead"} | body)
        assert (refused.status_code, refused.json()["code"]) == (403, "PERMISSION_DENIED"), body
    assert "secret" not in str(sales.get(f"{URL}/meta").json())
    assert "api_lead.count_distinct_secret" in str(
        owner.get(f"{URL}/meta?cube=api_lead").json()
    )  # the control
    assert sales.post(f"{URL}/sql", {"cube": "api_lead", "measures": ["count"]}).status_code == 403


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "VALIDATION_FAILED"),
        ({"cube": "nope", "measures": ["count"]}, 404, "OBJECT_NOT_FOUND"),
        ({"cube": "api_lead", "measures": []}, 400, "VALIDATION_FAILED"),
        ({"cube": "api_lead", "measures": ["count", "count"]}, 400, "VALIDATION_FAILED"),
        ({"cube": "api_lead", "measures": ["median_score"]}, 400, "INVALID_FIELD"),
        ({"cube": "api_lead", "measures": ["sum_nope"]}, 400, "INVALID_FIELD"),
        ({"cube": "api_lead", "measures": ["sum_name"]}, 400, "INVALID_QUERY"),
        ({"cube": "api_lead", "measures": ["count"], "dimensions": ["nope"]}, 400, "INVALID_FIELD"),
        ({"cube": "api_lead", "measures": ["count"], "order": {"score": "asc"}}, 400, "INVALID_SORT"),
        ({"cube": "api_lead", "measures": ["count"], "timezone": "Mars/Olympus"}, 400, "INVALID_QUERY"),
        ({"cube": "api_lead", "measures": ["count"], "timezone": "../etc/passwd"}, 400, "INVALID_QUERY"),
        (
            {
                "cube": "api_lead",
                "measures": ["count"],
                "timeDimensions": [{"dimension": "next_call", "granularity": "hour"}],
            },
            400,
            "INVALID_QUERY",
        ),
        ({"cube": "api_lead", "measures": ["count"], "segments": []}, 400, "VALIDATION_FAILED"),
        ({"cube": "api_lead", "measures": ["count"], "limit": "x"}, 400, "INVALID_QUERY"),
    ],
)
def test_what_cannot_be_asked_is_refused(owner: Caller, body: Any, status: int, code: str) -> None:
    answer = owner.post(f"{URL}/query", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content


def test_a_dataset_in_the_request(owner: Caller, tag: str) -> None:
    dataset = {
        "name": "d1",
        "object": "api_lead",
        "dimensions": [{"name": "state", "field": "status", "label": "S"}],
        "measures": [{"name": "total", "aggregate": "sum", "field": "amount", "label": "T"}],
        "filter": {"company": tag},
    }
    wanted = {"dataset": dataset, "selection": {"measures": ["total"], "dimensions": ["state"]}}
    answer = owner.post(f"{URL}/dataset/query", wanted).json()
    assert {row["state"]: row["total"] for row in answer["rows"]} == {"new": 30.3, "lost": None}
    assert (answer["object"], answer["dimensionFields"]) == ("api_lead", {"state": "status"})
    assert answer["drillRawRows"] == [{"state": row["state"]} for row in answer["rows"]]
    missing = owner.post(f"{URL}/dataset/query", {"datasetName": "x", "selection": {}})
    assert missing.status_code == 404
    unknown = owner.post(f"{URL}/dataset/query", wanted | {"selection": {"measures": ["nope"]}})
    assert unknown.json()["code"] == "INVALID_FIELD"
