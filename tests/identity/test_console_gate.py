"""An operator's way back in: the mailed link leads to a page of the console that works."""

import re

import pytest
from django.core import mail
from django.test import Client

from apps.core.scope import platform_scope
from apps.identity import mails
from apps.identity.models import User

PASSWORD = "correct horse battery"


@pytest.fixture
def operator():
    with platform_scope("test"):
        return User.objects.create_user("lost@aibos.test", PASSWORD, is_staff=True)


@pytest.fixture
def console():
    return Client(headers={"Host": "localhost"})


def test_forgotten_and_chosen_anew(operator, console):
    for email in (operator.email, "nobody@aibos.test"):
        response = console.post("/console/forgot", {"email": email})
        assert (response.status_code, response.headers["Location"]) == (302, "/console/login/")
    with platform_scope("test"):
        mails.mail_reset(None, email=operator.email)
        assert mails.mail_reset(None, email="nobody@aibos.test") == {"sent": False}
    path = re.search(r"http://localhost:8000(/console/reset/\S+)", mail.outbox[-1].body)[1]
    assert console.get(path).status_code == 200
    weak = console.post(path, {"new": "password", "again": "password"})
    assert weak.status_code == 400
    assert b"leaked" in weak.content
    good = {"new": "a much better one", "again": "a much better one"}
    assert console.post(path, good | {"again": "another"}).status_code == 200
    assert console.post(path, good).headers["Location"] == "/console/login/"
    assert console.post(path, good).headers["Location"] == "/console/forgot"  # a link works once
    response = console.post("/console/login/", {"username": operator.email, "password": "a much better one"})
    assert (response.status_code, response.headers["Location"]) == (302, "/console/")
    assert console.get("/console/").status_code == 200


def test_a_guessed_link_leads_back(console):
    assert console.get("/console/reset/guess").headers["Location"] == "/console/forgot"
    assert console.get("/console/forgot").status_code == 200
