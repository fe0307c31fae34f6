"""The vendored browser files are the ones that the manifest names."""

import json
import shutil
from pathlib import Path

import pytest

from apps.portal import vendoring

ROOT = Path(__file__).resolve().parents[2] / "static" / "vendor"


def test_every_file_has_the_hash_of_the_manifest() -> None:
    assert vendoring.check(ROOT) == []


def test_every_package_names_version_licence_and_integrity() -> None:
    for package in vendoring.load(ROOT)["packages"]:
        assert package["name"] and package["version"] and package["licence"]
        assert package["integrity"].startswith("sha512-")
        assert any(Path(file["path"]).name.startswith("LICENSE") for file in package["files"])


@pytest.mark.parametrize("harm", ["changed", "missing", "unlisted"])
def test_a_harmed_copy_is_noticed(tmp_path: Path, harm: str) -> None:
    copy = tmp_path / "vendor"
    shutil.copytree(ROOT, copy)
    victim = copy / "htmx" / "htmx.min.js"
    if harm == "changed":
        victim.write_bytes(victim.read_bytes() + b" ")
    elif harm == "missing":
        victim.unlink()
    else:
        (copy / "htmx" / "extra.js").write_text("1")
    assert [fault.reason for fault in vendoring.check(copy)] == [harm]


def test_an_archive_that_is_not_the_pinned_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    package = {"name": "x", "version": "1.0.0", "integrity": "sha512-pinned"}
    archive = b"something else"
    digest = "sha512-" + vendoring.base64.b64encode(vendoring.hashlib.sha512(archive).digest()).decode()
    meta = json.dumps({"dist": {"tarball": "https://registry.test/x.tgz", "integrity": digest}}).encode()
    monkeypatch.setattr(vendoring, "_download", lambda url: archive if url.endswith(".tgz") else meta)
    with pytest.raises(ValueError, match="not the pinned one"):
        vendoring._tarball(package, "https://registry.test")


def test_style_sheets_name_no_file_that_is_not_shipped() -> None:
    css = (ROOT / "tabler-icons" / "tabler-icons.min.css").read_text()
    assert "woff2" in css and ".ttf" not in css and "sourceMappingURL" not in css
