"""Tampering: a superuser edits a chained ledger; verifying raises the alarm for both sides, a repair ends it."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.core import mail
from psycopg import sql

from apps.audit import ledger, queries, verdicts
from apps.audit.models import Head, Retention, Verification
from apps.audit.verify import LedgerTampered
from apps.core.actor import SYSTEM, Actor
from apps.core.errors import NotFound, PermissionDenied
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.events.health import alerts, tampering, verifying
from apps.events.jobs import runner
from apps.events.models import Alert, Job, OutboxEvent
from tests.audit.settling import settle
from tests.people import People

Tamper = Callable[[TenantRef], Callable[[], None]]


@pytest.fixture
def tamper(superuser_url: str) -> Iterator[Tamper]:
    """Edit the third entry of a tenant's ledger with its triggers off; calling the result undoes it."""
    undone: list[Callable[[], None]] = []

    def edit(tenant: TenantRef) -> Callable[[], None]:
        table = sql.Identifier(tenant.schema, "audit_entry")

        def write(statement: str, *params: object) -> list[tuple[object, ...]]:
            with psycopg.connect(superuser_url) as attacker:
                attacker.execute("SET LOCAL session_replication_role = replica")
                cursor = attacker.execute(sql.SQL(statement).format(table), params)
                return cursor.fetchall() if cursor.description else []

        ((body,),) = write("SELECT body FROM {} WHERE seq = 3")
        write("UPDATE {} SET body = %s WHERE seq = 3", bytes(body).replace(b'"action":', b'"Action":', 1))  # type: ignore[arg-type]

        def undo() -> None:
            write("UPDATE {} SET body = %s WHERE seq = 3", body)

        undone.append(undo)
        return undo

    yield edit
    for undo in undone:
        undo()


@pytest.fixture
def book(fresh_tenant: TenantRef) -> TenantRef:
    """A tenant with a few chained entries."""
    with tenant_scope(fresh_tenant):
        for number in range(5):
            ledger.record("lead.created", by=SYSTEM, target=f"crm_lead:{number}")
    settle()
    return fresh_tenant


def open_alerts(tenant: TenantRef) -> list[Alert]:
    with platform_scope("test"):
        return list(Alert.objects.filter(tenant_id=tenant.id, resolved_at=None))


def events(kind: str, tenant: TenantRef) -> int:
    with platform_scope("test"):
        return OutboxEvent.objects.filter(type=kind, tenant_id=tenant.id).count()


def test_a_good_ledger_is_verified_and_kept_without_an_alarm(book: TenantRef) -> None:
    verdict = verdicts.judge(book, by=SYSTEM)
    assert verdict.ok
    with tenant_scope(book):
        (kept,) = verdicts.recent(book.id)
        (entry,) = queries.browse(queries.Filters(action="ledger.verified")).entries
    assert (kept.ok, kept.entries, kept.head) == (True, verdict.entries, verdict.head)
    assert entry.details["ok"] is True
    assert open_alerts(book) == []


def test_a_tampered_ledger_raises_the_alarm_on_both_sides(
    book: TenantRef, acme: TenantRef, people: People, tamper: Tamper
) -> None:
    undo = tamper(book)
    verdict = verdicts.judge(book, by=SYSTEM)
    assert verdict.bad is not None
    assert verdict.bad.seq == 3
    (alert,) = open_alerts(book)
    assert (alert.kind, alert.severity, alert.details["seq"]) == ("ledger.tampered", "critical", 3)
    assert events("ledger.tampered", book) == 1
    with platform_scope("test"):
        assert OutboxEvent.objects.filter(type="ledger.tampered", tenant_id=None).exists()
        assert alert.id in {notice.id for notice in alerts.for_operators()}
        assert [item.action for item in queries.history(f"alert:{alert.id}")] == ["alert.raised"]
    with tenant_scope(book):
        assert [notice.id for notice in alerts.for_tenant()] == [alert.id]
        assert [item.action for item in queries.history(f"alert:{alert.id}")] == ["alert.raised"]
    with tenant_scope(acme):
        assert alerts.for_tenant() == (), "nobody else hears of it"

    assert not verdicts.judge(book, by=SYSTEM).ok
    assert [row.times for row in open_alerts(book)] == [2], "the same flaw is the same alert"
    undo()
    assert verdicts.judge(book, by=people.operator()).ok
    assert open_alerts(book) == []
    with platform_scope("test"):
        assert alert.id not in {notice.id for notice in alerts.for_operators()}
        assert [item.action for item in queries.history(f"alert:{alert.id}")] == [
            "alert.resolved",
            "alert.raised",
        ]
    with tenant_scope(book):
        assert alerts.for_tenant() == ()


def test_operators_get_one_mail_each_and_members_none(
    book: TenantRef, people: People, tamper: Tamper
) -> None:
    while runner.run_next():
        pass
    mail.outbox.clear()
    tamper(book)
    for _ in range(3):
        verdicts.judge(book, by=SYSTEM)
    while runner.run_next():
        pass
    assert [letter.to for letter in mail.outbox] == [["operator@aibos.test"]]
    assert "does not hold from entry 3" in mail.outbox[0].body
    assert "/console/health/" in mail.outbox[0].body


def test_each_side_acknowledges_for_itself(book: TenantRef, people: People, tamper: Tamper) -> None:
    tamper(book)
    verdicts.judge(book, by=SYSTEM)
    (alert,) = open_alerts(book)
    owner = Actor(kind="member", id="o", label="Otto", tenant_id=book.id, role="owner")
    with tenant_scope(book):
        alerts.acknowledge(alert.id, by=owner)
        assert alerts.for_tenant() == ()
    with platform_scope("test"):
        assert alert.id in {notice.id for notice in alerts.for_operators()}, "operators have not seen it yet"
        alerts.acknowledge(alert.id, by=people.operator())
        assert alert.id not in {notice.id for notice in alerts.for_operators()}
    verdicts.judge(book, by=SYSTEM)
    with tenant_scope(book):
        assert alerts.for_tenant() == (), "the same flaw does not nag"


def test_a_new_flaw_is_in_the_way_again(
    book: TenantRef, people: People, tamper: Tamper, superuser_url: str
) -> None:
    tamper(book)
    verdicts.judge(book, by=SYSTEM)
    (alert,) = open_alerts(book)
    with platform_scope("test"):
        alerts.acknowledge(alert.id, by=people.operator())
    with psycopg.connect(superuser_url) as attacker:
        attacker.execute("SET LOCAL session_replication_role = replica")
        table = sql.Identifier(book.schema, "audit_entry")
        attacker.execute(sql.SQL("DELETE FROM {} WHERE seq = 2").format(table))
    verdicts.judge(book, by=SYSTEM)
    with platform_scope("test"):
        assert alert.id in {notice.id for notice in alerts.for_operators()}


@pytest.mark.parametrize("name", ["sales", "reader", "owner"])
def test_only_its_own_managers_acknowledge(
    book: TenantRef, people: People, tamper: Tamper, name: str
) -> None:
    """A member without a role is refused; the owner of another tenant does not even find it."""
    tamper(book)
    verdicts.judge(book, by=SYSTEM)
    (alert,) = open_alerts(book)
    member = Actor(kind="member", id="m", label="Mia", tenant_id=book.id, role="member")
    with tenant_scope(book), pytest.raises(PermissionDenied):
        alerts.acknowledge(alert.id, by=member)
    with tenant_scope(people.tenants["globex"]), pytest.raises(NotFound):
        alerts.acknowledge(alert.id, by=people.actor(name, "globex"))
    assert open_alerts(book)[0].tenant_ack_at is None


def test_the_nightly_verification_fails_and_goes_on(book: TenantRef, acme: TenantRef, tamper: Tamper) -> None:
    undo = tamper(book)
    with pytest.raises(LedgerTampered, match=book.slug):
        verdicts.judge_nightly()
    with platform_scope("test"):
        assert Verification.objects.filter(tenant_id=acme.id, bad_seq=None).exists(), (
            "the others were verified"
        )
    undo()
    assert "ledgers" in verdicts.judge_nightly()


def test_a_ledger_that_cannot_be_read_does_not_hold(book: TenantRef, superuser_url: str) -> None:
    table = sql.Identifier(book.schema, "audit_entry")
    hidden = sql.SQL("ALTER TABLE {} RENAME TO hidden")
    with psycopg.connect(superuser_url) as attacker:
        attacker.execute(hidden.format(table))
    verdict = verdicts.judge(book, by=SYSTEM)
    assert verdict.bad is not None
    assert verdict.bad.flaw == "unreadable"
    assert len(open_alerts(book)) == 1
    with psycopg.connect(superuser_url) as attacker:
        back = sql.SQL("ALTER TABLE {} RENAME TO audit_entry").format(sql.Identifier(book.schema, "hidden"))
        attacker.execute(back)
    assert verdicts.judge(book, by=SYSTEM).ok


def test_a_rolled_back_page_takes_no_verdict_back(book: TenantRef, tamper: Tamper) -> None:
    tamper(book)

    class Away(Exception):
        """The page fails after it has verified."""

    with pytest.raises(Away), tenant_scope(book):
        verdicts.judge(book, by=SYSTEM)
        raise Away
    assert len(open_alerts(book)) == 1


def test_only_the_last_verifications_are_kept(book: TenantRef, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "KEEP", 3)
    for _ in range(5):
        verdicts.judge(book, by=SYSTEM)
    with tenant_scope(book):
        assert len(verdicts.recent(book.id, 10)) == 3


def cut_the_tail(table: sql.Identifier) -> sql.Composed:
    return sql.SQL("DELETE FROM {0} WHERE seq = (SELECT max(seq) FROM {0})").format(table)


def replace_the_last(table: sql.Identifier) -> sql.Composed:
    return sql.SQL("UPDATE {0} SET hash = sha256('x') WHERE seq = (SELECT max(seq) FROM {0})").format(table)


def write_beyond_the_head(table: sql.Identifier) -> sql.Composed:
    return sql.SQL(
        "INSERT INTO {0} SELECT seq + 1, hash, prev, body, gen_random_uuid(), action, target, actor, at"
        " FROM {0} ORDER BY seq DESC LIMIT 1"
    ).format(table)


@pytest.mark.parametrize("attack", [cut_the_tail, replace_the_last, write_beyond_the_head])
def test_a_glance_at_the_end_raises_the_alarm_without_anybody_asking(
    book: TenantRef, superuser_url: str, attack: Callable[[sql.Identifier], sql.Composed]
) -> None:
    while runner.run_next():
        pass
    before = tampering.look_closer()
    with psycopg.connect(superuser_url) as attacker:
        attacker.execute("SET LOCAL session_replication_role = replica")
        attacker.execute(attack(sql.Identifier(book.schema, "audit_entry")))
    assert tampering.look_closer() == before + 1
    assert tampering.look_closer() == before + 1
    assert open_alerts(book) == [], "the alarm is the verification's"
    with platform_scope("test"):
        asked = Job.objects.filter(name=verifying.TASK, args={"ledger": str(book.id)}).count()
    assert asked == 1, "the same reason asks once"
    while runner.run_next():
        pass
    (alert,) = open_alerts(book)
    assert alert.kind == "ledger.tampered"


def test_control_an_edit_in_the_middle_is_no_matter_of_a_glance(book: TenantRef, tamper: Tamper) -> None:
    """Negative control: what only a verification finds; that is why every night has one."""
    before = tampering.look_closer()
    tamper(book)
    assert tampering.look_closer() == before
    assert not verdicts.judge(book, by=SYSTEM).ok


def test_a_ledger_that_retention_emptied_is_no_cut_tail(book: TenantRef, superuser_url: str) -> None:
    before = tampering.look_closer()
    with psycopg.connect(superuser_url) as admin:
        admin.execute("SET LOCAL session_replication_role = replica")
        admin.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(book.schema, "audit_entry")))
    assert tampering.look_closer() == before + 1, "negative control: nobody has allowed it"
    with platform_scope("test"):
        Retention.objects.create(tenant_id=book.id, days=1, pruned_seq=Head.objects.get(pk=book.id).seq)
    assert tampering.look_closer() == before
