"""Webhooks at the console: all tenants' for a superuser, one's own for others; stopped and started, no content."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from apps.core.scope import TenantRef, tenant_scope
from apps.events.models import WebhookEndpoint, WebhookSource
from apps.events.webhooks import deliveries, endpoints, sources
from tests.events.webhooks.conftest import wipe
from tests.people import People

LIST, IN = "/console/events/webhookendpoint/", "/console/events/webhooksource/"


@pytest.fixture(autouse=True)
def hooks(acme: TenantRef, globex: TenantRef, people: People) -> Iterator[dict[str, Any]]:
    """An endpoint and a source in each tenant."""
    wipe()
    made: dict[str, Any] = {}
    for ref in (acme, globex):
        by = people.actor("owner", ref.slug)
        with tenant_scope(ref):
            url = f"https://{ref.slug}.example.org/in?token=zqtoken"
            made[ref.slug], _ = endpoints.create(url=url, types=["*"], by=by)
            made[f"in {ref.slug}"], _ = sources.create(name=f"from-{ref.slug}", scheme="github", by=by)
            deliveries.test(endpoint_id=made[ref.slug].id, by=by)
    yield made
    wipe()


def text(answer: Any, status: int = 200) -> str:
    assert answer.status_code == status
    shown: str = answer.content.decode()
    assert "zqtoken" not in shown
    return shown


def test_a_superuser_sees_all_and_others_their_own(superuser: Client, scoped: Client, hooks: Any) -> None:
    for path, names in (
        (LIST, ("acme.example.org", "globex.example.org")),
        (IN, ("from-acme", "from-globex")),
    ):
        everything, own = text(superuser.get(path)), text(scoped.get(path))
        assert all(name in everything for name in names)
        assert names[0] in own
        assert names[1] not in own
    assert scoped.get(f"{LIST}{hooks['globex'].pk}/change/").status_code in (302, 404)
    assert scoped.post(f"{LIST}{hooks['globex'].pk}/do/pause/").status_code == 404


def test_a_page_shows_how_it_fares_and_no_content(superuser: Client, hooks: Any) -> None:
    page = text(superuser.get(f"{LIST}{hooks['acme'].pk}/change/"))
    assert "webhook.test" in page
    assert "Nothing has happened" not in page
    assert "GitHub" in text(superuser.get(f"{IN}{hooks['in acme'].pk}/change/"))
    for query in ("?health=failing", "?health=off", "?state__exact=active", "?q=nothing"):
        text(superuser.get(LIST + query))


@pytest.mark.parametrize(
    ("path", "key", "model"), [(LIST, "acme", WebhookEndpoint), (IN, "in acme", WebhookSource)]
)
def test_an_operator_stops_and_starts(
    scoped: Client, hooks: Any, acme: TenantRef, path: str, key: str, model: Any
) -> None:
    here = f"{path}{hooks[key].pk}"
    for deed, state in (("pause", "paused"), ("resume", "active")):
        assert "?" in text(scoped.get(f"{here}/do/{deed}/"))
        assert scoped.post(f"{here}/do/{deed}/").status_code == 302
        with tenant_scope(acme):
            assert model.objects.get(pk=hooks[key].pk).state == state
