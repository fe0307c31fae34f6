"""Tampering: a superuser with the trigger off edits a chained ledger, and verify names the first bad entry."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from psycopg import sql

from apps.audit import ledger
from apps.audit.chain import GENESIS, link, prefix_of
from apps.audit.verify import verify, verify_all
from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from tests.audit.settling import settle

LENGTH = 20


@pytest.fixture
def book(fresh_tenant: TenantRef) -> TenantRef:
    """A tenant with a chain of known length on top of what its creation wrote."""
    with tenant_scope(fresh_tenant):
        for number in range(LENGTH):
            ledger.record("lead.created", by=SYSTEM, target=f"crm_lead:{number}", after={"number": number})
    settle()
    return fresh_tenant


@pytest.fixture
def attacker(superuser_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection; what it does is committed."""
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        yield connection


class Attack:
    """Statements on a tenant's ledger with its triggers off."""

    def __init__(self, connection: psycopg.Connection[Any], tenant: TenantRef) -> None:
        self._connection = connection
        self.tenant = tenant
        self.table = sql.Identifier(tenant.schema, "audit_entry")
        self.last = self.run("SELECT max(seq) FROM {}").fetchone()[0]

    def run(self, statement: str, *params: Any) -> psycopg.Cursor[Any]:
        with self._connection.transaction():
            self._connection.execute("SET LOCAL session_replication_role = replica")
            return self._connection.execute(sql.SQL(statement).format(self.table), params)

    def shift(self, first: int, by: int) -> None:
        """Renumber everything from `first` on."""
        self.run("UPDATE {} SET seq = -seq WHERE seq >= %s", first)
        self.run("UPDATE {} SET seq = -seq + %s WHERE seq < 0", by)


def edit_body(attack: Attack) -> tuple[int, str]:
    attack.run(
        "UPDATE {} SET body = convert_to(replace(convert_from(body, 'UTF8'), 'created', 'deleted'), 'UTF8')"
        " WHERE seq = 5"
    )
    return 5, "altered body"


def edit_hash(attack: Attack) -> tuple[int, str]:
    attack.run("UPDATE {} SET hash = sha256('x') WHERE seq = 6")
    return 6, "altered body"


def edit_body_and_hash(attack: Attack) -> tuple[int, str]:
    prev, body = attack.run("SELECT prev, body FROM {} WHERE seq = 7").fetchone()
    forged = body.replace(b"created", b"deleted")
    digest = link(prefix_of(attack.tenant.id), 7, prev, forged)
    attack.run("UPDATE {} SET body = %s, hash = %s, action = 'lead.deleted' WHERE seq = 7", forged, digest)
    return 8, "broken link"


def delete_middle(attack: Attack) -> tuple[int, str]:
    attack.run("DELETE FROM {} WHERE seq = 8")
    return 8, "gap"


def delete_middle_and_renumber(attack: Attack) -> tuple[int, str]:
    attack.run("DELETE FROM {} WHERE seq = 8")
    attack.shift(9, -1)
    return 8, "broken link"


def delete_tail(attack: Attack) -> tuple[int, str]:
    attack.run("DELETE FROM {} WHERE seq > %s", attack.last - 3)
    return attack.last - 2, "missing tail"


def delete_all(attack: Attack) -> tuple[int, str]:
    attack.run("DELETE FROM {}")
    return 1, "missing tail"


def insert_at_the_end(attack: Attack) -> tuple[int, str]:
    attack.run(
        "INSERT INTO {} SELECT seq + 1, hash, prev, body, gen_random_uuid(), action, target, actor, at FROM {}"
        " ORDER BY seq DESC LIMIT 1".replace("FROM {}", "FROM {0}").replace("INTO {}", "INTO {0}")
    )
    return attack.last + 1, "beyond the head"


def insert_before_the_first(attack: Attack) -> tuple[int, str]:
    attack.run(
        "INSERT INTO {0} SELECT 0, hash, prev, body, gen_random_uuid(), action, target, actor, at FROM {0}"
        " WHERE seq = 1"
    )
    return 1, "gap"


def swap_two(attack: Attack) -> tuple[int, str]:
    attack.run("UPDATE {} SET seq = CASE seq WHEN 9 THEN -10 ELSE -9 END WHERE seq IN (9, 10)")
    attack.run("UPDATE {} SET seq = -seq WHERE seq < 0")
    return 9, "broken link"


def edit_time(attack: Attack) -> tuple[int, str]:
    attack.run("UPDATE {} SET at = at - interval '1 day' WHERE seq = 11")
    return 11, "columns disagree"


def edit_action(attack: Attack) -> tuple[int, str]:
    attack.run("UPDATE {} SET action = 'lead.read' WHERE seq = 12")
    return 12, "columns disagree"


def edit_target(attack: Attack) -> tuple[int, str]:
    attack.run("UPDATE {} SET target = NULL WHERE seq = 13")
    return 13, "columns disagree"


def edit_actor(attack: Attack) -> tuple[int, str]:
    attack.run("UPDATE {} SET actor = 'member:somebody-else' WHERE seq = 14")
    return 14, "columns disagree"


def recompute_the_suffix(attack: Attack) -> tuple[int, str]:
    """Everything after the forged entry is linked anew; only the head knows better."""
    rows = attack.run("SELECT seq, body FROM {} ORDER BY seq").fetchall()
    prev, prefix = GENESIS, prefix_of(attack.tenant.id)
    for seq, body in rows:
        forged = body.replace(b'"number":2}', b'"number":7}')
        digest = link(prefix, seq, prev, forged)
        attack.run("UPDATE {} SET body = %s, prev = %s, hash = %s WHERE seq = %s", forged, prev, digest, seq)
        prev = digest
    return attack.last, "wrong head"


ATTACKS = [
    edit_body, edit_hash, edit_body_and_hash, delete_middle, delete_middle_and_renumber, delete_tail, delete_all,
    insert_at_the_end, insert_before_the_first, swap_two, edit_time, edit_action, edit_target, edit_actor,
    recompute_the_suffix,
]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda item: item.__name__)
def test_verify_names_the_first_bad_entry(
    book: TenantRef, attacker: psycopg.Connection[Any], attack: Callable[[Attack], tuple[int, str]]
) -> None:
    assert verify(book).ok
    seq, flaw = attack(Attack(attacker, book))
    verdict = verify(book)
    assert verdict.bad is not None
    assert (verdict.bad.seq, verdict.bad.flaw) == (seq, flaw), verdict.bad.message
    assert str(seq) in verdict.bad.message


def test_an_entry_moved_to_another_tenant_does_not_hold_there(
    book: TenantRef, acme: TenantRef, attacker: psycopg.Connection[Any]
) -> None:
    """The ledger's id is hashed: the very same row at the same place is another tenant's all the same."""
    prev, body = Attack(attacker, book).run("SELECT prev, body FROM {} WHERE seq = 1").fetchone()
    assert link(prefix_of(book.id), 1, prev, body) != link(prefix_of(acme.id), 1, prev, body)


def test_the_chain_holds_while_it_grows(book: TenantRef) -> None:
    before = verify(book)
    with tenant_scope(book):
        ledger.record("lead.created", by=SYSTEM)
    waiting = verify(book)
    assert (waiting.ok, waiting.entries, waiting.pending) == (True, before.entries, 1)
    settle()
    after = verify(book)
    assert (after.ok, after.entries, after.pending) == (True, before.entries + 1, 0)
    assert after.head != before.head


def test_the_command_ends_with_one_when_an_entry_is_bad(
    book: TenantRef, attacker: psycopg.Connection[Any]
) -> None:
    said = io.StringIO()
    call_command("ledger", "verify", "--tenant", book.slug, stdout=said)
    assert "entries hold" in said.getvalue()
    edit_time(Attack(attacker, book))
    said = io.StringIO()
    with pytest.raises(SystemExit, match="1"):
        call_command("ledger", "verify", "--tenant", book.slug, "--json", stdout=said)
    verdict = json.loads(said.getvalue())
    assert (verdict["ok"], verdict["bad"]["seq"], verdict["bad"]["flaw"]) == (False, 11, "columns disagree")


def test_all_ledgers_are_verified_one_by_one(book: TenantRef, acme: TenantRef) -> None:
    with platform_scope("test"):
        ledger.record("plan.created", by=SYSTEM)
    settle()
    verdicts = {verdict.ledger: verdict for verdict in verify_all()}
    assert {"platform", "acme", "globex", book.slug} <= verdicts.keys()
    assert all(verdict.ok for verdict in verdicts.values())
    assert verdicts["platform"].entries > 0
