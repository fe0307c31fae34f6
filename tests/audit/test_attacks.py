"""Fifteen attacks by a database superuser, judged by the product and by the program that knows only a file and a key.

The verifier gets the exported evidence, the pinned key and ledger id, and a copy of the anchor's folder made before the
attack. Each must be found, with the first bad entry. At the end it prints who caught what.
"""

import base64
import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from aibos_verify import Pins, judge
from django.test import override_settings

from apps.audit import ledger
from apps.audit.anchors.contract import AnchorBroken
from apps.audit.anchors.file import FileAnchor
from apps.audit.anchors.push import Pusher
from apps.audit.evidence.choose import Selection
from apps.audit.evidence.gather import gather
from apps.audit.evidence.write import as_zip
from apps.audit.merkle import note
from apps.audit.merkle.maker import Checkpointer, sign_now
from apps.audit.verify import verify
from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, tenant_scope
from tests.audit.attacker import Attacker
from tests.audit.settling import settle

RESULTS: dict[str, tuple[str, str]] = {}


@dataclass
class Scene:
    """A ledger under attack: its anchor, the copy of it far away, and the superuser."""

    tenant: TenantRef
    acme: TenantRef
    anchor: Path
    far: Path
    attacker: Attacker
    folder: Path

    def write(self, count: int) -> None:
        with tenant_scope(self.tenant):
            for number in range(count):
                ledger.record(
                    "lead.created", by=SYSTEM, target=f"crm_lead:{number}", after={"number": number}
                )
        settle(self.tenant)

    def sign(self) -> None:
        """Sign, tell the anchor, and copy what it holds to the other place."""
        sign_now(self.tenant)
        Pusher([FileAnchor(self.anchor)]).run_once()
        shutil.copytree(self.anchor, self.far, dirs_exist_ok=True)

    def export(self, chosen: Selection | None = None) -> Path:
        path = self.folder / f"evidence-{os.urandom(3).hex()}.zip"
        evidence = gather(tenant=self.tenant, chosen=chosen or Selection("ledger"), by=SYSTEM)
        with as_zip(evidence) as file:
            path.write_bytes(file.read())
        return path

    def verdict(self, path: Path, *, anchor: Path | None = None) -> Any:
        keys = note.keys()
        return judge(path, Pins(keys, self.tenant.id, [], [anchor or self.far]))

    @property
    def origin(self) -> str:
        return f"aibos/{self.tenant.id}"


@pytest.fixture(scope="module", autouse=True)
def told(request: pytest.FixtureRequest) -> Iterator[None]:
    """Prints at the end who caught what."""
    yield
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n{'attack':<32} {'the product says':<32} aibos-verify says")
        for name, (inside, outside) in RESULTS.items():
            print(f"{name:<32} {inside:<32} {outside}")
        print(f"caught: {len(RESULTS)} of 15")


@pytest.fixture
def scene(fresh_tenant: TenantRef, acme: TenantRef, superuser_url: str, tmp_path: Path) -> Iterator[Scene]:
    """A ledger with a chain of known length, signed in four steps, its anchor and the copy of it."""
    anchor, far = tmp_path / "anchors", tmp_path / "far" / "anchors"
    with override_settings(LEDGER_ANCHORS=["file"], LEDGER_ANCHOR_ROOT=str(anchor)):
        made = Scene(fresh_tenant, acme, anchor, far, None, tmp_path)  # type: ignore[arg-type]
        for count in (3, 5, 5, 7):
            made.write(count)
            made.sign()
        made.attacker = Attacker(superuser_url, fresh_tenant)
        yield made


def forge(attacker: Attacker, seq: int) -> None:
    attacker.run(
        "UPDATE {} SET body = convert_to(replace(convert_from(body, 'UTF8'), '\"number\":', '\"amount\":'), 'UTF8')"
        " WHERE seq = %s",
        seq,
    )


def rewritten(path: Path, change: Callable[[dict[str, Any], list[dict[str, Any]]], None]) -> Path:
    """The same archive with its contents changed by whoever passes it on."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    header = json.loads(parts["evidence.json"])
    entries = [json.loads(line) for line in parts["entries.jsonl"].splitlines()]
    change(header, entries)
    parts["evidence.json"] = orjson.dumps(header)
    parts["entries.jsonl"] = b"".join(orjson.dumps(entry) + b"\n" for entry in entries)
    target = path.with_name("passed-on-" + path.name)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    target.write_bytes(buffer.getvalue())
    return target


# Each returns the first bad entry and the codes of which one must be among the verifier's; None: no entry of its own.
Outcome = tuple[int | None, set[str]]


def edit_a_body(scene: Scene) -> Outcome:
    forge(scene.attacker, 10)
    return 10, {"altered-entry"}


def edit_a_time(scene: Scene) -> Outcome:
    scene.attacker.run("UPDATE {} SET at = at - interval '1 day' WHERE seq = 11")
    return 11, {"altered-column"}


def delete_in_the_middle(scene: Scene) -> Outcome:
    scene.attacker.run("DELETE FROM {} WHERE seq = 9")
    return 9, {"gap"}


def delete_the_tail(scene: Scene) -> Outcome:
    """The cleverest way: entries, head, tree and checkpoints all end three entries earlier."""
    attacker = scene.attacker
    size = attacker.last - 3
    attacker.run("DELETE FROM {} WHERE seq > %s", size)
    attacker.forget_signatures()
    attacker.head(size, attacker.all("SELECT hash FROM {} WHERE seq = %s", size)[0][0])
    return size + 1, {"rolled-back"}


def insert_an_entry(scene: Scene) -> Outcome:
    """Between two others, with columns that fit it, renumbered and linked anew."""
    attacker = scene.attacker
    attacker.shift(8, 1)
    fresh = str(uuid4())
    old, body = attacker.all("SELECT id, body FROM {} WHERE seq = 7")[0]
    attacker.run(
        "INSERT INTO {0} SELECT 8, hash, prev, %s, %s, action, target, actor, at FROM {0} WHERE seq = 7",
        body.replace(str(old).encode(), fresh.encode()),
        fresh,
    )
    attacker.relink(8)
    return 8, {"forged-history", "altered-entry"}


def swap_two(scene: Scene) -> Outcome:
    attacker = scene.attacker
    attacker.run("UPDATE {} SET seq = CASE seq WHEN 9 THEN -10 ELSE -9 END WHERE seq IN (9, 10)")
    attacker.run("UPDATE {} SET seq = -seq WHERE seq < 0")
    return 9, {"broken-link"}


def recompute_the_suffix(scene: Scene) -> Outcome:
    forge(scene.attacker, 12)
    scene.attacker.relink(12)
    return 12, {"altered-entry", "forged-history"}


def recompute_the_chain(scene: Scene) -> Outcome:
    """Everything: bodies, links, head, tiles, root; and no signature is left, so the product signs the forgery."""
    attacker = scene.attacker
    forge(attacker, 6)
    attacker.relink(1)
    attacker.forget_signatures()
    return 6, {"forged-history"}


def move_to_another_tenant(scene: Scene) -> Outcome:
    """A whole row of another tenant's ledger takes the place of one here, and everything is linked anew."""
    attacker = scene.attacker
    with tenant_scope(scene.acme):
        ledger.record("lead.created", by=SYSTEM, after={"whose": "acme"})
    settle(scene.acme)
    attacker.run("DELETE FROM {} WHERE seq = 7")
    attacker.run(
        "INSERT INTO {} SELECT 7, hash, prev, body, id, action, target, actor, at FROM t_acme.audit_entry"
        " ORDER BY seq DESC LIMIT 1"
    )
    attacker.relink(1)
    return 7, {"wrong-log"}


def restore_an_older_backup(scene: Scene) -> Outcome:
    attacker = scene.attacker
    kept, size = attacker.dump(), attacker.last
    scene.write(4)
    scene.sign()
    attacker.load(kept)
    return size + 1, {"rolled-back"}


def replace_the_head(scene: Scene) -> Outcome:
    scene.attacker.head(scene.attacker.last, os.urandom(32))
    return scene.attacker.last, {"wrong-head"}


def set_back_the_anchor(scene: Scene) -> Outcome:
    """Both copies of the folder are put back to what they were two checkpoints earlier, consistently."""
    size = 0
    for place in (scene.anchor, scene.far):
        folder = FileAnchor(place).folder_of(scene.origin)
        lines = (folder / "checkpoints").read_bytes().split(b"\n")[:2]
        size = json.loads(lines[-1])["size"]
        (folder / "checkpoints").write_bytes(b"\n".join(lines) + b"\n")
        (folder / "leaves").write_bytes((folder / "leaves").read_bytes()[: size * 32])
    return size + 1, {"anchor-set-back"}


def flip_a_bit_of_a_signature(scene: Scene) -> Outcome:
    attacker = scene.attacker
    size, text = attacker.all(
        "SELECT size, note FROM public.audit_checkpoint WHERE tenant_id = %s ORDER BY size DESC LIMIT 1",
        attacker.tenant.id,
    )[0]
    head, _, blob = text.rstrip("\n").rpartition(" ")
    raw = bytearray(base64.b64decode(blob))
    raw[20] ^= 1
    bad = f"{head} {base64.b64encode(raw).decode()}\n"
    attacker.run("UPDATE public.audit_checkpoint SET note = %s WHERE tenant_id = %s AND size = %s", bad, attacker.tenant.id, size)  # fmt: skip
    return None, {"bad-signature"}


DATABASE = [
    edit_a_body, edit_a_time, delete_in_the_middle, delete_the_tail, insert_an_entry, swap_two, recompute_the_suffix,
    recompute_the_chain, move_to_another_tenant, restore_an_older_backup, replace_the_head, set_back_the_anchor,
    flip_a_bit_of_a_signature,
]  # fmt: skip


@pytest.mark.parametrize("attack", DATABASE, ids=lambda item: item.__name__)
def test_an_attack_on_the_database_is_found_by_both(scene: Scene, attack: Callable[[Scene], Outcome]) -> None:
    seq, codes = attack(scene)
    inside = verify(scene.tenant)
    report = scene.verdict(scene.export())
    assert not report.ok
    assert {item.code for item in report.findings} & codes, report.findings
    assert report.first_bad == seq, report.findings
    assert inside.bad is not None
    if seq is not None:
        assert inside.bad.seq == seq, inside.bad
    RESULTS[attack.__name__] = (f"entry {inside.bad.seq}: {inside.bad.flaw}", _told(report))


def _told(report: Any) -> str:
    found = report.findings[0]
    return f"entry {report.first_bad}: {found.code}" if report.first_bad is not None else found.code


def other_proof(header: dict[str, Any], entries: list[dict[str, Any]]) -> None:
    entries[0]["proof"], entries[1]["proof"] = entries[1]["proof"], entries[0]["proof"]


def test_a_proof_for_another_entry_is_found(scene: Scene) -> None:
    scene.write(300)
    scene.sign()
    honest = scene.export(Selection("record", target="crm_lead:2"))
    assert scene.verdict(honest).ok
    report = scene.verdict(rewritten(honest, other_proof))
    with zipfile.ZipFile(honest) as archive:
        first = json.loads(archive.read("entries.jsonl").splitlines()[0])["seq"]
    assert (report.first_bad, {item.code for item in report.findings}) == (first, {"bad-proof"})
    RESULTS["proof_for_another_entry"] = ("(no attack on the database)", _told(report))


def test_a_checkpoint_by_an_unknown_key_is_found(scene: Scene) -> None:
    honest = scene.export()
    with override_settings(SECRET_KEY="a stranger's secret " * 4):
        said = note.unchecked(json.loads(zipfile.ZipFile(honest).read("evidence.json"))["checkpoint"])
        forged = note.sign(said)

    def change(header: dict[str, Any], entries: list[dict[str, Any]]) -> None:
        header["checkpoint"] = forged

    report = scene.verdict(rewritten(honest, change))
    assert {item.code for item in report.findings} == {"unknown-key"}
    RESULTS["checkpoint_by_an_unknown_key"] = ("(no attack on the database)", _told(report))


def test_an_untouched_ledger_holds(scene: Scene) -> None:
    """Negative control: with nothing touched neither finds anything."""
    inside = verify(scene.tenant)
    assert inside.ok, inside.bad
    assert [(item.name, item.says) for item in inside.proven.anchors] == [("file", "good")]
    assert inside.proven.signed == inside.entries
    report = scene.verdict(scene.export())
    assert report.ok, report.findings
    assert report.facts["entries"] >= inside.entries


def test_without_anything_kept_outside_a_recomputed_chain_passes(scene: Scene) -> None:
    """Negative control of the anchors: with the key alone the forgery that the product signed cannot be told."""
    recompute_the_chain(scene)
    path = scene.export()
    assert judge(path, Pins(note.keys(), scene.tenant.id)).ok
    assert not scene.verdict(path).ok


def test_the_anchor_refuses_the_forgery(scene: Scene) -> None:
    recompute_the_chain(scene)
    Checkpointer().run_once(now=True)
    Pusher([FileAnchor(scene.anchor)]).run_once()
    inside = verify(scene.tenant)
    assert inside.bad
    with tenant_scope(scene.tenant):
        assert len(list(FileAnchor(scene.anchor).held(scene.origin).notes)) == 4  # type: ignore[union-attr]
    assert issubclass(AnchorBroken, Exception)


def test_there_are_fifteen() -> None:
    assert len(DATABASE) + 2 == 15
