"""Whether the database was already prepared by this very code, so that a second start can go straight on."""

import hashlib
import json
from pathlib import Path

from apps.cli.launch.places import ROOT

# What migrations and demo data are made of.
SOURCES = (
    "apps/*/migrations/*.py",
    "apps/*/models.py",
    "apps/*/models/*.py",
    "apps/core/**/*.py",
    "apps/tenants/**/*.py",
    "apps/audit/**/*.py",
    "apps/objects/**/*.py",
    "apps/permissions/**/*.py",
    "apps/modules/**/*.py",
    "apps/cli/**/*.py",
    "config/**/*.py",
    "modules/**/*",
    "requirements/base.txt",
)


def fingerprint(root: Path = ROOT) -> str:
    """SHA-256 over the names and contents of SOURCES."""
    total = hashlib.sha256()
    files = {path for pattern in SOURCES for path in root.glob(pattern) if path.is_file()}
    for path in sorted(files):
        if "__pycache__" not in path.parts:
            total.update(f"{path.relative_to(root)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def is_prepared(mark: Path, wanted: str) -> bool:
    """Whether the mark says so."""
    try:
        return bool(json.loads(mark.read_text()).get("fingerprint") == wanted)
    except (OSError, ValueError):
        return False


def remember(mark: Path, wanted: str) -> None:
    """Write the mark."""
    mark.write_text(json.dumps({"fingerprint": wanted}))
