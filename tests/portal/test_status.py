"""Status, integrity and alerts in the portal: what concerns this tenant, to whom, and nothing else."""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.test import Client
from django.utils import timezone
from psycopg import sql

from apps.audit import report
from apps.core import health
from apps.core.health import Finding
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.events.health import alerts, probe, status, verifying
from apps.events.models import Alert, CheckMinute, CheckState
from tests.audit.settling import settle
from tests.portal.atelier import Atelier

CANARY = "zqcanary-of-another"


@pytest.fixture
def probed(atelier: Atelier, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Finding]]:
    """What the checks of the parts find; every message carries what no tenant may read."""
    found = {name: Finding("ok", CANARY, {CANARY: 4711}) for names in status.PARTS.values() for name in names}
    made = {name: health.Check(name, lambda name=name: found[name]) for name in found}
    monkeypatch.setattr(health, "_checks", made)
    with platform_scope("test"):
        for model in (CheckState, CheckMinute, Alert):
            model.objects.all().delete()
    yield found


@pytest.fixture
def tampered(atelier: Atelier, superuser_url: str) -> Iterator[Alert]:
    """The atelier's ledger with its first entry edited, and the alert about it; mended afterwards."""
    settle()
    table = sql.Identifier(atelier.ref.schema, "audit_entry")
    edit = sql.SQL("UPDATE {} SET action = action || %s WHERE seq = 1").format(table)
    mend = sql.SQL("UPDATE {} SET action = replace(action, %s, '') WHERE seq = 1").format(table)
    for statement in (edit, mend):
        with psycopg.connect(superuser_url) as attacker:
            attacker.execute("SET LOCAL session_replication_role = replica")
            attacker.execute(statement, [CANARY])
        assert atelier.client("admin").post("/settings/ledger/verify").status_code == 200
        if statement is edit:
            with platform_scope("test"):
                alert = Alert.objects.get(tenant_id=atelier.ref.id, resolved_at=None)
            yield alert
    with platform_scope("test"):
        assert not Alert.objects.filter(tenant_id=atelier.ref.id, resolved_at=None).exists()


def page(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.content[:500]
    return answer.content.decode()


def test_the_status_says_a_word_and_nothing_of_the_platform(
    atelier: Atelier, probed: dict[str, Finding]
) -> None:
    probe.probe()
    probe.probe()
    text = page(atelier.client("nobody"), "/settings/status")
    assert "Everything works." in text
    probed["job_queue"] = Finding("degraded", CANARY)
    probed["outbox_lag"] = Finding("failed", CANARY)
    for _ in range(2):
        probe.probe()
    text = page(atelier.client("nobody"), "/settings/status")
    assert "Everything works." not in text
    assert "Slow" in text
    assert "Disturbed" in text
    assert CANARY not in text
    assert "4711" not in text


def test_control_operators_read_what_tenants_do_not(probed: dict[str, Finding]) -> None:
    """Negative control: the text is there to be leaked."""
    probe.probe()
    with platform_scope("test"):
        assert all(row.message == CANARY for row in CheckState.objects.all())


def test_without_a_probe_there_is_no_news(atelier: Atelier, probed: dict[str, Finding]) -> None:
    assert page(atelier.client("sales"), "/settings/status").count("No news") == len(status.PARTS)
    probe.probe()
    with platform_scope("test"):
        CheckState.objects.update(at=timezone.now() - dt.timedelta(minutes=5))
    assert page(atelier.client("sales"), "/settings/status").count("No news") == len(status.PARTS)


def test_the_share_of_the_day(atelier: Atelier, probed: dict[str, Finding]) -> None:
    now = timezone.now().replace(second=0, microsecond=0)
    with platform_scope("test"):
        for minute in range(10):
            CheckMinute.objects.create(
                name="bus",
                start=now - dt.timedelta(minutes=minute),
                worst=2 if minute < 3 else 1,
                message="",
            )
    with tenant_scope(atelier.ref):
        shares = {part.key: part.share for part in status.parts()}
    assert shares["events"] == pytest.approx(0.7)
    assert shares["work"] is None


def test_the_banner_is_for_those_who_may_view_the_ledger(atelier: Atelier, tampered: Alert) -> None:
    for name in ("owner", "admin"):
        text = page(atelier.client(name), "/")
        assert "The ledger was changed outside the product." in text
        assert "from entry 1 on" in text
    for name in ("sales", "reader", "nobody"):
        assert "changed outside the product" not in page(atelier.client(name), "/")


def test_another_tenant_sees_and_acknowledges_nothing(
    atelier: Atelier, tampered: Alert, globex: TenantRef, people: Any
) -> None:
    stranger = Client(HTTP_HOST="globex.localhost")
    stranger.post("/sign-in", {"email": people.email("owner", "globex"), "password": people.password})
    assert "changed outside the product" not in page(stranger, "/")
    assert stranger.post(f"/settings/alerts/{tampered.id}/acknowledge").status_code == 404
    with platform_scope("test"):
        assert Alert.objects.get(pk=tampered.pk).tenant_ack_at is None


def test_a_manager_acknowledges_and_it_leaves_the_way(atelier: Atelier, tampered: Alert) -> None:
    path = f"/settings/alerts/{tampered.id}/acknowledge"
    assert atelier.client("sales").post(path).status_code == 403
    assert "changed outside the product" in page(atelier.client("owner"), "/")
    assert atelier.client("admin").post(path)["Location"] == "/settings/status"
    assert "changed outside the product" not in page(atelier.client("owner"), "/")
    listed = page(atelier.client("owner"), "/settings/status")
    assert "changed outside the product" in listed
    assert "acknowledged by Adam Admin" in listed
    with platform_scope("test"):
        assert tampered.id in {notice.id for notice in alerts.for_operators()}


def test_the_report_as_a_page_and_as_a_document(atelier: Atelier) -> None:
    settle()
    admin = atelier.client("admin")
    assert "The chain holds" in admin.post("/settings/ledger/verify").content.decode()
    text = page(admin, "/settings/ledger/integrity")
    assert "The chain holds." in text
    assert "Adam Admin" in text
    document = json.loads(admin.get("/settings/ledger/integrity?format=json").content)
    assert (document["status"], document["tenant"]) == ("holds", str(atelier.ref.id))
    assert report.signature_holds(document)
    assert atelier.client("sales").get("/settings/ledger/integrity").status_code == 403


def test_a_tampered_ledger_has_a_page_that_says_so(atelier: Atelier, tampered: Alert) -> None:
    text = page(atelier.client("admin"), "/settings/ledger/integrity")
    assert "Entry 1 does not hold." in text
    assert "The chain holds." not in text


def test_a_long_ledger_leads_to_its_job(atelier: Atelier, monkeypatch: pytest.MonkeyPatch) -> None:
    settle()
    monkeypatch.setattr(verifying, "AT_ONCE", 0)
    answer = atelier.client("admin").post("/settings/ledger/verify")
    assert answer.status_code == 302
    assert UUID(answer["Location"].rsplit("/", 1)[-1])
