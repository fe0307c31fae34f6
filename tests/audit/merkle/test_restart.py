"""A backup put in place: an alarm until somebody says so openly; then signing goes on under the next generation."""

from pathlib import Path

import pytest
from aibos_verify import Pins, judge
from django.core.management import CommandError, call_command
from django.test import override_settings

from apps.audit import ledger, queries
from apps.audit.anchors.file import FileAnchor
from apps.audit.anchors.push import Pusher
from apps.audit.evidence.choose import Selection
from apps.audit.evidence.gather import gather
from apps.audit.evidence.write import as_zip
from apps.audit.merkle import note, tree
from apps.audit.merkle.maker import sign_now
from apps.audit.merkle.restart import begin, restart, restart_if_restored
from apps.audit.verify import verify
from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from tests.audit.attacker import Attacker
from tests.audit.settling import settle


def grow(tenant: TenantRef, folder: Path, count: int = 3) -> None:
    with tenant_scope(tenant):
        for number in range(count):
            ledger.record("lead.created", by=SYSTEM, after={"number": number})
    settle(tenant)
    sign_now(tenant)
    Pusher([FileAnchor(folder)]).run_once()


@pytest.fixture
def set_back(fresh_tenant: TenantRef, superuser_url: str, tmp_path: Path) -> TenantRef:
    """A ledger put back to an earlier state, while its anchor knows of the time after."""
    with override_settings(LEDGER_ANCHORS=["file"], LEDGER_ANCHOR_ROOT=str(tmp_path)):
        grow(fresh_tenant, tmp_path)
        attacker = Attacker(superuser_url, fresh_tenant)
        kept = attacker.dump()
        grow(fresh_tenant, tmp_path)
        attacker.load(kept)
        yield fresh_tenant


def test_without_a_word_the_alarm_stays(set_back: TenantRef, tmp_path: Path) -> None:
    """Negative control: new entries on top of the restored ones do not make it good."""
    assert verify(set_back).bad
    grow(set_back, tmp_path, 10)
    verdict = verify(set_back)
    assert verdict.bad
    assert verdict.bad.flaw == "forged history"


def test_said_openly_it_goes_on(set_back: TenantRef, tmp_path: Path) -> None:
    assert restart(set_back, by=SYSTEM, reason="the disk broke") == 1
    settle(set_back)
    grow(set_back, tmp_path)
    verdict = verify(set_back)
    assert verdict.ok, verdict.bad
    assert verdict.proven.anchors[0].size == verdict.entries
    with tenant_scope(set_back):
        state = tree.state(set_back.id)
        entry = queries.browse(queries.Filters(action="ledger.restarted")).entries[0]
    assert state
    assert state.origin == f"aibos/{set_back.id}/2"
    assert entry.details["reason"] == "the disk broke"
    path = tmp_path / "evidence.zip"
    with as_zip(gather(tenant=set_back, chosen=Selection("ledger"), by=SYSTEM)) as file:
        path.write_bytes(file.read())
    Pusher([FileAnchor(tmp_path)]).run_once()
    report = judge(path, Pins(note.keys(), set_back.id, [], [tmp_path]))
    assert report.ok, report.findings


def test_the_marker_of_a_restored_backup_is_taken_up_once(set_back: TenantRef, tmp_path: Path) -> None:
    (tmp_path / "restored").write_text("the backup x.tar was restored\n")
    assert restart_if_restored()
    assert not restart_if_restored()
    settle(set_back)
    grow(set_back, tmp_path)
    assert verify(set_back).ok
    with platform_scope("test"):
        mine = tree.state(tree.here())
        assert mine is None or mine.origin.endswith("/2")


def test_the_command_wants_a_reason(set_back: TenantRef, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError, match="Say why"):
        call_command("ledger", "restart", "--tenant", set_back.slug)
    call_command("ledger", "restart", "--tenant", set_back.slug, "--reason", "the disk broke")
    assert "1 trees" in capsys.readouterr().out


def test_a_ledger_that_was_closed_here_comes_back_under_the_next_name(acme: TenantRef) -> None:
    from uuid import uuid4

    gone = uuid4()
    with platform_scope("test"):
        begin(gone)
        assert tree.state(gone) is None
        ledger.record("ledger.closed", by=SYSTEM, target=f"tenant:{gone}")
        begin(gone)
        begin(gone)
        state = tree.state(gone)
    assert state
    assert state.origin == f"aibos/{gone}/2"
