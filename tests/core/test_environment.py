"""Settings come from the environment, through one door."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from config import environment

ROOT = Path(__file__).resolve().parents[2]
SHOW = "import json;from config.settings import production as s;print(json.dumps(s.ENV, default=str))"
GIVEN = {"number": ("7", 7), "flag": ("false", False), "list": ("a,b", ["a", "b"]), "path": ("/x", "/x")}
SPECIAL = {
    "DATABASE_URL": "postgresql://a@h:1/d",
    "DATABASE_OWNER_URL": "postgresql://o@h:1/d",
    "LOG_FORMAT": "json",
    "TENANCY_MODE": "single",
}


def run(code: str, **env: str) -> "subprocess.CompletedProcess[str]":
    clean = {
        key: value
        for key, value in os.environ.items()
        if key not in {item.name for item in environment.VARIABLES}
    }
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=clean | env, capture_output=True, text=True, check=False
    )


def test_every_setting_reaches_django() -> None:
    given, expected = {}, {}
    for item in environment.VARIABLES:
        text, value = GIVEN.get(item.type, (f"value-of-{item.name}",) * 2)
        text, value = (SPECIAL[item.name],) * 2 if item.name in SPECIAL else (text, value)
        given[item.name], expected[item.name] = text, value
    done = run(SHOW, **given)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == expected


def test_every_setting_is_read_by_the_profiles() -> None:
    """A variable that no profile takes up would be declared and dead."""
    text = "".join(path.read_text() for path in (ROOT / "config" / "settings").glob("*.py"))
    assert [item.name for item in environment.VARIABLES if f'ENV["{item.name}"]' not in text] == []


@pytest.mark.parametrize("missing", ["SECRET_KEY", "DATABASE_URL", "DATABASE_OWNER_URL"])
def test_production_refuses_to_start_without(missing: str) -> None:
    given = {
        "SECRET_KEY": "x" * 60,
        "DATABASE_URL": "postgresql://a@h/d",
        "DATABASE_OWNER_URL": "postgresql://o@h/d",
    }
    done = run(
        "import config.settings.production", **{key: value for key, value in given.items() if key != missing}
    )
    assert done.returncode != 0
    assert f"{missing} must be set in production" in done.stderr


def test_an_env_file_lies_below_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("PORT=9000\nTENANT_DOMAIN=file.example\n")
    monkeypatch.setenv("PORT", "9100")
    monkeypatch.delenv("TENANT_DOMAIN", raising=False)
    values = environment.read(tmp_path / ".env")
    assert (values["PORT"], values["TENANT_DOMAIN"]) == (9100, "file.example")
    os.environ.pop("TENANT_DOMAIN", None)
