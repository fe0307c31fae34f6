"""The auditor's page: its own verifier works and refuses, its tables are complete, its addresses and commands exist."""

import re
import zipfile
from pathlib import Path

import pytest
from aibos_verify.findings import CODES
from django.urls import resolve

from apps.audit import ledger
from apps.audit.anchors.contract import kinds
from apps.audit.evidence.choose import Selection
from apps.audit.evidence.gather import gather
from apps.audit.evidence.write import as_zip
from apps.audit.merkle import note
from apps.audit.merkle.maker import sign_now
from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, tenant_scope
from config.environment import VARIABLES
from tests.audit.settling import settle

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "verifying-the-ledger.md").read_text(encoding="utf-8")
PROGRAM = re.search(r"```python\n(.+?)```", PAGE, re.DOTALL)


def run(path: Path) -> None:
    assert PROGRAM
    exec(compile(PROGRAM[1], "verifying-the-ledger.md", "exec"), {"path": path, "key": note.keys()[0]})


@pytest.mark.parametrize("chosen", [Selection("ledger"), Selection("record", target="crm_lead:only")])
def test_the_verifier_of_the_page_works(fresh_tenant: TenantRef, tmp_path: Path, chosen: Selection) -> None:
    with tenant_scope(fresh_tenant):
        for number in range(70):
            target = "crm_lead:only" if number == 9 else "crm_lead:other"
            ledger.record("lead.created", by=SYSTEM, target=target, after={"number": number})
    settle(fresh_tenant)
    sign_now(fresh_tenant)
    path = tmp_path / "evidence.zip"
    with as_zip(gather(tenant=fresh_tenant, chosen=chosen, by=SYSTEM)) as file:
        path.write_bytes(file.read())
    run(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["entries.jsonl"] = parts["entries.jsonl"].replace(b'\\"number\\":9', b'\\"number\\":8', 1)
    forged = tmp_path / "forged.zip"
    with zipfile.ZipFile(forged, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(AssertionError):
        run(forged)


def test_every_code_is_explained() -> None:
    explained = dict(re.findall(r"^\| ([a-z-]+) \| (.+) \|$", PAGE, re.MULTILINE))
    assert {code: explained.get(code) for code in CODES} == CODES


def test_every_address_exists() -> None:
    paths = set(re.findall(r"(/api/v1/ledger/[a-z/]+)", PAGE))
    assert len(paths) == 8
    for path in paths:
        assert resolve(path, urlconf="config.urls_tenant").func.__name__ != "MissingDoor", path
        assert resolve(path, urlconf="config.urls_tenant").func.view_class.__module__.startswith("apps.api.")


def test_every_setting_and_anchor_is_named() -> None:
    for name in ("ORIGIN", "CHECKPOINT_SECONDS", "CHECKPOINT_ENTRIES", "ANCHORS", "ANCHOR_ROOT"):
        assert f"LEDGER_{name}" in PAGE
        assert f"LEDGER_{name}" in {item.name for item in VARIABLES}
    for kind in kinds:
        assert f"| `{kind}" in PAGE


def test_other_pages_it_leads_to_exist() -> None:
    folder = Path(__file__).resolve().parents[2] / "docs"
    missing = [name for name in re.findall(r"\]\(([a-z-]+\.md)\)", PAGE) if not (folder / name).exists()]
    assert [name for name in missing if name != "privacy.md"] == []
