"""One file of evidence: a zip archive people can open, or the same as one JSON document."""

import base64
import tempfile
import zipfile
from collections.abc import Iterator
from typing import IO, Any

import orjson

from apps.audit.evidence.gather import Evidence

SPOOL = 8 * 1024 * 1024
README = """This archive is evidence from a tamper-evident ledger of AI-BOS.

evidence.json   what was asked for, the signed checkpoints and the proofs that they follow each other
entries.jsonl   one entry per line; "body" is exactly what was hashed
leaves          where present: the 32 byte leaf hash of every entry of the ledger, in order
checkpoint.txt  the signed checkpoint all proofs lead to (C2SP tlog-checkpoint, Ed25519)

Check it with the program aibos-verify (the folder sdk/aibos-verify of the AI-BOS source) and the
public key that the operator gave you on another way than with this archive:

    pip install ./sdk/aibos-verify
    aibos-verify evidence.zip --key KEY

How each check works, so that you can write your own: docs/verifying-the-ledger.md of AI-BOS.
"""


def as_zip(evidence: Evidence) -> IO[bytes]:
    """Return the archive as an open file, at its start; the caller closes it."""
    file: IO[bytes] = tempfile.SpooledTemporaryFile(SPOOL)  # noqa: SIM115 - handed to the caller
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        archive.writestr("README.txt", README)
        archive.writestr("evidence.json", _json(evidence.header))
        archive.writestr("checkpoint.txt", evidence.header["checkpoint"])
        if evidence.leaves:
            archive.writestr("leaves", evidence.leaves, compress_type=zipfile.ZIP_STORED)
        with archive.open("entries.jsonl", "w") as lines:
            for entry in evidence.entries:
                lines.write(orjson.dumps(entry) + b"\n")
    file.seek(0)
    return file


def as_json(evidence: Evidence) -> Iterator[bytes]:
    """Yield the parts of one JSON document: the header's members, `leaves` in base64, and `entries`."""
    header: dict[str, Any] = dict(evidence.header)
    header.pop("entries")
    if evidence.leaves:
        header["leaves"] = base64.b64encode(evidence.leaves).decode()
    yield orjson.dumps(header)[:-1] + b',"entries":['
    for number, entry in enumerate(evidence.entries):
        yield (b"," if number else b"") + orjson.dumps(entry)
    yield b"]}"


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2)
