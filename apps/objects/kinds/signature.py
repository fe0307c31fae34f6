"""The signature type: a drawn signature as a small PNG picture."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from django.utils.translation import gettext as _

from apps.objects.definitions import FieldDef
from apps.objects.kinds.kind import KINDS, PRESENCE
from apps.objects.kinds.problem import AcceptContext, FieldProblem
from apps.objects.kinds.text import TextKind

LEAD = "data:image/png;base64,"
PNG = b"\x89PNG\r\n\x1a\n"
MOST_PIXELS = 2_000


class SignatureKind(TextKind):
    """A signature: a PNG picture of at most 2,000 by 2,000 pixels and 64 kB, written as a `data:` address."""

    name = "signature"
    keys = frozenset[str]()
    operators = PRESENCE
    sortable = False
    searchable = False
    uniqueable = False
    nestable = False
    maskable = False
    example = f"{LEAD}iVBORw0KGgo…"
    limit = 90_000
    ceiling = 90_000
    widget = "signature"
    cell = "signature"

    def parse(self, field: FieldDef, raw: Any, context: AcceptContext) -> str:
        return super().parse(field, raw.strip() if isinstance(raw, str) else raw, context)

    def judge(self, text: str) -> None:
        message = _("Enter a signature as a PNG picture.")
        if not text.startswith(LEAD):
            raise FieldProblem("invalid_format", message)
        try:
            picture = base64.b64decode(text.removeprefix(LEAD), validate=True)
        except (binascii.Error, ValueError) as error:
            raise FieldProblem("invalid_format", message) from error
        if (
            not picture.startswith(PNG)
            or picture[12:16] != b"IHDR"
            or not picture.endswith(b"IEND\xaeB`\x82")
        ):
            raise FieldProblem("invalid_format", message)
        sides = int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24])
        if not all(0 < side <= MOST_PIXELS for side in sides):
            raise FieldProblem("max_value", message, constraint=MOST_PIXELS)


KINDS.register(SignatureKind.name, SignatureKind())
