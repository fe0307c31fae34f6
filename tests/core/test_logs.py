"""Logs carry the request and never a local variable."""

import json
import logging
import subprocess
import sys

import pytest

from apps.core import context, logs

SECRET = "hunter2-in-a-local"
PROGRAM = """
import logging
from apps.core import context, logs
logs.configure({{"level": "INFO", "format": "{format}"}})
def fail():
    password = "hunter2-" + "in-a-local"
    raise ValueError("no")
with context.carrying(request_id="req-12345678", tenant_slug="acme"):
    try:
        fail()
    except ValueError:
        logging.getLogger("x").exception("it failed", extra={{"path": "/y"}})
"""


def output(format_: str) -> str:
    program = PROGRAM.format(format=format_)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stderr


@pytest.mark.parametrize("format_", ["json", "console"])
def test_a_trace_shows_no_local_variable(format_: str) -> None:
    text = output(format_)
    assert "ValueError" in text
    assert SECRET not in text


def test_a_json_line_carries_request_and_tenant() -> None:
    line = json.loads(output("json").strip().splitlines()[-1])
    assert (line["request_id"], line["tenant"], line["event"], line["path"]) == (
        "req-12345678",
        "acme",
        "it failed",
        "/y",
    )


def test_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="json or console"):
        logs.configure({"level": "INFO", "format": "xml"})


def test_the_context_is_restored() -> None:
    with context.carrying(request_id="a"):
        assert context.request_id.get() == "a"
    assert context.request_id.get() is None
    assert logging.getLogger().handlers
