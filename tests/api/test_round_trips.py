"""The hot paths cost the statements that docs/performance.md promises: identity, rights and definitions are cached."""

from typing import Any

import pytest

from tests.api.conftest import Caller
from tests.round_trips import statements

pytestmark = pytest.mark.usefixtures("api")
LEADS = "/api/v1/data/api_lead"


def cost(who: Caller, method: str, path: str, body: Any = None) -> int:
    """Return how many statements a call costs once the process knows the caller."""
    who.send(method, path, body)
    with statements() as seen:
        answer = who.send(method, path, body)
    assert answer.status_code < 300, answer.content
    return len(seen)


@pytest.fixture
def lead(owner: Caller) -> str:
    return f"{LEADS}/{owner.post(LEADS, {'name': 'Counted'}).json()['id']}"


@pytest.mark.parametrize(
    "query",
    [
        "?top=25",
        "?top=25&sort=-created_at&filter=%5B%22name%22%2C%22contains%22%2C%22o%22%5D",
        "?top=25&expand=account",
        "?search=cou",
    ],
)
def test_a_list_is_one_statement(sales: Caller, owner: Caller, lead: str, query: str) -> None:
    assert cost(owner, "GET", LEADS + query) == 1
    assert cost(sales, "GET", LEADS + query) == 1


def test_a_record_is_one_statement(owner: Caller, lead: str) -> None:
    assert cost(owner, "GET", lead) == 1


def test_groups_and_totals(owner: Caller, lead: str) -> None:
    grouped = {"groupBy": ["status"], "aggregations": [{"function": "count", "alias": "n"}]}
    assert cost(owner, "POST", f"{LEADS}/query", grouped) == 1
    assert cost(owner, "GET", f"{LEADS}?top=1&count=true") <= 2


def test_a_new_record_is_one_statement_and_a_change_reads_first(owner: Caller, lead: str) -> None:
    """With references, quota, ledger, history and event in it."""
    assert cost(owner, "POST", LEADS, {"name": "One"}) == 1
    with statements() as seen:
        answer = owner.send("PATCH", lead, {"name": "Other"})
    assert answer.status_code == 200
    assert len(seen) == 2


def test_a_second_statement_would_be_noticed(owner: Caller, lead: str) -> None:
    """The control: what a first call looks up is counted."""
    from apps.core import clock
    from apps.core.scope import platform_scope

    assert cost(owner, "GET", lead) == 1
    with platform_scope("test"):
        clock.bump(None)
    with statements() as seen:
        owner.get(lead)
    assert len(seen) > 1
