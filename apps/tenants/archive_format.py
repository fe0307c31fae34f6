"""The format of a tenant's archive: a zip with a signed manifest that names every part by its hash.

manifest.json   RFC 8785: format, tenant, parts {name: sha256}, rows per table, ledger head, key
manifest.sig    Ed25519 over manifest.json by the installation that wrote it
schema.json     the statements that build the tables
tables/<t>.copy PostgreSQL COPY text of each table of the tenant's schema
parts/<p>.json  what apps keep of the tenant in shared tables
files/…         uploaded files
"""

import hashlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.core import canonical, signing
from apps.core.errors import Problem

FORMAT = "aibos-tenant/1"
PURPOSE = "tenant archive"
CHUNK = 1 << 20
MAX_EXPANSION = 200  # a zip that grows more than this is a bomb, not an archive


@dataclass(frozen=True)
class Opened:
    """A verified archive: what it holds, and who signed it."""

    path: Path
    manifest: dict[str, Any]
    fingerprint: str


class Writer:
    """Writes parts into the zip and remembers their hashes."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.parts: dict[str, str] = {}

    def add(self, name: str, chunks: Any) -> None:
        """Write one part from an iterable of byte chunks."""
        digest = hashlib.sha256()
        with self._archive.open(name, "w", force_zip64=True) as out:
            for chunk in chunks:
                data = bytes(chunk)
                digest.update(data)
                out.write(data)
        self.parts[name] = digest.hexdigest()

    def seal(self, manifest: dict[str, Any]) -> None:
        """Write the manifest over all parts and its signature."""
        key = signing.public_key(PURPOSE)
        body = canonical.dumps(manifest | {"format": FORMAT, "parts": self.parts, "key": key.hex()})
        self._archive.writestr("manifest.json", body)
        self._archive.writestr("manifest.sig", signing.sign(PURPOSE, body))


def refused(message: str, cure: str = "Ask for a new export.") -> Problem:
    """Return the refusal of an archive."""
    return Problem("ARCHIVE_INVALID", message, status=400, cure=cure)


def check(path: Path, trusted: str | None = None) -> Opened:
    """Verify signature and every hash before anything is read from the archive.

    `trusted` is the fingerprint of the expected key; None trusts this installation's own key only.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _check(path, archive, trusted or signing.fingerprint(signing.public_key(PURPOSE)))
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise refused(f"This is no archive of a tenant: {error}") from error


def _check(path: Path, archive: zipfile.ZipFile, trusted: str) -> Opened:
    body, signature = archive.read("manifest.json"), archive.read("manifest.sig")
    manifest = json.loads(body)
    key = bytes.fromhex(manifest["key"])
    if not signing.verifies(key, body, signature):
        raise refused("The signature does not fit: the archive was changed after it was written.")
    found = signing.fingerprint(key)
    if found != trusted:
        cure = f"If you trust its origin, name its key: {found}"
        raise refused("The archive was signed by another installation.", cure)
    if manifest["format"] != FORMAT:
        raise refused(
            f"The format {manifest['format']} is unknown here.", "Use a matching version of AI-BOS."
        )
    names = {item.filename for item in archive.infolist()} - {"manifest.json", "manifest.sig"}
    if names != set(manifest["parts"]):
        raise refused("Parts are missing from the archive or were added to it.")
    packed = max(1, path.stat().st_size)
    if sum(item.file_size for item in archive.infolist()) > packed * MAX_EXPANSION:
        raise refused("The archive unpacks to far more than its size.")
    for name, expected in manifest["parts"].items():
        if _hash(archive, name) != expected:
            raise refused(f"The part {name} was changed.")
    return Opened(path, manifest, found)


def _hash(archive: zipfile.ZipFile, name: str) -> str:
    digest = hashlib.sha256()
    with archive.open(name) as part:
        while chunk := part.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
