"""The bootstrap: what it says when a machine is not fit, and that it does nothing twice."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from apps.cli import bootstrap

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def empty_home(tmp_path, monkeypatch):
    """A copy of the bootstrap's world without an environment."""
    monkeypatch.setattr(bootstrap, "ROOT", str(tmp_path))
    monkeypatch.setattr(bootstrap, "VENV", str(tmp_path / ".venv"))
    monkeypatch.setattr(bootstrap, "STAMP", str(tmp_path / ".venv" / "aibos-installed.json"))
    (tmp_path / "requirements").mkdir()
    for name in ("base", "dev", "installer"):
        (tmp_path / "requirements" / f"{name}.txt").write_text(f"{name}==1.0 --hash=sha256:00\n")
    return tmp_path


def make_environment(home, kinds=("base",)):
    (home / ".venv" / "bin").mkdir(parents=True)
    (home / ".venv" / "bin" / "python").symlink_to(sys.executable)
    locks = {kind: bootstrap.digest(kind) for kind in kinds}
    Path(bootstrap.STAMP).write_text(json.dumps({"locks": locks, "home": bootstrap.home()}))


def test_an_old_python_is_named_with_the_cure():
    with pytest.raises(bootstrap.Stop, match=r"(?s)E101 This Python is 3\.9\.2.*apt install python3\.11"):
        bootstrap.fit_python((3, 9, 2), executable="python3.9")


def test_a_python_without_ensurepip_is_named_with_the_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(bootstrap.Stop, match=r"(?s)E102.*`ensurepip`.*apt install python3\.11-venv"):
        bootstrap.fit_python((3, 11, 2))


def test_a_full_disk_is_told_before_anything_is_made(empty_home, monkeypatch):
    usage = type("Usage", (), {"free": 40 * 10**6})
    monkeypatch.setattr(bootstrap.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(bootstrap.Stop, match="E105 There is not enough disk space: 40 MB free"):
        bootstrap.ensure("base")
    assert not (empty_home / ".venv").exists()


def test_the_second_start_installs_nothing(empty_home, monkeypatch):
    make_environment(empty_home)
    monkeypatch.setattr(bootstrap, "install", lambda *_: pytest.fail("installed again"))
    bootstrap.ensure("base")
    (empty_home / "requirements" / "base.txt").write_text("base==2.0 --hash=sha256:00\n")
    with pytest.raises(pytest.fail.Exception, match="installed again"):  # the negative control
        bootstrap.ensure("base")


def test_a_development_environment_serves_the_product_but_not_the_other_way_round(empty_home):
    make_environment(empty_home, ("base",))
    assert bootstrap.wanted("base").items() <= bootstrap.installed().items()
    assert not bootstrap.wanted("dev").items() <= bootstrap.installed().items()
    Path(bootstrap.STAMP).write_text(json.dumps({"locks": bootstrap.wanted("dev"), "home": bootstrap.home()}))
    assert bootstrap.wanted("base").items() <= bootstrap.installed().items()


def test_an_environment_that_was_moved_or_lost_its_python_is_not_trusted(empty_home):
    make_environment(empty_home)
    assert bootstrap.installed()
    python = empty_home / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/usr/bin/env")
    assert bootstrap.installed() == {}
    python.unlink()
    assert bootstrap.installed() == {}


def test_pip_settings_are_read_with_the_environment_winning():
    said = (
        "global.index-url='https://index.example/simple'\n"
        "global.find-links='/a /b'\n"
        "install.find-links='/c'\n"
        "download.find-links='/never'\n"
        ":env:.index-url='https://env.example/simple'\n"
        "user.email='nobody'\n"
    )
    assert bootstrap.pip_settings(said) == {
        "index-url": ["https://env.example/simple"],
        "find-links": ["/c"],
    }


def test_uv_gets_what_pip_is_configured_for():
    settings = {
        "index-url": ["https://index.example/simple"],
        "extra-index-url": ["https://one.example", "https://two.example"],
        "find-links": ["/a", "/b"],
        "no-index": ["1"],
        "disable-pip-version-check": ["1"],
    }
    seen = bootstrap.uv_environment(settings, {"PATH": "/bin"})
    assert seen is not None
    assert seen["UV_DEFAULT_INDEX"] == "https://index.example/simple"
    assert seen["UV_INDEX"] == "https://one.example https://two.example"
    assert seen["UV_FIND_LINKS"] == "/a,/b"
    assert seen["UV_NO_INDEX"] == "1"
    assert seen["PATH"] == "/bin"


def test_uv_is_not_used_when_a_setting_of_pip_cannot_be_handed_on():
    assert bootstrap.uv_environment({"only-binary": [":all:"]}, {}) is None


def test_what_the_user_told_uv_stands():
    seen = bootstrap.uv_environment(
        {"index-url": ["https://pip.example"]}, {"UV_DEFAULT_INDEX": "https://uv.example"}
    )
    assert seen is not None
    assert seen["UV_DEFAULT_INDEX"] == "https://uv.example"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("WARNING: Retrying ... NewConnectionError('[Errno 111] Connection refused')", "E104"),
        ("error: dns error: failed to lookup address information", "E104"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "E105"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "E106"),
        ("error: Hash mismatch for `django==5.2.19`", "E106"),
    ],
)
def test_a_failure_is_explained_by_its_cause(said, code):
    with pytest.raises(bootstrap.Stop, match=code):
        bootstrap.refuse_known(said, done=False)
    bootstrap.refuse_known(said, done=True)  # a success is never explained away


def test_no_network_on_the_first_start_is_told_with_the_cure(tmp_path):
    """The real thing: a fresh folder, an index where nobody listens."""
    for name in ("apps/cli/bootstrap.py", "requirements/base.txt", "requirements/installer.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "UV_", "AIBOS_"))}
    done = subprocess.run(
        [sys.executable, "apps/cli/bootstrap.py", "base"],
        cwd=tmp_path,
        env=clean
        | {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
            "PIP_RETRIES": "0",
            "PIP_NO_CACHE_DIR": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "E104 The packages could not be downloaded" in done.stderr
    assert "HTTPS_PROXY" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_bootstrap_needs_only_the_standard_library_and_an_old_grammar():
    source = (ROOT / "apps/cli/bootstrap.py").read_text()
    compile(source, "bootstrap.py", "exec", dont_inherit=True)
    import ast

    tree = ast.parse(source, feature_version=(3, 7))
    imported = {
        name.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for name in node.names
    } | {
        node.module.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
    }
    assert imported <= set(sys.stdlib_module_names)


def test_the_lock_of_development_holds_the_lock_of_the_product():
    def pins(name):
        lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
        return {
            line.split(";")[0].rstrip(" \\")
            for line in lines
            if "==" in line and not line.startswith((" ", "#"))
        }

    assert pins("base") <= pins("dev")


def test_every_locked_package_has_a_hash():
    for name in ("base", "dev", "installer"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text().replace("\\\n", " ")
        for line in text.splitlines():
            if "==" in line and not line.lstrip().startswith("#"):
                assert "--hash=sha256:" in line, line
