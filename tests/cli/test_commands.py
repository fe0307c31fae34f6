"""The words after a verb reach the program they are meant for."""

import subprocess

import pytest

from apps.cli.launch import commands, testing
from tests import programs


@pytest.mark.parametrize("verb", commands.HAND_ON)
@pytest.mark.parametrize(
    "words", [[], ["-q"], ["tests/core", "-x"], ["--upgrade"], ["-k", "a or b"], ["--", "-h"]]
)
def test_words_of_another_program_are_handed_on_as_they_are(monkeypatch, verb, words):
    seen = []
    monkeypatch.setitem(commands.VERBS, verb, lambda chosen: seen.append(chosen.words) or 0)
    assert commands.main([verb, *words]) == 0
    assert seen == [words]


def test_other_verbs_take_none(capsys):
    with pytest.raises(SystemExit):
        commands.main(["check", "-q"])
    assert "unrecognized arguments: -q" in capsys.readouterr().err


def test_the_tests_run_side_by_side_unless_the_words_say_otherwise(monkeypatch):
    seen = []
    monkeypatch.setenv("DATABASE_ADMIN_URL", "postgresql://somewhere")
    monkeypatch.setattr(
        testing.subprocess,
        "run",
        lambda command, **_: seen.append(command) or subprocess.CompletedProcess(command, 3),
    )
    assert testing.test(["tests/core", "-n", "0"]) == 3
    command = seen[0][seen[0].index("pytest") + 1 :]
    assert int(command[command.index("-n") + 1]) >= 2
    assert "loadfile" in command  # a file's tests share what they made
    assert command[-3:] == ["tests/core", "-n", "0"]  # the last one counts


@pytest.mark.parametrize("program", programs.PROGRAMS, ids=lambda program: program.marker)
def test_what_a_machine_cannot_run_is_said_and_in_ci_it_fails(monkeypatch, tmp_path, program):
    monkeypatch.setenv(program.variable, str(tmp_path / "absent"))
    monkeypatch.delenv(programs.EVERY, raising=False)
    assert [line for line in programs.said() if program.title in line and line.endswith("were left out.")]
    monkeypatch.setenv(programs.EVERY, "1")
    assert [line for line in programs.said() if program.title in line and line.endswith("Its tests fail.")]
    with pytest.raises(pytest.fail.Exception, match=program.title):
        program.needed()
    found = tmp_path / "found"
    found.touch()
    monkeypatch.setenv(program.variable, str(found))
    assert program.needed() == str(found)
    assert not [line for line in programs.said() if program.title in line]
