"""Asking GraphQL in tests."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.conftest import Caller

PATH = "/api/v1/graphql"
Ask = Callable[..., dict[str, Any]]


def post(who: Caller, text: str, variables: dict[str, Any] | None = None, **headers: str) -> Any:
    """Return the answer of one request."""
    return who.post(PATH, {"query": text, "variables": variables or {}}, **headers)


def data(who: Caller, text: str, variables: dict[str, Any] | None = None) -> Any:
    """Return the data of a request that nothing was wrong with."""
    body = post(who, text, variables).json()
    assert "errors" not in body, body
    return body["data"]


def errors(who: Caller, text: str, variables: dict[str, Any] | None = None) -> list[Any]:
    """Return the errors of a request that something was wrong with."""
    found: list[Any] = post(who, text, variables).json()["errors"]
    return found


def code(who: Caller, text: str, variables: dict[str, Any] | None = None) -> str:
    """Return the code of the first error."""
    found: str = errors(who, text, variables)[0]["extensions"]["code"]
    return found


@pytest.fixture
def account(owner: Caller, api: Any) -> dict[str, Any]:
    """An account with five leads of the owner, scores 0 to 4, and two of sales."""
    import uuid

    name = f"Account {uuid.uuid4().hex[:8]}"
    made: dict[str, Any] = owner.post("/api/v1/data/api_account", {"name": name, "industry": "tech"}).json()[
        "record"
    ]
    for score in range(5):
        lead = {"name": f"Lead {score}", "account": made["id"], "score": score, "amount": 12345678.91}
        assert owner.post("/api/v1/data/api_lead", lead).status_code == 201
    return made
