"""The two commands of identity."""

import io

import pytest
from django.core.management import CommandError, call_command

from apps.core.scope import platform_scope
from apps.identity.models import User


def make(monkeypatch, password, *args):
    monkeypatch.setattr("sys.stdin", io.StringIO(password + "\n"))
    out = io.StringIO()
    call_command("create_operator", *args, stdout=out)
    return out.getvalue()


def test_the_first_operator(monkeypatch):
    assert "first@aibos.test is an operator" in make(
        monkeypatch, "a long sentence", "first@aibos.test", "--superuser"
    )
    with platform_scope("test"):
        user = User.objects.get(email="first@aibos.test")
    assert (user.is_staff, user.is_superuser, user.check_password("a long sentence")) == (True, True, True)
    with pytest.raises(CommandError, match="already"):
        make(monkeypatch, "a long sentence", "first@aibos.test")


def test_a_weak_password_is_refused(monkeypatch):
    with pytest.raises(CommandError, match="leaked"):
        make(monkeypatch, "password", "weak@aibos.test")


def test_clearing_sessions():
    out = io.StringIO()
    call_command("clear_sessions", stdout=out)
    assert "removed" in out.getvalue()
