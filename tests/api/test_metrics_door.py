"""/metrics answers whoever has the token, and nobody else learns that it exists."""

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from apps.core.scope import TenantRef


@pytest.mark.parametrize(
    ("token", "header", "status"),
    [
        ("", "Bearer ", 404),
        ("secret-token", "", 404),
        ("secret-token", "Bearer wrong", 404),
        ("secret-token", "Bearer secret-token", 200),
    ],
)
def test_the_token_opens_it(acme: TenantRef, settings: object, token: str, header: str, status: int) -> None:
    settings.METRICS_TOKEN = token  # type: ignore[attr-defined]
    answer = Client().get("/metrics", HTTP_HOST="localhost", HTTP_AUTHORIZATION=header)
    assert answer.status_code == status
    if status == 200:
        names = {family.name for family in text_string_to_metric_families(answer.content.decode())}
        assert "aibos_check_status" in names
