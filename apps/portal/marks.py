"""Small marks in HTML: icons and the round initials of people."""

import functools
import re
from pathlib import Path
from zlib import crc32

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString

FALLBACK_ICON = "box"
STAR = "M12 2.6l2.9 5.9 6.5.9-4.7 4.6 1.1 6.5L12 17.4l-5.8 3.1 1.1-6.5L2.6 9.4l6.5-.9z"
_ICON = re.compile(r"\.ti-([a-z0-9-]+):before")
TINTS = 6


@functools.cache
def known_icons() -> frozenset[str]:
    """Return the names of the vendored icons."""
    css = Path(settings.BASE_DIR) / "static" / "vendor" / "tabler-icons" / "tabler-icons.min.css"
    return frozenset(_ICON.findall(css.read_text(encoding="utf-8")))


def icon(name: str, extra: str = "") -> SafeString:
    """Return an icon that screen readers skip; a name that Tabler does not know becomes a box."""
    known = name if name in known_icons() else FALLBACK_ICON
    return format_html('<i class="ti ti-{}{}" aria-hidden="true"></i>', known, f" {extra}" if extra else "")


def star(extra: str = "") -> SafeString:
    """Return a full star; the icon font has only its outline."""
    return format_html(
        '<svg class="ab-star{}" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true"><path d="{}"/></svg>',
        f" {extra}" if extra else "",
        STAR,
    )


def initials(name: str) -> str:
    """Return one or two letters for a name or e-mail address."""
    words = [word for word in re.split(r"[\s._-]+", (name or "?").split("@")[0]) if word]
    letters = [words[0][0], words[-1][0]] if len(words) > 1 else [(words or ["?"])[0][0]]
    return "".join(letters).upper()


def avatar(name: str, size: str = "") -> SafeString:
    """Return a round mark with initials; `size` is s, l or empty."""
    tint = crc32((name or "").encode()) % TINTS
    more = f" ab-avatar-{size}" if size else ""
    return format_html(
        '<span class="ab-avatar{} ab-tint-{}" aria-hidden="true">{}</span>', more, tint, initials(name)
    )
