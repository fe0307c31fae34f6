"""Logo files of tenants: judged by their bytes, kept under the tenant's own folder by their hash."""

import hashlib
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from apps.core.errors import FieldError, Invalid
from apps.core.scope import current_tenant
from apps.tenants import quotas

LIMIT = 512 * 1024
FOLDER = "brand"
TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}


def kind_of_image(data: bytes) -> str | None:
    """Return png, jpg or webp for the bytes of such an image, else None. SVG may carry scripts and is none."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return None


def keep(data: bytes) -> str:
    """Write a logo and return its name below the tenant's files; raises `Invalid` for what is no small image,
    and QUOTA_EXCEEDED when the plan's storage is full.
    """
    kind = kind_of_image(data)
    if kind is None:
        message = _("Choose a PNG, JPEG or WebP image.")
        raise Invalid(message, [FieldError("logo", "invalid_format", message)])
    if len(data) > LIMIT:
        message = _("The image is larger than 512 KB.")
        raise Invalid(message, [FieldError("logo", "max_length", message, constraint=LIMIT)])
    name = f"{hashlib.sha256(data).hexdigest()[:32]}.{kind}"
    path = _folder() / name
    if not path.is_file():
        quotas.require(current_tenant(), "storage_mb", len(data))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return f"{FOLDER}/{name}"


def read(name: str) -> tuple[bytes, str] | None:
    """Return (bytes, content type) of a logo of the tenant in force, or None."""
    stem, _dot, kind = name.partition(".")
    if kind not in TYPES or not stem.isalnum():
        return None
    path = _folder() / name
    return (path.read_bytes(), TYPES[kind]) if path.is_file() else None


def _folder() -> Path:
    return Path(settings.MEDIA_ROOT) / str(current_tenant().id) / FOLDER
