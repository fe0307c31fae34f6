"""The pages through HTTP: who sees what, what is refused, what is said."""

import re

import pytest
from django.test import Client

from tests.portal.atelier import Atelier

PAGES = [
    "/", "/o/crm_lead", "/o/crm_account", "/o/crm_contact", "/o/crm_opportunity", "/o/crm_lead/new", "/o/crm_lead/trash",
    "/search?q=a", "/palette?q=an", "/settings/members", "/settings/permissions", "/settings/permissions/crm_sales",
    "/settings/permissions/new", "/settings/objects", "/settings/objects/new", "/settings/objects/crm_lead",
    "/settings/objects/crm_lead/settings", "/settings/objects/crm_lead/new-field",
    "/settings/objects/crm_lead/new-field/select", "/settings/objects/crm_lead/fields/status",
    "/settings/objects/crm_lead/history", "/settings/keys", "/settings/brand", "/settings/plan", "/settings/modules", "/settings/ledger",
    "/settings/ledger/integrity", "/settings/status",
    "/settings/jobs", "/profile", "/profile/password", "/profile/sessions",
]  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_an_administrator_opens_every_page(atelier: Atelier, path: str) -> None:
    answer = atelier.client("admin").get(path)
    assert answer.status_code == 200
    text = answer.content.decode()
    assert "style=" not in text and not re.search(r"\son[a-z]+=", text), (
        "the policy forbids inline styles and handlers"
    )
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("path", PAGES)
def test_a_visitor_is_sent_to_the_sign_in_page_and_back(atelier: Atelier, path: str) -> None:
    answer = atelier.client(None).get(path)
    assert answer.status_code == 302 and answer["Location"].startswith("/sign-in")


def test_the_policy_has_no_unsafe_source(atelier: Atelier) -> None:
    policy = atelier.client("admin").get("/")["Content-Security-Policy"]
    assert "unsafe" not in policy and "script-src 'self'" in policy


def test_a_wrong_password_says_the_same_as_an_unknown_address(atelier: Atelier) -> None:
    texts = []
    for email in (atelier.email("sales"), "unknown@atelier.test"):
        answer = atelier.client(None).post("/sign-in", {"email": email, "password": "wrong password"})
        assert answer.status_code == 401
        texts.append(re.sub(r'value="[^"]*"', "", answer.content.decode()))
    alert = [re.search(r'role="alert".*?</div>', text, re.DOTALL).group() for text in texts]
    assert alert[0] == alert[1]


def test_the_way_back_stays_on_the_host(atelier: Atelier) -> None:
    form = {"email": atelier.email("sales"), "password": "correct horse battery", "next": "//evil.test/"}
    assert atelier.client(None).post("/sign-in", form)["Location"] == "/"
    assert atelier.client(None).post("/sign-in", form | {"next": "/o/crm_lead"})["Location"] == "/o/crm_lead"


def test_navigation_shows_what_may_be_read(atelier: Atelier) -> None:
    assert "/o/crm_lead" in atelier.client("reader").get("/").content.decode()
    empty = atelier.client("nobody").get("/").content.decode()
    assert "/o/crm_lead" not in empty and "No app is open to you yet" in empty


def test_no_permission_names_who_can_grant_it(atelier: Atelier) -> None:
    answer = atelier.client("reader").get("/o/crm_lead/new")
    text = answer.content.decode()
    assert answer.status_code == 403
    assert "Adam Admin" in text and answer["X-Request-Id"] in text
    assert "Leads" in text and "crm_lead" not in re.search(r"ab-state.*?</div>", text, re.DOTALL).group()


def test_a_foreign_and_an_absent_record_look_the_same(atelier: Atelier) -> None:
    hidden = atelier.rows("crm_lead", {"where": {"owner_id": str(atelier.ids["manager"])}})[0]
    client = atelier.client("sales")
    there = client.get(f"/o/crm_lead/{hidden['id']}")
    absent = client.get("/o/crm_lead/01890000-0000-7000-8000-000000000000")
    odd = client.get("/o/crm_lead/not-an-id")
    assert there.status_code == absent.status_code == odd.status_code == 404
    assert hidden["name"] not in there.content.decode()
    assert hidden["name"] in atelier.client("owner").get(f"/o/crm_lead/{hidden['id']}").content.decode()


def test_unknown_addresses_and_objects_are_404_in_the_frame(atelier: Atelier) -> None:
    client = atelier.client("sales")
    for path in ("/nothing", "/o/crm_nothing", "/o/crm_lead/x/y/z", "/settings/nothing"):
        answer = client.get(path)
        assert answer.status_code == 404 and "ab-nav" in answer.content.decode()


def test_partial_requests_without_a_session_are_told_to_sign_in(atelier: Atelier) -> None:
    answer = atelier.client(None).get("/palette", headers={"hx-request": "true"})
    assert answer.status_code == 401


def test_forms_need_their_token(atelier: Atelier) -> None:
    signed_in = atelier.client("sales")
    strict = Client(enforce_csrf_checks=True, headers={"host": atelier.host})
    strict.cookies = signed_in.cookies
    answer = strict.post("/o/crm_lead/new", {"name": "Forged", "company": "Forged"})
    assert answer.status_code == 403 and "The form has expired" in answer.content.decode()
    assert atelier.rows("crm_lead", {"where": {"name": "Forged"}}) == []


def test_unknown_host_says_so(atelier: Atelier) -> None:
    answer = Client(headers={"host": "nowhere.localhost"}).get("/")
    assert answer.status_code == 404 and "Nobody is home" in answer.content.decode()
