"""One compiler, two back ends, on the real tables of objects: what the statement finds is what `holds` allows."""

import random

import pytest
from psycopg import sql

from apps.core.scope import current_tenant
from apps.objects import catalog
from apps.objects.query import plans
from apps.objects.query.plans import View
from apps.permissions import reach, rules
from apps.permissions.access import Access, bundle
from apps.permissions.bodies import compiled
from apps.permissions.predicates import to_sql
from apps.permissions.rights import KEYS
from tests.objects.world import insert

OBJECTS = ("qa_lead", "qa_account", "qa_board")
OPERATIONS = ("read", "export", "edit", "delete", "transfer", "purge")
TITLES = {"qa_lead": "name", "qa_account": "name", "qa_board": "title"}


def rows_of(world, chance, name, count):
    owners = [None, *(world.user(who) for who in ("owner", "sales", "manager"))]
    rows = []
    for n in range(count):
        row = {
            "owner_id": chance.choice(owners),
            "deleted_at": chance.choice([None, None, "2026-01-01T00:00:00Z"]),
        }
        row["id"] = insert(name, **{TITLES[name]: f"n{n}"}, **row)
        rows.append(row)
    return rows


def random_access(world, chance):
    bodies = []
    for _ in range(chance.randint(0, 3)):
        names = [name for name in (*OBJECTS, "*") if chance.random() < 0.5]
        bodies.append({"objects": {name: {key: chance.random() < 0.3 for key in KEYS} for name in names}})
    sets = tuple(compiled(f"s{n}", body) for n, body in enumerate(bodies))
    scopes = chance.choice([None, None, frozenset({"data:read"}), frozenset({"qa_lead:write"})])
    user = chance.choice([None, world.user("sales"), world.user("manager"), world.user("reader")])
    return Access(user, bundle(sets, scopes))


def found(mine, obj, op):
    compiler = plans.compiler(View(current_tenant(), catalog.catalog(), mine))
    visible = compiler.visible(obj, "r", op=op)
    text = sql.SQL("SELECT id FROM {} r WHERE {}").format(compiler.table(obj), visible)
    plan = compiler.plan(text)
    view = View(current_tenant(), catalog.catalog(), mine)
    return {row[0] for row in view.read(plan, (), {}, ()).rows}


def differences(world, cases):
    chance, tried = random.Random(21), 0
    data = {name: rows_of(world, chance, name, 25) for name in OBJECTS}
    while tried < cases:
        mine, name, op = random_access(world, chance), chance.choice(OBJECTS), chance.choice(OPERATIONS)
        obj = catalog.catalog().object(name)
        allowed = {r["id"] for r in data[name] if r["deleted_at"] is None and mine.holds(op, obj, r)}
        if found(mine, obj, op) != allowed:
            return name, op, mine
        if op in ("edit", "delete", "transfer", "purge"):
            assert allowed <= found(mine, obj, "read")
        tried += len(data[name])
    return None


def test_the_statement_and_the_check_agree(inside):
    assert differences(inside, 12_000) is None


def no_deletion(self, obj, alias, *, op="read", deleted=False):
    return to_sql(self.access.predicate(op, obj), alias, self.params.items)


def everyone(self, op, obj, record):
    return rules.holds(self.predicate(op, obj), record, rules.Subject(record.get("owner_id")))


@pytest.mark.parametrize(
    ("target", "name", "broken"),
    [
        ("apps.objects.query.compiler.Compiler", "visible", no_deletion),
        ("apps.permissions.access.Access", "holds", everyone),
        ("apps.objects.query.compiler", "to_sql", lambda *a, **k: sql.SQL("true")),
    ],
)
def test_a_difference_is_noticed(inside, monkeypatch, target, name, broken):
    """Negative control: a broken half is found by the same comparison."""
    monkeypatch.setattr(f"{target}.{name}", broken)
    assert differences(inside, 12_000) is not None


def test_a_rule_that_is_always_true_is_noticed(inside, monkeypatch):
    """Negative control: both halves agree on a wrong rule, so the rights themselves must be compared too."""
    monkeypatch.setattr(reach.Reach, "rule", rules.Always())
    nobody = Access(inside.user("sales"), bundle((compiled("fresh", {"objects": {}}),)))
    lead = catalog.catalog().object("qa_lead")
    nobody.grants.compiled.clear()
    assert nobody.holds("read", lead, {"owner_id": None})
    nobody.grants.compiled.clear()
    monkeypatch.undo()
    assert not nobody.holds("read", lead, {"owner_id": None})
