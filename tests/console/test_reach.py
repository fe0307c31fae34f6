"""An operator without superuser rights: only granted tenants exist. Each refusal has its control with a superuser."""

import re
from typing import Any

import pytest
from django.test import Client

from apps.core.actor import SYSTEM
from apps.core.scope import platform_scope
from apps.identity.models import Membership, User
from apps.identity.services import operators
from apps.tenants.models import Host, Tenant
from tests.console.conftest import change_page, deed_page
from tests.people import People

LISTS = (
    "tenants/tenant",
    "tenants/host",
    "identity/membership",
    "identity/invitation",
    "identity/session",
    "identity/apikey",
    "events/job",
)
SUPERUSER_ONLY = ("settings/", "tenants/new/", "tenants/import/", "plans/new/", "people/new/")
DEEDS = (
    "suspend",
    "archive",
    "export",
    "settings",
    "plan",
    "add-host",
    "install",
    "package",
    "delete",
    "uninstall",
)


def rows_of(people: People, tenant: str) -> dict[str, Any]:
    """One row of a tenant for each register that shows tenants' rows."""
    with platform_scope("tests of the console"):
        ref = people.tenants[tenant]
        return {
            "tenants/tenant": ref.id,
            "tenants/host": Host.objects.filter(tenant_id=ref.id).first().pk,
            "identity/membership": Membership.objects.filter(tenant_id=ref.id).first().pk,
        }


@pytest.mark.parametrize("path", LISTS)
def test_lists_hold_no_word_of_other_tenants(scoped: Client, superuser: Client, path: str) -> None:
    seen = scoped.get(f"/console/{path}/")
    assert seen.status_code == 200
    assert "globex" not in seen.content.decode().lower()


def test_control_the_superuser_sees_both(superuser: Client) -> None:
    """Negative control: the same words are there for a superuser, so the search above looks for the right thing."""
    for path in ("tenants/tenant", "tenants/host", "identity/membership"):
        text = superuser.get(f"/console/{path}/").content.decode().lower()
        assert "globex" in text
        assert "acme" in text


def test_searching_and_filtering_lead_to_nothing_else(scoped: Client) -> None:
    for query in ("q=globex", "tenant=globex", "state__exact=active", "plan__code__exact=standard", "o=1"):
        for path in ("tenants/tenant", "tenants/host", "identity/membership"):
            answer = scoped.get(f"/console/{path}/?{query}", follow=True)
            body = answer.content.decode().lower().replace(f'value="{query.partition("=")[2]}"', "")
            assert "globex.localhost" not in body
            assert "@globex.test" not in body


def without_ids(page: bytes) -> str:
    """A page without what differs between any two requests: ids and tokens."""
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|value=\"\w{64}\"", "", page.decode())


def test_pages_of_other_tenants_do_not_exist(scoped: Client, superuser: Client, people: People) -> None:
    absent = "00000000-0000-7000-8000-000000000001"
    for model, pk in rows_of(people, "globex").items():
        foreign, nowhere = scoped.get(change_page(model, pk)), scoped.get(change_page(model, absent))
        assert (foreign.status_code, nowhere.status_code) == (404, 404)
        assert without_ids(foreign.content) == without_ids(nowhere.content)
        assert superuser.get(change_page(model, pk)).status_code == 200, "control"
    for model, pk in rows_of(people, "acme").items():
        assert scoped.get(change_page(model, pk)).status_code == 200


@pytest.mark.parametrize("deed", DEEDS)
def test_deeds_on_other_tenants_do_not_exist(scoped: Client, people: People, deed: str) -> None:
    globex = people.tenants["globex"].id
    for method in ("get", "post"):
        answer = getattr(scoped, method)(deed_page("tenants/tenant", globex, deed), {"reason": "x"})
        assert answer.status_code == 404
    with platform_scope("tests of the console"):
        assert Tenant.objects.get(pk=globex).state == "active"


def test_deeds_on_other_tenants_rows_do_not_exist(scoped: Client, people: People) -> None:
    rows = rows_of(people, "globex")
    for model, deed in (
        ("tenants/host", "remove"),
        ("identity/membership", "remove"),
        ("identity/membership", "suspend"),
    ):
        assert scoped.post(deed_page(model, rows[model], deed)).status_code == 404


@pytest.mark.parametrize("path", SUPERUSER_ONLY)
def test_pages_about_the_platform_are_refused(scoped: Client, superuser: Client, path: str) -> None:
    assert scoped.get(f"/console/{path}").status_code == 403
    assert scoped.post(f"/console/{path}", {"name": "x"}).status_code == 403
    assert superuser.get(f"/console/{path}").status_code == 200, "control"


def test_people_are_a_superusers(scoped: Client, superuser: Client, people: People) -> None:
    someone = people.users["owner@acme"].pk
    assert b"acme.test" not in scoped.get("/console/identity/user/").content
    assert scoped.get(change_page("identity/user", someone)).status_code == 404
    assert (
        scoped.post(deed_page("identity/user", someone, "close"), {"typed": "Owner Acme"}).status_code == 404
    )
    assert superuser.get(change_page("identity/user", someone)).status_code == 200, "control"


def test_plans_can_be_read_and_not_changed(scoped: Client, superuser: Client) -> None:
    assert scoped.get("/console/tenants/plan/").status_code == 200
    assert scoped.get(deed_page("tenants/plan", "standard", "edit")).status_code == 404
    assert superuser.get(deed_page("tenants/plan", "standard", "edit")).status_code == 200, "control"


def test_the_ledger_opens_for_granted_tenants_only(scoped: Client, superuser: Client) -> None:
    assert scoped.get("/console/ledger/?book=acme").status_code == 200
    assert scoped.get("/console/ledger/?book=globex").status_code == 404
    assert scoped.post("/console/ledger/", {"book": "globex"}).status_code == 404
    assert scoped.get("/console/ledger/?book=platform").status_code == 403
    assert b"globex" not in scoped.get("/console/ledger/").content
    for book in ("globex", "platform"):
        assert superuser.get(f"/console/ledger/?book={book}").status_code == 200, "control"


def test_the_palette_finds_granted_tenants_only(scoped: Client, superuser: Client) -> None:
    assert b"globex" not in scoped.get("/console/search/?s=glob&extended=1").content
    assert b"Acme" in scoped.get("/console/search/?s=acm&extended=1").content
    assert b"globex" in superuser.get("/console/search/?s=glob&extended=1").content, "control"


def test_the_dashboard_counts_granted_tenants_only(scoped: Client, superuser: Client) -> None:
    tiles = {str(number.label): number for number in scoped.get("/console/").context["numbers"]}
    assert tiles["Active tenants"].value == 1
    assert "Ledger lag" not in tiles
    everything = {str(number.label): number for number in superuser.get("/console/").context["numbers"]}
    assert everything["Active tenants"].value >= 2


def test_a_withdrawn_tenant_is_gone_with_the_next_page(
    scoped: Client, scoped_operator: User, people: People
) -> None:
    globex = people.tenants["globex"].id
    page = change_page("tenants/tenant", globex)
    assert scoped.get(page).status_code == 404
    with platform_scope("tests of the console"):
        operators.grant_tenant(user_id=scoped_operator.pk, tenant_id=globex, by=SYSTEM)
    assert scoped.get(page).status_code == 200
    with platform_scope("tests of the console"):
        operators.withdraw_tenant(user_id=scoped_operator.pk, tenant_id=globex, by=SYSTEM)
    assert scoped.get(page).status_code == 404
