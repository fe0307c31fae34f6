"""Third-party browser files: what is under static/vendor, where it came from, whether it is unchanged."""

import base64
import hashlib
import io
import json
import re
import tarfile
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

REGISTRY = "https://registry.npmjs.org"
_SOURCE_MAP = re.compile(rb"\s*(/\*|//)[#@] sourceMappingURL=[^\s*]+(\s*\*/)?\s*$")
_OTHER_FONTS = re.compile(rb',url\("[^"]+\.(?:woff|ttf)\?[^"]*"\) format\("(?:woff|truetype)"\)')
_EMBEDDED_FONTS = re.compile(rb"@font-face\s*\{[^}]*url\([\"']?data:[^}]*\}")
_FONT_VERSION = re.compile(rb'(\.woff2)\?v[0-9.]+"')


def _strip_source_map(data: bytes) -> bytes:
    """Hashed static names fail on a map that is not shipped."""
    return _SOURCE_MAP.sub(b"\n", data)


def _woff2_only(data: bytes) -> bytes:
    """Every supported browser reads WOFF2, so the other formats are not shipped."""
    return _FONT_VERSION.sub(rb'\1"', _OTHER_FONTS.sub(b"", data))


def _no_embedded_fonts(data: bytes) -> bytes:
    """The pages' policy loads fonts from files alone; without them the browser's own are used."""
    return _EMBEDDED_FONTS.sub(b"", data)


EDITS: dict[str, Callable[[bytes], bytes]] = {
    "strip-source-map": _strip_source_map,
    "woff2-only": _woff2_only,
    "no-embedded-fonts": _no_embedded_fonts,
}


@dataclass(frozen=True)
class Fault:
    """One file that differs from the manifest; ``reason`` is missing, changed or unlisted."""

    path: str
    reason: str


def load(root: Path) -> dict[str, Any]:
    """Return the manifest below ``root`` (the directory that holds manifest.json)."""
    manifest: dict[str, Any] = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def entries(manifest: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield (package, file) pairs."""
    for package in manifest["packages"]:
        for file in package["files"]:
            yield package, file


def check(root: Path) -> list[Fault]:
    """Compare every file below ``root`` with the manifest; works offline."""
    faults, listed = [], {"manifest.json"}
    for _package, file in entries(load(root)):
        path = root / file["path"]
        listed.add(file["path"])
        if not path.is_file():
            faults.append(Fault(file["path"], "missing"))
        elif hashlib.sha256(path.read_bytes()).hexdigest() != file["sha256"]:
            faults.append(Fault(file["path"], "changed"))
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        name = path.relative_to(root).as_posix()
        if name not in listed:
            faults.append(Fault(name, "unlisted"))
    return faults


def _download(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310  the registry's https address
        body: bytes = answer.read()
    return body


def _tarball(package: dict[str, Any], registry: str) -> tuple[bytes, str]:
    """Return the package's archive and integrity, compared with the registry's word and the pinned value."""
    name = quote(package["name"], safe="@")
    meta = json.loads(_download(f"{registry}/{name}/{package['version']}"))
    data = _download(meta["dist"]["tarball"])
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
    if integrity != meta["dist"]["integrity"]:
        raise ValueError(f"{package['name']}: the archive does not match the registry's integrity value")
    if package.get("integrity", integrity) != integrity:
        raise ValueError(
            f"{package['name']}: the archive is not the pinned one; remove `integrity` for a new version"
        )
    return data, integrity


def refresh(root: Path, registry: str = REGISTRY) -> list[str]:
    """Download every package named in the manifest, write its files and renew the hashes; returns the paths."""
    manifest = load(root)
    written = []
    for package in manifest["packages"]:
        data, package["integrity"] = _tarball(package, registry)
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            for file in package["files"]:
                target = root / file["path"]
                if "source" not in file:  # written by us, e.g. a licence that the archive forgot
                    file["sha256"] = hashlib.sha256(target.read_bytes()).hexdigest()
                    continue
                member = archive.extractfile(f"package/{file['source']}")
                if member is None:
                    raise ValueError(f"{package['name']} has no file {file['source']}")
                content = member.read()
                for edit in file.get("edits", []):
                    content = EDITS[edit](content)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
                file["sha256"] = hashlib.sha256(content).hexdigest()
                written.append(file["path"])
    (root / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return written
