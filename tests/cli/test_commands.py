"""The words after a verb reach the program they are meant for."""

import pytest

from apps.cli.launch import commands


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
