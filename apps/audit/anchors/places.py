"""The anchors of this installation, made from LEDGER_ANCHORS."""

import re
from functools import lru_cache
from importlib import import_module
from pathlib import Path

from django.conf import settings
from django.core.checks import Error, register

from apps.audit.anchors.contract import Anchor, Kind, kinds
from apps.audit.anchors.file import FileAnchor

ORIGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,99}")


def _file(text: str) -> Anchor:
    folder = Path(text) if text else Path(settings.LEDGER_ANCHOR_ROOT)
    return FileAnchor(folder, f"file:{text}" if text else "file")


def _git(text: str) -> Anchor:
    path, _, remote = text.partition("#")
    anchor: Anchor = import_module("apps.audit.anchors.git").GitAnchor(Path(path), remote, f"git:{path}")
    return anchor


def _s3(text: str) -> Anchor:
    anchor: Anchor = import_module("apps.audit.anchors.s3").S3Anchor.of_url(text)
    return anchor


# The clients of git and S3 are large: only a process that uses one loads it.
kinds.register("file", Kind(_file))
kinds.register("git", Kind(_git))
kinds.register("s3", Kind(_s3))


def configured() -> tuple[Anchor, ...]:
    """Return the anchors; one object each for the life of the process, so that they remember what they read."""
    return _made(tuple(settings.LEDGER_ANCHORS), str(settings.LEDGER_ANCHOR_ROOT))


@lru_cache(maxsize=4)
def _made(texts: tuple[str, ...], root: str) -> tuple[Anchor, ...]:
    return tuple(made(text) for text in texts)


def made(text: str) -> Anchor:
    """Return the anchor that one word of LEDGER_ANCHORS names; raises ValueError for an unknown kind."""
    kind, _, rest = text.partition(":")
    found = kinds.get(kind)
    if found is None:
        msg = f"LEDGER_ANCHORS: {text!r} is none of {', '.join(kinds)}."
        raise ValueError(msg)
    return found.make(rest)


@register()
def anchors_are_known(**_options: object) -> list[Error]:
    """Refuse to start with an anchor nobody can make, or with a name no ledger can be signed under."""
    if not ORIGIN.fullmatch(settings.LEDGER_ORIGIN):
        message = "LEDGER_ORIGIN is made of letters, digits, dots and hyphens."
        return [Error(message, id="audit.E002")]
    try:
        for text in settings.LEDGER_ANCHORS:
            made(text)
    except ValueError as error:
        return [Error(str(error), id="audit.E001")]
    return []
