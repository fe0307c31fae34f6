"""docs/webhooks.md says what the code does: its commands run, its example verifies, its figures are the code's."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from apps.core.actor import Actor
from apps.core.scope import TenantRef
from apps.events.webhooks import delivering, endpoints, keeping, payload, receiving, schemes, sources
from tests.api.conftest import caller, make_key
from tests.core.listeners import Receiver
from tests.events.webhooks.conftest import Way, hook, lead

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "webhooks.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_commands_run(acme: TenantRef, staff: Any) -> None:
    key = make_key(acme, staff.actor("owner"))
    commands = "".join(blocks("sh")).splitlines()
    assert len(commands) == 4
    for command in commands:
        words = shlex.split(command.replace("$API", "/api/v1").replace("$KEY", key))
        path = next(word for word in words if word.startswith("/api"))
        body = words[words.index("-d") + 1].encode() if "-d" in words else None
        answer = caller("acme", key).send("POST" if body else "GET", path, body)
        assert answer.status_code in (200, 201), answer.content


def test_the_example_verifies_what_arrives(
    acme: TenantRef, boss: Actor, way: Way, receiver: Receiver
) -> None:
    _, secret = hook(acme, receiver.url, boss, "api_lead.created")
    lead(acme, boss)
    way.go()
    ((_, headers, body),) = receiver.seen
    names: dict[str, Any] = {}
    exec(blocks("python")[0], names)
    assert names["is_genuine"](secret, headers, body)
    assert not names["is_genuine"](secret, headers, body + b" ")
    assert not names["is_genuine"]("whsec_" + "A" * 44, headers, body)
    assert not names["is_genuine"](secret, headers | {"webhook-timestamp": "1"}, body)
    shown = json.loads(blocks("json")[0])
    told = json.loads(body)
    assert shown.keys() <= told.keys()
    assert shown["data"].keys() == told["data"].keys()


def test_the_plan_is_the_code_s() -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith("| after |"))
    units = {"s": 1, "min": 60, "h": 3600}
    cells = [cell.split() for cell in row.split("|")[3:-1]]
    assert [int(number) * units[unit] for number, unit in cells] == [int(wait) for wait in delivering.WAITS]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20,000 bytes", payload.MOST_BYTES == 20_000),
        ("2xx within 20 seconds", delivering.SECONDS == 20),
        ("five days without one success", delivering.DISABLE_AFTER.days == 5),
        ("After five failures in a row", delivering.TOLERATED == 5),
        ("longer than 2 seconds", delivering.SLOW == 2),
        ("30 s at first and 15 min at most", (delivering.REST, delivering.LONGEST_REST) == (30, 900)),
        ("each attempt for 30 days", keeping.LOG_DAYS == 30),
        ("remembered for 90 days", keeping.RECEIPT_DAYS == 90),
        ("Bodies may have 262,144 bytes", receiving.MOST_BYTES == 262_144),
        ("refused after 5 minutes", schemes.TOLERANCE == 300),
        ("`graceHours` 0 to 168", list(endpoints.GRACE_HOURS) == list(range(169))),
        ("up to 16 kB", delivering.ANSWER_BYTES == 16_384),
        ("At most 50 webhooks and 50 senders", endpoints.MOST_ENDPOINTS == sources.MOST_SOURCES == 50),
    ],
)
def test_the_figures_are_the_code_s(text: str, value: bool) -> None:
    assert text in " ".join(PAGE.split())
    assert value


def test_every_scheme_option_and_address_is_named() -> None:
    from apps.api.hooks.incoming import OPTIONS
    from apps.api.hooks.urls import urlpatterns

    for name in (*schemes.SCHEMES, *OPTIONS, "EGRESS_ALLOW", "EGRESS_DENY", "EGRESS_PORTS"):
        assert f"`{name}" in PAGE, name
    for pattern in urlpatterns:
        last = str(pattern.pattern).split("/")[-1]
        word = last if not last.startswith("<") else str(pattern.pattern).split("/")[-2]
        assert word in PAGE, pattern.pattern
