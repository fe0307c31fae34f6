"""The qrcode type: a text that is shown as a QR code."""

from __future__ import annotations

import segno

from apps.objects.kinds.kind import KINDS
from apps.objects.kinds.text import TextKind


def drawn(text: str, scale: int = 4) -> str:
    """Return the SVG of the QR code of `text`: dark on white, since scanners read no inverted code."""
    code = segno.make(text, micro=False)
    return str(code.svg_inline(scale=scale, dark="#000", light="#fff", omitsize=False))


class QrcodeKind(TextKind):
    """A text, often an address, shown as a QR code; at most 1,000 characters."""

    name = "qrcode"
    nestable = False
    example = "https://example.com/t/42"
    limit = 1_000
    ceiling = 1_000
    widget = "qrcode"
    cell = "qrcode"


KINDS.register(QrcodeKind.name, QrcodeKind())
