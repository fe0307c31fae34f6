"""Boxes are AES-256-GCM as others understand it: Project Wycheproof's vectors, good and tampered."""

import json
from pathlib import Path

import pytest

from apps.core.sealing import NONCE, Key, SealBroken

FILE = Path(__file__).parents[1] / "data" / "wycheproof" / "aes_gcm_256_96.json"
VECTORS = [test for group in json.loads(FILE.read_text())["testGroups"] for test in group["tests"]]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["tcId"]))
def test_vector(vector):
    key, nonce, aad, text, ciphertext, tag = (
        bytes.fromhex(vector[name]) for name in ("key", "iv", "aad", "msg", "ct", "tag")
    )
    box = nonce + ciphertext + tag
    if vector["result"] == "valid":
        assert Key(key).open(box, aad) == text
    else:
        with pytest.raises(SealBroken):
            Key(key).open(box, aad)


def test_the_vectors_are_there_and_of_both_sorts():
    results = [vector["result"] for vector in VECTORS]
    assert len(results) == 66 and results.count("invalid") >= 20


def test_what_is_closed_is_of_that_form():
    key = bytes(range(32))
    box = Key(key).close(b"text", b"place")
    assert len(box) == NONCE + 4 + 16 and Key(key).open(box, b"place") == b"text"
    assert Key(key).close(b"text", b"place") != box, "each box has a nonce of its own"
    for wrong in (b"", box[:20], box[:-1]):
        with pytest.raises(SealBroken):
            Key(key).open(wrong, b"place")
