"""Every page of the console: it answers, keeps to the policy for scripts, and says something when it is empty."""

import re
from itertools import pairwise
from typing import Any

import pytest
from django.test import Client

from apps.audit.types import BadEntry, Verdict
from apps.console import tokens
from apps.console.dashboard import todo
from apps.console.dashboard.ranges import RANGES, chosen
from apps.console.pages import ledger as ledger_page
from apps.core import health
from apps.core.scope import platform_scope
from apps.events.models import Job, WebhookEndpoint, WebhookSource
from apps.identity.models import ApiKey, Invitation, Membership, Session, User
from apps.tenants.models import Host, Plan, Tenant
from tests.people import People

PAGES = (
    "",
    "?range=hour",
    "?range=month",
    "modules/",
    "ledger/",
    "ledger/?book=acme",
    "ledger/?action=tenant.*&since=2026-01-01",
    "ledger/?target=nothing:1",
    "health/",
    "health/?range=day",
    "health/?range=week",
    "integrity/",
    "integrity/?book=acme",
    "settings/",
    "settings/?q=no-such-setting",
    "password/",
    "tenants/new/",
    "tenants/import/",
    "plans/new/",
    "people/new/",
    "search/?s=acme&extended=1",
    "tenants/tenant/?q=nothing-is-called-this",
)
MODELS = (
    Tenant, Host, Plan, User, Membership, Invitation, Session, ApiKey, Job, WebhookEndpoint, WebhookSource,
)  # fmt: skip


def policy(answer: Any) -> dict[str, str]:
    """The content security policy by directive."""
    parts = [part.strip().partition(" ") for part in answer["Content-Security-Policy"].split(";")]
    return {name: value for name, _space, value in parts}


@pytest.mark.parametrize("path", PAGES)
def test_pages_answer(superuser: Client, path: str) -> None:
    answer = superuser.get(f"/console/{path}")
    assert answer.status_code == 200
    assert "unsafe-inline" not in answer["Content-Security-Policy"]
    assert policy(answer)["style-src"] == "'self'"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_lists_and_the_pages_of_their_rows_answer(superuser: Client, people: People, model: Any) -> None:
    base = f"/console/{model._meta.app_label}/{model._meta.model_name}/"
    answer = superuser.get(base)
    assert answer.status_code == 200
    with platform_scope("tests of the console"):
        row = model.objects.first()
    if row is not None and not (model is Session and row.user_id is None):
        assert superuser.get(f"{base}{row.pk}/change/").status_code == 200
        assert superuser.get(f"{base}{row.pk}/history/", follow=True).status_code == 200


def test_no_page_carries_inline_code(superuser: Client) -> None:
    """The policy forbids inline styles and scripts, so there must be none for a browser to complain about."""
    for path in ("", "tenants/tenant/", "ledger/", "health/", "tenants/new/"):
        text = superuser.get(f"/console/{path}").content.decode()
        assert not re.search(r"<style|\sstyle=\"|\sonclick=|\sonload=", text), path
        scripts = re.findall(r"<script(?![^>]*\bsrc=)([^>]*)>", text)
        assert all("application/json" in attributes for attributes in scripts), path


def test_control_the_theme_alone_would_carry_inline_code() -> None:
    """Negative control: what the pattern above looks for is in the theme's own frame, which ours replaces."""
    from django.template.loader import get_template

    frame = get_template("unfold/layouts/skeleton.html").template.source
    assert re.search(r"<style", frame)


def test_the_dashboard_leads_to_the_lists_behind_its_numbers(superuser: Client) -> None:
    context = superuser.get("/console/").context
    urls = [number.url for number in context["numbers"]] + [chart.url for chart in context["charts"]]
    urls += [url for chart in context["charts"] for url in chart.urls[:1]]
    assert {chart.key for chart in context["charts"]} == {"tenants", "requests", "jobs", "entries", "lag"}
    for url in urls:
        assert superuser.get(url).status_code == 200, url


def test_ranges_cover_the_span_in_equal_steps() -> None:
    for span in RANGES:
        starts = span.starts()
        assert len(starts) == span.span // span.step
        assert {later - earlier for earlier, later in pairwise(starts)} == {span.step}
    assert chosen("no such range") == chosen("day")


def test_a_failing_check_is_on_the_dashboard_and_on_the_health_page(
    superuser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> health.Finding:
        return health.Finding("failed", "The moon is missing.")

    monkeypatch.setitem(health._checks, "moon", health.Check("moon", broken, critical=False))
    assert "The moon is missing." in superuser.get("/console/health/").content.decode()
    context = superuser.get("/console/").context
    assert "The moon is missing." in {str(task.note) for task in context["tasks"]}
    tile = next(number for number in context["numbers"] if number.icon == "monitor_heart")
    assert (tile.tone, "moon" in tile.note) == ("danger", True)


def test_a_ledger_at_rest_is_a_task(
    superuser: Client, monkeypatch: pytest.MonkeyPatch, people: People
) -> None:
    from apps.audit.queries import Lag

    stuck = Lag(waiting=3, seconds=90.0, broken=((people.tenants["acme"].id, "LedgerBroken: a gap"),))
    monkeypatch.setattr(todo.ledger, "lag", lambda: stuck)
    texts = {str(task.text): task for task in superuser.get("/console/").context["tasks"]}
    assert texts["The ledger of acme stands still"].note == "LedgerBroken: a gap"


def test_verifying_says_what_holds_and_is_itself_an_entry(
    superuser: Client, entries: Any, people: People
) -> None:
    entries()
    answer = superuser.post("/console/ledger/", {"book": "acme"})
    assert "holds" in answer.content.decode()
    assert answer.context["verdict"].ok
    newest = entries(people.tenants["acme"], action="ledger.verified")[0]
    assert newest.details["ok"] is True


def test_verifying_names_the_first_bad_entry(superuser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = BadEntry(7, "altered body", "The content of entry 7 is not what was hashed.")
    found = Verdict("acme", None, 6, "ab" * 32, 0, 0.01, bad)
    monkeypatch.setattr(ledger_page.verifying, "verify", lambda _tenant, **_by: found)
    text = superuser.post("/console/ledger/", {"book": "acme"}).content.decode()
    assert "does not hold from entry 7 on" in text
    assert "The content of entry 7" in text


def test_the_ledger_pages_by_cursor(superuser: Client, entries: Any) -> None:
    for _number in range(2):
        superuser.post("/console/ledger/", {"book": "platform"})
    first = superuser.get("/console/ledger/?action=ledger.verified")
    ids = [item["entry"].id for item in first.context["entries"]]
    assert len(ids) >= 2
    assert ids == sorted(ids, reverse=True)
    rest = superuser.get(f"/console/ledger/?action=ledger.verified&cursor={ids[0]}")
    assert [item["entry"].id for item in rest.context["entries"]] == ids[1:]
    refused = superuser.get("/console/ledger/?cursor=nonsense")
    assert refused.status_code == 400
    assert "INVALID_CURSOR" in refused.content.decode()


def test_secrets_are_not_on_the_settings_page(superuser: Client) -> None:
    from django.conf import settings

    text = superuser.get("/console/settings/").content.decode()
    assert "DATABASE_URL" in text
    for secret in (settings.SECRET_KEY, settings.ENV["DATABASE_URL"], settings.ENV["DATABASE_OWNER_URL"]):
        assert not secret or secret not in text


def test_colours_come_from_the_design_tokens(superuser: Client, tmp_path: Any) -> None:
    served = superuser.get("/console/theme.css").content.decode()
    light, dark = tokens.read()
    assert f"--color-primary-600:{light['brand']}" in served
    assert f"--color-base-900:{dark['surface']}" in served
    other = tmp_path / "tokens.css"
    other.write_text(tokens.TOKENS.read_text().replace(light["brand"], "#123456"))
    assert tokens.scales(other)["primary"]["600"] == "#123456"


def test_an_empty_list_says_what_is_empty_and_a_search_without_a_hit_leads_back(superuser: Client) -> None:
    text = superuser.get("/console/tenants/tenant/?q=nobody-is-called-that").content.decode()
    assert "Nothing matches" in text and "Show all" in text
    assert "yielded" not in text


def test_a_host_is_written_as_it_is_typed(superuser: Client, people: People) -> None:
    with platform_scope("test of a page"):
        host = Host.objects.filter(tenant=people.tenants["acme"].id).first()
    text = superuser.get(f"/console/tenants/host/{host.pk}/change/").content.decode()
    assert f"<h1>{host.domain}</h1>" in text


def test_the_ledger_names_tenants_and_people(superuser: Client, people: People) -> None:
    acme = people.tenants["acme"]
    text = superuser.get(f"/console/ledger/?target=tenant:{acme.id}").content.decode()
    assert f'/console/tenants/tenant/{acme.id}/change/">Acme</a>' in text
    text = superuser.get("/console/ledger/?action=session.started").content.decode()
    assert re.search(r'/console/identity/user/[0-9a-f-]+/change/">Olga Operator</a>', text)
