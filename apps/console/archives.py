"""The archives of a tenant on this machine."""

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from django.conf import settings

NAME = re.compile(r"[0-9a-f-]{36}\.aibos\.zip\Z")


@dataclass(frozen=True, slots=True)
class Archive:
    """A finished file."""

    name: str
    size: int
    made_at: dt.datetime


def archives_of(tenant_id: UUID) -> list[Archive]:
    """The finished archives, newest first; files still being written have another name."""
    folder = Path(settings.EXPORT_ROOT) / str(tenant_id)
    found = [path for path in folder.glob("*.aibos.zip") if NAME.match(path.name)] if folder.is_dir() else []
    stats = [(path.name, path.stat()) for path in found]
    rows = [
        Archive(name, stat.st_size, dt.datetime.fromtimestamp(stat.st_mtime, dt.UTC)) for name, stat in stats
    ]
    return sorted(rows, key=lambda archive: archive.made_at, reverse=True)


def path_of(tenant_id: UUID, name: str) -> Path | None:
    """The file of an archive; None for a name that is none, or not there."""
    if not NAME.match(name):
        return None
    path = Path(settings.EXPORT_ROOT) / str(tenant_id) / name
    return path if path.is_file() else None
