"""Ten thousand random documents keep their hash: through jsonb, through a dump and its restore, through time.

The documents come from a generator of our own (SHA-256 in counter mode), so they are the same on every Python; the digest
over all of them is written down here, and a version that canonicalises differently would not meet it.
"""

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import rfc8785
from psycopg import sql

from apps.cli.launch.postgres import find_programs
from apps.core import canonical
from tests import databases

COUNT = 10_000
GOLDEN = "d6ee811e9e9c0278c2ee5e979d90326962f54bc11546216c3a764c5aa2d5d36c"
ALPHABET = "abcxyzAZ09 _-.:/\\\"'<>&{}[]\t\n\u0001\u007f\u00e9\u00df\u20ac\u2028\ud7ff\ue000\ufb33\uffff\U0001f600\U0010ffff"


class Chance:
    """Numbers that are the same wherever they are asked for."""

    def __init__(self, seed: str) -> None:
        self._seed, self._count, self._pool = seed.encode(), 0, b""

    def below(self, end: int) -> int:
        if len(self._pool) < 8:
            self._pool += hashlib.sha256(self._seed + self._count.to_bytes(8, "big")).digest()
            self._count += 1
        value, self._pool = int.from_bytes(self._pool[:8], "big"), self._pool[8:]
        return value % end

    def text(self) -> str:
        return "".join(ALPHABET[self.below(len(ALPHABET))] for _ in range(self.below(12)))

    def value(self, depth: int) -> Any:
        kind = self.below(9 if depth else 6)
        if kind == 0:
            return None
        if kind == 1:
            return bool(self.below(2))
        if kind in (2, 3):
            size = (10, 10**6, 2**53)[self.below(3)]
            return self.below(2 * size - 1) - size + 1
        if kind in (4, 5):
            return self.text()
        if kind == 6:
            return [self.value(depth - 1) for _ in range(self.below(5))]
        return {self.text(): self.value(depth - 1) for _ in range(self.below(6))}

    def document(self) -> dict[str, Any]:
        return {self.text() or "k": self.value(3) for _ in range(1 + self.below(6))}


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    """The documents, always the same."""
    chance = Chance("documents of the ledger")
    return [chance.document() for _ in range(COUNT)]


def hashes(bodies: list[bytes]) -> list[bytes]:
    return [hashlib.sha256(body).digest() for body in bodies]


def test_the_bytes_are_those_of_any_other_version(documents: list[dict[str, Any]]) -> None:
    bodies = [canonical.dumps(item) for item in documents]
    assert bodies == [rfc8785.dumps(item) for item in documents]
    assert bodies == [canonical.dumps(json.loads(body)) for body in bodies]
    assert hashlib.sha256(b"".join(hashes(bodies))).hexdigest() == GOLDEN


@pytest.fixture
def kept(superuser_url: str, documents: list[dict[str, Any]]) -> Iterator[str]:
    """A table with each document as the bytes that were hashed and as jsonb."""
    with psycopg.connect(superuser_url) as admin:
        admin.execute("CREATE TABLE public.ten_thousand (id int PRIMARY KEY, body bytea, value jsonb)")
        with admin.cursor().copy("COPY public.ten_thousand FROM STDIN") as copy:
            for number, item in enumerate(documents):
                copy.write_row([number, canonical.dumps(item), json.dumps(item)])
    yield superuser_url
    with psycopg.connect(superuser_url) as admin:
        admin.execute("DROP TABLE public.ten_thousand")


def read(url: str) -> tuple[list[bytes], list[bytes]]:
    with psycopg.connect(url) as admin:
        rows = admin.execute("SELECT body, value FROM public.ten_thousand ORDER BY id").fetchall()
    return [bytes(body) for body, _ in rows], [canonical.dumps(value) for _, value in rows]


def test_through_jsonb_and_through_a_dump(
    kept: str, admin_url: str, documents: list[dict[str, Any]], tmp_path: Any
) -> None:
    expected = hashes([canonical.dumps(item) for item in documents])
    for bodies in read(kept):
        assert hashes(bodies) == expected
    programs = find_programs()
    file, name = tmp_path / "dump", f"aibos_restored_{os.urandom(4).hex()}"
    table = ["--table=public.ten_thousand", "--no-owner", "--no-privileges"]
    subprocess.run([f"{programs}/pg_dump", "--format=custom", *table, "-f", file, kept], check=True)
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        try:
            other = databases.as_superuser(admin_url, name)
            subprocess.run([f"{programs}/pg_restore", "-d", other, file], check=True)
            for bodies in read(other):
                assert hashes(bodies) == expected
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_why_bodies_are_kept_as_bytes(superuser_url: str) -> None:
    """Negative control: jsonb alone does not give back what was hashed, only what canonicalises to it."""
    written = b'{"a":1e2,"b":1}'
    with psycopg.connect(superuser_url) as admin:
        back = admin.execute("SELECT %s::jsonb::text", [written.decode()]).fetchone()
    assert back is not None
    assert hashlib.sha256(back[0].encode()).digest() != hashlib.sha256(written).digest()
