"""The tour in docs/api.md, command by command, against the running server."""

import re
import shlex
from pathlib import Path

import pytest
import requests

from tests.api.conftest import environment
from tests.servers import live_server

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


@pytest.fixture(scope="module")
def address(objects, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tour")
    with environment(RATE_LIMIT_USER="0/m", RATE_LIMIT_IP="0/m"), live_server(folder) as running:
        yield f"{running.url()}api/v1"


def run(command, address, key):
    """Do what a curl command says."""
    words = shlex.split(command.replace("$KEY", key).replace("$API", address))
    assert words.pop(0) == "curl"
    method, headers, body, url = "GET", {}, None, ""
    while words:
        word = words.pop(0)
        if word == "-X":
            method = words.pop(0)
        elif word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = words.pop(0).encode()
        else:
            url = word
    return requests.request(method, url, headers=headers, data=body, timeout=30)


def test_the_tour(address, keys):
    assert len(COMMANDS) > 8
    answers = []
    for command in COMMANDS:
        answer = run(command, address, keys["owner@acme"])
        assert answer.status_code in (200, 201), (command, answer.text)
        answers.append(answer)
    made = [answer for answer in answers if answer.status_code == 201]
    assert made[0].content == made[1].content


def test_every_code_in_the_tables_is_used_somewhere():
    source = "".join(path.read_text() for path in Path(__file__).resolve().parents[2].glob("apps/**/*.py"))
    table = PAGE[PAGE.index("| status | codes |") : PAGE.index("Bodies are strict")]
    named = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", table))
    assert len(named) > 30
    assert {code for code in named if code not in source} == set()
