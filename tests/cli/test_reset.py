"""`make reset` deletes only after the typed word, and never under a running product."""

import io

import pytest

from apps.cli.launch import resetting
from apps.cli.launch.lock import Lock
from apps.cli.launch.places import Places
from apps.cli.launch.problems import StartProblem
from apps.cli.launch.running import LOCK


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.delenv("REALLY", raising=False)
    found = Places(tmp_path / "var")
    found.make()
    (found.var / "kept").write_text("data")
    return found


@pytest.mark.parametrize("answer", ["", "yes\n", "y\n", "DELETE\n", "del"])
def test_any_other_answer_deletes_nothing(here, monkeypatch, capsys, answer):
    monkeypatch.setattr(resetting.sys, "stdin", io.StringIO(answer))
    assert resetting.reset(here) == 1
    assert (here.var / "kept").exists()
    assert "Nothing was deleted" in capsys.readouterr().out


def test_the_word_deletes(here, monkeypatch, capsys):
    monkeypatch.setattr(resetting.sys, "stdin", io.StringIO("delete\n"))
    assert resetting.reset(here) == 0
    assert not here.var.exists()
    assert str(here.var) in capsys.readouterr().out


def test_a_script_says_so_by_a_variable(here, monkeypatch):
    monkeypatch.setenv("REALLY", "yes")
    monkeypatch.setattr(resetting.sys, "stdin", io.StringIO(""))
    assert resetting.reset(here) == 0
    assert not here.var.exists()


def test_nothing_is_deleted_under_a_running_product(here, monkeypatch):
    monkeypatch.setenv("REALLY", "yes")
    with Lock(here.run / LOCK), pytest.raises(StartProblem, match="E202"):
        resetting.reset(here)
    assert (here.var / "kept").exists()


def test_nothing_to_delete_is_no_error(here, tmp_path):
    assert resetting.reset(Places(tmp_path / "none")) == 0
