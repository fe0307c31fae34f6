"""The API with a browser's session: reads are free, changes need our own page or the CSRF token."""

import pytest
from django.conf import settings
from django.middleware.csrf import _get_new_csrf_string, _mask_cipher_secret

from apps.core.scope import tenant_scope
from apps.identity.models import Session
from apps.identity.place import Place
from apps.identity.services.sessions import open_session
from tests.api.conftest import caller

pytestmark = pytest.mark.usefixtures("api")
LEADS = "/api/v1/data/api_lead"
OWN = {"HTTP_ORIGIN": "http://acme.localhost"}


@pytest.fixture
def browser(people, acme):
    user = people.users["owner@acme"]
    with tenant_scope(acme):
        made = open_session(
            user=user, place=Place(host="acme.localhost", tenant=acme), tenant=acme, kind=Session.Kind.WEB
        )
    found = caller("acme")
    found.client.cookies[settings.SESSION_COOKIE_NAME] = made.token
    return found


def test_a_page_of_ours_may_read_and_write(browser):
    assert browser.get(LEADS).status_code == 200
    assert browser.post(LEADS, {"name": "By page"}, **OWN).status_code == 201


@pytest.mark.parametrize(
    "origin",
    [
        {},
        {"HTTP_ORIGIN": "https://evil.example"},
        {"HTTP_ORIGIN": "null"},
        {"HTTP_ORIGIN": "http://acme.localhost.evil.example"},
        {"HTTP_ORIGIN": "http://globex.localhost"},
        {"HTTP_ORIGIN": "https://acme.localhost"},
        {"HTTP_REFERER": "http://acme.localhost/"},
    ],
)
def test_a_change_from_elsewhere_is_refused(browser, origin):
    answer = browser.post(LEADS, {"name": "Forged"}, **origin)
    assert (answer.status_code, answer.json()["code"]) == (403, "CSRF_FAILED")
    assert browser.get(f"{LEADS}?name=Forged").json()["records"] == []


def test_the_token_of_the_page_is_accepted(browser):
    secret = _get_new_csrf_string()
    browser.client.cookies[settings.CSRF_COOKIE_NAME] = secret
    token = _mask_cipher_secret(secret)
    assert browser.post(LEADS, {"name": "Token"}, HTTP_X_CSRFTOKEN=token).status_code == 201
    other = _mask_cipher_secret(_get_new_csrf_string())
    assert browser.post(LEADS, {"name": "Token"}, HTTP_X_CSRFTOKEN=other).status_code == 403


def test_a_form_of_another_site_is_refused_whatever_it_says(browser):
    answer = browser.send(
        "POST", LEADS, b"name=x", CONTENT_TYPE="text/plain", HTTP_ORIGIN="https://evil.example"
    )
    assert answer.status_code == 403


def test_a_key_needs_no_token(owner):
    assert owner.post(LEADS, {"name": "Key"}, HTTP_ORIGIN="https://any.example").status_code == 201


def test_a_session_of_another_host_is_nobody(people, acme, browser):
    elsewhere = caller("globex")
    elsewhere.client.cookies = browser.client.cookies
    assert elsewhere.get(LEADS).status_code == 401
