"""aibos-verify as a stranger uses it: installed into an empty environment, fed with good and bad evidence."""

import base64
import json
import os
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson
import pytest
from aibos_verify import Pins, judge
from aibos_verify.hashes import Growing, consistent, included, leaf_of
from aibos_verify.notes import read_key
from uv import find_uv_bin

from apps.audit import ledger
from apps.audit.evidence.choose import Selection
from apps.audit.evidence.gather import gather
from apps.audit.evidence.write import as_json, as_zip
from apps.audit.merkle import note, ranges
from apps.audit.merkle.hashing import fold, leaf_hash
from apps.audit.merkle.maker import sign_now
from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, tenant_scope
from tests.audit.merkle.test_vectors import raw, vectors
from tests.audit.settling import settle

SOURCE = Path(__file__).resolve().parents[2] / "sdk" / "aibos-verify"
NEEDED = ("cryptography", "cffi", "pycparser")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The program in an environment that holds nothing but it and `cryptography`."""
    folder = tmp_path_factory.mktemp("verifier")
    env = os.environ | {"UV_CACHE_DIR": str(folder / "cache"), "UV_OFFLINE": "1", "UV_NO_CONFIG": "1"}
    uv = find_uv_bin()
    subprocess.run(
        [uv, "build", "--wheel", str(SOURCE), "-o", folder], check=True, env=env, capture_output=True
    )
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    wheel = next(folder.glob("*.whl"))
    words = [uv, "pip", "install", "--no-deps", "--python", python, wheel]
    subprocess.run(words, check=True, env=env, capture_output=True)
    place = next((folder / "venv" / "lib").glob("python*/site-packages"))
    for name in NEEDED:
        for file in metadata.files(name) or []:
            source = Path(file.locate())
            if source.is_file() and ".." not in file.parts:
                target = place / file
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(source.read_bytes())
    return [str(folder / "venv" / "bin" / "aibos-verify")]


def run(program: list[str], *words: Any) -> "subprocess.CompletedProcess[str]":
    clean = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        [*program, *map(str, words)], env=clean, cwd="/", capture_output=True, text=True, check=False
    )


@pytest.fixture
def book(fresh_tenant: TenantRef) -> TenantRef:
    """A ledger with two records in it, signed twice."""
    for _ in range(2):
        with tenant_scope(fresh_tenant):
            for number in range(60):
                after = {"number": number, "name": "Zoë \u0001 😀"}
                target = f"crm_lead:{'only' if number == 7 else number % 2}"
                ledger.record("lead.created", by=SYSTEM, target=target, after=after)
        settle(fresh_tenant)
        sign_now(fresh_tenant)
    return fresh_tenant


@pytest.fixture(scope="module")
def honest(database: dict[str, TenantRef]) -> bytes:
    """Good evidence of a whole ledger as one JSON document."""
    acme = database["acme"]
    with tenant_scope(acme):
        for number in range(30):
            ledger.record("lead.created", by=SYSTEM, after={"number": number})
    settle(acme)
    return b"".join(as_json(gather(tenant=acme, chosen=Selection("ledger"), by=SYSTEM)))


@pytest.fixture
def good(honest: bytes, tmp_path: Path) -> Path:
    """The good evidence as a file of this test's own."""
    path = tmp_path / "evidence.json"
    path.write_bytes(honest)
    return path


def exported(book: TenantRef, folder: Path, chosen: Selection | None = None, *, form: str = "zip") -> Path:
    evidence = gather(tenant=book, chosen=chosen or Selection("ledger"), by=SYSTEM)
    path = folder / f"evidence-{os.urandom(3).hex()}.{form}"
    if form == "zip":
        with as_zip(evidence) as file:
            path.write_bytes(file.read())
    else:
        path.write_bytes(b"".join(as_json(evidence)))
    return path


def key_of(book: TenantRef) -> str:
    return note.verifier_key(f"aibos/{book.id}", note.keys()[0])


class TestInAnEmptyEnvironment:
    """The installed program, in a process that cannot reach this repository."""

    def test_it_knows_nothing_of_the_product(self, program: list[str]) -> None:
        python = Path(program[0]).with_name("python")
        words = "import importlib.util as u; print([n for n in ('django', 'apps', 'psycopg', 'orjson') if u.find_spec(n)])"
        done = subprocess.run(
            [python, "-I", "-c", words], capture_output=True, text=True, check=True, cwd="/"
        )
        assert done.stdout.strip() == "[]"

    @pytest.mark.parametrize("form", ["zip", "json"])
    def test_good_evidence_holds(
        self, program: list[str], book: TenantRef, tmp_path: Path, form: str
    ) -> None:
        path = exported(book, tmp_path, form=form)
        done = run(program, path, "--key", key_of(book), "--ledger", book.id)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "HOLDS: every signature" in done.stdout
        assert str(book.id) in done.stdout

    def test_one_changed_letter_does_not(self, program: list[str], book: TenantRef, tmp_path: Path) -> None:
        path = exported(book, tmp_path, Selection("record", target="crm_lead:only"), form="json")
        path.write_bytes(path.read_bytes().replace(b'\\"number\\":7', b'\\"number\\":8', 1))
        done = run(program, path, "--key", key_of(book), "--json")
        assert done.returncode == 1
        told = json.loads(done.stdout)
        assert not told["ok"]
        assert {item["code"] for item in told["findings"]} == {"altered-entry", "bad-proof"}
        assert told["firstBad"] == told["findings"][0]["seq"]

    def test_what_cannot_be_told_is_two(self, program: list[str], book: TenantRef, tmp_path: Path) -> None:
        path = exported(book, tmp_path)
        for words in (
            (path,),
            (path, "--key", "nonsense"),
            (path, "--key", "00" * 31),
            (tmp_path / "absent.zip", "--key", key_of(book)),
            (path, "--key", key_of(book), "--anchor", tmp_path / "absent"),
        ):
            assert run(program, *words).returncode == 2, words

    def test_a_key_may_lie_in_a_file(self, program: list[str], book: TenantRef, tmp_path: Path) -> None:
        path = exported(book, tmp_path)
        for number, text in enumerate(
            (key_of(book), note.keys()[0].hex(), base64.b64encode(note.keys()[0]).decode())
        ):
            file = tmp_path / f"key-{number}"
            file.write_text(text + "\n")
            assert run(program, path, "--key", file).returncode == 0

    def test_another_key_is_not_enough(self, program: list[str], book: TenantRef, tmp_path: Path) -> None:
        done = run(program, exported(book, tmp_path), "--key", "11" * 32)
        assert done.returncode == 1
        assert "unknown-key" in done.stdout

    def test_a_kept_checkpoint_must_be_continued(
        self, program: list[str], book: TenantRef, tmp_path: Path
    ) -> None:
        from apps.audit.merkle import checkpoints

        with tenant_scope(book):
            old = next(checkpoints.every(book.id))
        kept = tmp_path / "kept.txt"
        kept.write_text(old.note)
        path = exported(book, tmp_path)
        done = run(program, path, "--key", key_of(book), "--checkpoint", kept)
        assert done.returncode == 0, done.stdout
        forged = note.unchecked(old.note)
        kept.write_text(
            note.sign(note.Checkpoint(forged.origin, forged.size, os.urandom(32), forged.at, forged.link))
        )
        done = run(program, path, "--key", key_of(book), "--checkpoint", kept)
        assert done.returncode == 1
        assert "forged-history" in done.stdout

    def test_evidence_since_a_kept_checkpoint_proves_the_growth(
        self, program: list[str], book: TenantRef, tmp_path: Path
    ) -> None:
        from apps.audit.merkle import checkpoints

        for _ in range(2):
            with tenant_scope(book):
                ledger.record("lead.read", by=SYSTEM)
            settle(book)
            sign_now(book)
        with tenant_scope(book):
            old = list(checkpoints.every(book.id))[2]
        kept, path = tmp_path / "kept.txt", tmp_path / "since.zip"
        kept.write_text(old.note)
        person = Selection("record", target="crm_lead:only")
        for sizes, words in (((), "Nothing here proves"), ((old.size,), "HOLDS")):
            with as_zip(gather(tenant=book, chosen=person, by=SYSTEM, since_sizes=sizes)) as file:
                path.write_bytes(file.read())
            done = run(program, path, "--key", key_of(book), "--checkpoint", kept)
            assert words in done.stdout
            assert ("Nothing here proves" in done.stdout) is (not sizes)


@pytest.mark.parametrize("case", vectors("inclusion"), ids=lambda case: case["file"])
def test_published_vectors_of_inclusion(case: dict[str, Any]) -> None:
    proof = [raw(item) for item in case["proof"] or []]
    held = included(raw(case["leafHash"]), case["leafIdx"], case["treeSize"], proof, raw(case["root"]))
    assert held is not case["wantErr"], case["desc"]


@pytest.mark.parametrize("case", vectors("consistency"), ids=lambda case: case["file"])
def test_published_vectors_of_consistency(case: dict[str, Any]) -> None:
    proof = [raw(item) for item in case["proof"] or []]
    held = consistent(case["size1"], case["size2"], raw(case["root1"]), raw(case["root2"]), proof)
    assert held is not case["wantErr"], case["desc"]


def test_the_products_proofs_and_this_program_agree() -> None:
    leaves, tree = [leaf_hash(b"%d" % number) for number in range(130)], Growing()
    for size, leaf in enumerate(leaves, 1):
        assert leaf == leaf_of(b"%d" % (size - 1))
        tree.add(leaf)
        root = fold(leaves[:size])
        assert tree.root() == root
        for other in range(1, size + 1, 7):
            proof = [fold(leaves[low:high]) for low, high in ranges.inclusion(other - 1, size)]
            assert included(leaves[other - 1], other - 1, size, proof, root)
            assert not included(os.urandom(32), other - 1, size, proof, root)
            grown = [fold(leaves[low:high]) for low, high in ranges.consistency(other, size)]
            assert consistent(other, size, fold(leaves[:other]), root, grown)
            assert not consistent(other, size, os.urandom(32), root, grown)


class TestSpoiledEvidence:
    """Whatever is done to a file, it is a finding, never a crash and never a pass."""

    def judged(self, path: Path) -> set[str]:
        return {item.code for item in judge(path, Pins(note.keys())).findings}

    def changed(self, path: Path, change: Any) -> Path:
        values = json.loads(path.read_bytes())
        change(values)
        target = path.with_name("changed.json")
        target.write_bytes(orjson.dumps(values))
        return target

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            (lambda e: e["entries"].pop(3), "gap"),
            (lambda e: e["entries"].reverse(), "gap"),
            (lambda e: e["entries"].append(e["entries"][-1]), "gap"),
            (lambda e: e["entries"].pop(), "rolled-back"),
            (lambda e: e.update(leaves=e["leaves"][:-44]), "bad-proof"),
            (lambda e: e.update(ledger="00000000-0000-0000-0000-000000000009"), "wrong-log"),
            (lambda e: e.update(origin="aibos/other"), "wrong-log"),
            (lambda e: e["head"].update(hash="00" * 32), "wrong-head"),
            (lambda e: e["head"].update(seq=5), "beyond-the-head"),
            (lambda e: e["entries"][4].update(hash="00" * 32), "altered-entry"),
            (lambda e: e["entries"][4].update(prev="00" * 32), "broken-link"),
            (lambda e: e["entries"][4]["columns"].update(actor="member:x"), "altered-column"),
            (lambda e: e["entries"][4].update(body="{}"), "altered-entry"),
            (lambda e: e["platform"].update(index=e["platform"]["index"] + 1), "bad-proof"),
            (lambda e: e["platform"].update(leaf=e["platform"]["checkpoint"]), "wrong-log"),
            (lambda e: e.update(checkpoint="x"), "malformed"),
            (lambda e: e.update(format="aibos-evidence/2"), "malformed"),
            (lambda e: e.pop("checkpoint"), "malformed"),
            (lambda e: e["entries"].append(7), "malformed"),
            (lambda e: e.update(entries={}), "malformed"),
            (lambda e: e["entries"][0].pop("prev"), "malformed"),
            (lambda e: e.update(leaves="!"), "malformed"),
        ],
    )
    def test_a_change(self, good: Path, change: Any, code: str) -> None:
        assert self.judged(good) == set()
        assert code in self.judged(self.changed(good, change))

    def test_no_leaves_and_no_proofs_prove_nothing(self, good: Path) -> None:
        assert self.judged(self.changed(good, lambda e: e.pop("leaves"))) == {"bad-proof"}

    def test_a_key_twice(self, good: Path) -> None:
        good.write_bytes(good.read_bytes().replace(b'{"format"', b'{"ledger":"x","format"', 1))
        assert self.judged(good) == {"malformed"}

    @pytest.mark.parametrize(
        "content", [b"", b"PK\x03\x04", b"[]", b"null", b"{}", b"\xff" * 100, b'{"a":NaN}']
    )
    def test_no_evidence_at_all(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "x.zip"
        path.write_bytes(content)
        assert self.judged(path) == {"malformed"}

    def test_an_archive_that_unfolds(self, tmp_path: Path) -> None:
        path = tmp_path / "bomb.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("evidence.json", b" " * (65 * 1024 * 1024))
            archive.writestr("entries.jsonl", b"")
        assert self.judged(path) == {"malformed"}

    def test_a_name_twice(self, book: TenantRef, tmp_path: Path) -> None:
        path = exported(book, tmp_path)
        with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("entries.jsonl", b"")
        assert self.judged(path) == {"malformed"}


@pytest.mark.parametrize("text", ["", "x", "a+b+c", "aibos/x+00000000+" + "A" * 44, "11" * 33, "AAAA"])
def test_no_key(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        read_key(text)


def test_selections_prove_what_they_hold(book: TenantRef, tmp_path: Path) -> None:
    for chosen in (
        Selection("record", target="crm_lead:0"),
        Selection("record", target="crm_lead:only"),
        Selection("period", since=note.dt.datetime(2020, 1, 1, tzinfo=note.dt.UTC)),
    ):
        path = exported(book, tmp_path, chosen)
        report = judge(path, Pins(note.keys(), book.id))
        assert report.ok, report.findings
        assert report.facts["entries"] > 0
        header = json.loads(zipfile.ZipFile(path).read("evidence.json"))
        assert header["complete"] is (chosen.kind == "period")
