"""R21: on random worlds the check, the SQL predicate, the visible fields and a slow reference say the same.

`R21_CASES` sets how many (world, person, operation) are tried; `make permissions-proof` runs the full 10,000.
"""

import os

import psycopg
import pytest
from psycopg import sql

from apps.permissions import expressions, grants, holdings, reach
from apps.permissions.directory import Directory
from apps.permissions.grants import bundle
from apps.permissions.predicates import to_sql
from apps.permissions.rules import Always, Never, Or, SharedWith, Subject, conjunction, disjunction, holds
from tests.permissions import worlds
from tests.permissions.reference_world import Reference

CASES = int(os.environ.get("R21_CASES", "500"))
ROWS = 24
SCOPES = [None, None, None, frozenset({"data:read"}), frozenset({"thing:write"}), frozenset()]
SQL_TYPES = {
    "id": "uuid",
    "owner_id": "uuid",
    "region": "text",
    "score": "numeric",
    "vip": "boolean",
    "born": "date",
    "tags": "text[]",
}


@pytest.fixture(scope="module")
def place(admin_url):
    """A table of things and one of shares; yields (connection, the things)."""
    things = worlds.records(worlds.chances(7), ROWS)
    with psycopg.connect(admin_url, autocommit=True) as connection:
        columns = ", ".join(f"{name} {kind}" for name, kind in SQL_TYPES.items())
        connection.execute(f"CREATE TEMP TABLE thing ({columns})")
        connection.execute(
            "CREATE TEMP TABLE permissions_share (object_name text, record_id uuid, principal text,"
            " level int, valid_from timestamptz, valid_until timestamptz)"
        )
        marks = ", ".join(["%s"] * len(SQL_TYPES))
        for row in things:
            connection.execute(f"INSERT INTO thing VALUES ({marks})", [row[name] for name in SQL_TYPES])
        yield connection, things


def write_shares(connection, made):
    connection.execute("TRUNCATE permissions_share")
    for share in made["shares"]:
        until = "infinity" if share["in_force"] else "-infinity"
        connection.execute(
            "INSERT INTO permissions_share VALUES ('thing', %s, %s, %s, NULL, %s)",
            [share["record"], share["principal"], share["level"], until],
        )


def by_sql(connection, rule, subject, facts):
    """Return the ids that the predicate finds, and the facts of every record."""
    params = []
    asked = [to_sql(fact, "r", params, schema="pg_temp") for fact in facts]
    head = sql.SQL(", ").join([sql.SQL("r.id"), *asked])
    text = sql.SQL("SELECT {}, {} FROM thing r").format(head, to_sql(rule, "r", params, schema="pg_temp"))
    rows = connection.execute(text, [subject.bound(value) for value in params]).fetchall()
    known = {row[0]: dict(zip(facts, row[1:-1], strict=True)) for row in rows}
    return {row[0] for row in rows if row[-1] is True}, known


def difference(place, made, person, scopes):
    """Return the first thing on which the opinions differ, or None."""
    connection, things = place
    access, reference, thing = (
        worlds.access(made, person, scopes),
        Reference(made, person, scopes),
        worlds.thing(made),
    )
    if (access.readable(thing), access.editable(thing)) != reference.fields():
        return f"fields: {access.readable(thing)} {access.editable(thing)}, reference {reference.fields()}"
    facts = access.asked(thing)
    for op in worlds.OPERATIONS:
        found, known = by_sql(connection, access.predicate(op, thing), access.subject, facts)
        for record in things:
            seen = {**record, **known[record["id"]]}
            says = access.holds(op, thing, seen), record["id"] in found, reference.may(op, record)
            if len(set(says)) > 1:
                return f"{op}: check, SQL, reference = {says} on {record}"
            if op in ("create", "edit", "transfer"):
                after = access.holds_after(op, thing, seen), reference.may_leave(op, record)
                if len(set(after)) > 1:
                    return f"after {op}: check, reference = {after} on {record}"
    return None


def differences(place, cases, seed=1):
    """Try random worlds until `cases` (person, operation) are through; return the first difference."""
    chance, tried = worlds.chances(seed), 0
    while tried < cases:
        made = worlds.world(chance, place[1])
        write_shares(place[0], made)
        person, scopes = chance.choice(worlds.PEOPLE), chance.choice(SCOPES)
        grants._bundles.clear()
        found = difference(place, made, person, scopes)
        if found:
            return f"{found}\nin {made} for {person} with {scopes}"
        tried += len(worlds.OPERATIONS)
    return None


def test_check_sql_fields_and_the_reference_agree(place):
    assert differences(place, CASES) is None


def test_the_worlds_are_worth_trying(place):
    """Random rights say yes and no, and every layer of the compiler has its part in both."""
    chance, layers, answers = worlds.chances(2), set(), []
    for _ in range(150):
        made = worlds.world(chance, place[1])
        person = chance.choice(worlds.PEOPLE)
        access, thing = worlds.access(made, person), worlds.thing(made)
        for op in worlds.OPERATIONS:
            told = access.grants.on(thing).reaches[op]
            layers |= {clause.layer for clause in told.walls}
            for item in told.sets:
                layers |= {clause.layer for clause in (*item.openings, *(item.policies or ()))}
            answers += [access.holds(op, thing, record) for record in place[1]]
    assert layers == {
        "owd_baseline",
        "object",
        "vama_bypass",
        "depth",
        "sharing_rule",
        "share",
        "rls",
        "restriction",
    }
    assert 0.05 < sum(answers) / len(answers) < 0.8


# -- mutants ---------------------------------------------------------------------------------------


def sources(name, change):
    """A mutant that replaces a method of the compiler's sources; the real one comes first."""
    real = getattr(reach.Sources, name)
    return lambda patch: patch.setattr(reach.Sources, name, lambda self, *a, **k: change(real, self, *a, **k))


def function(module, name, change):
    real = getattr(module, name)
    return lambda patch: patch.setattr(module, name, lambda *a, **k: change(real, *a, **k))


def value(module, name, new):
    return lambda patch: patch.setattr(module, name, new)


def without(layer):
    def drop(real, self, *given):
        return [clause for clause in real(self, *given) if clause.layer != layer]

    return sources("_openings", drop)


def reach_rule(change):
    return lambda patch: patch.setattr(reach.Reach, "rule", property(change))


def set_rule(change):
    return lambda patch: patch.setattr(reach.SetReach, "rule", property(change))


def opened(self):
    return disjunction([item.rule for item in self.sets])


def shifted(real, self, op, owner):
    for clause in real(self, op, owner):
        if isinstance(clause.rule, SharedWith):
            yield reach.Clause(clause.layer, "", SharedWith(clause.rule.object, clause.rule.level - 1))
        else:
            yield clause


MUTANTS = {
    "walls forgotten": reach_rule(lambda self: conjunction([opened(self), self.within])),
    "walls open instead": reach_rule(
        lambda self: Or((conjunction([opened(self), self.within]), *(c.rule for c in self.walls)))
    ),
    "first wall only": reach_rule(
        lambda self: conjunction([opened(self), self.within, *(c.rule for c in self.walls[:1])])
    ),
    "wider than reading": reach_rule(lambda self: conjunction([opened(self), *(c.rule for c in self.walls)])),
    "sets narrow each other": reach_rule(
        lambda self: conjunction([*(i.rule for i in self.sets), *(c.rule for c in self.walls), self.within])
        if self.sets
        else Never()
    ),
    "policies open instead": set_rule(
        lambda self: disjunction([*(c.rule for c in self.openings), *(c.rule for c in self.policies or ())])
    ),
    "policies forgotten": set_rule(lambda self: disjunction([c.rule for c in self.openings])),
    "policies must all hold": set_rule(
        lambda self: conjunction(
            [disjunction([c.rule for c in self.openings]), *(c.rule for c in self.policies or ())]
        )
    ),
    "openings must all hold": set_rule(lambda self: conjunction([*(c.rule for c in self.openings), self.bounds])),
    "own records forgotten": sources(
        "_openings",
        lambda real, self, *a: [c for c in real(self, *a) if c.layer != "owd_baseline" or not c.source],
    ),
    "circles forgotten": without("depth"),
    "shares forgotten": without("share"),
    "sharing rules forgotten": without("sharing_rule"),
    "everything seen is not seen": without("vama_bypass"),
    "a share counts one level more": sources("_shared", shifted),
    "reading level for editing": value(reach, "LEVELS", {**reach.LEVELS, "edit": 1}),
    "shares reach deletion early": value(reach, "LEVELS", {**reach.LEVELS, "delete": 2}),
    "shares of export forgotten": value(reach, "LEVELS", {k: v for k, v in reach.LEVELS.items() if k != "export"}),
    "export sees as writing does": value(reach, "READING", frozenset({"read"})),
    "public reading forgotten": function(reach, "_public", lambda real, model, op: op == "edit" and real(model, op)),
    "public means all operations": function(reach, "_public", lambda real, model, op: model != "private"),
    "broken or not, a rule is open": sources("lowered", lambda real, self, *a: Always()),
    "policy written and read swapped": sources(
        "_policies", lambda real, self, item, op, *, written=False: real(self, item, op, written=not written)
    ),
    "a policy for others applies to all": function(holdings, "_placed", lambda real, grant, positions: grant),
    "a wall past its end stands": function(holdings, "_standing", lambda real, *a: True),
    "no wall stands": function(holdings, "_standing", lambda real, *a: False),
    "principals without those below": function(
        holdings,
        "principals",
        lambda real, held, known: real(
            held, Directory(known.sets, {n: g.__class__(n, g.kind, n, None, g.sets, g.inherits) for n, g in known.groups.items()})
        ),
    ),
    "groups give no sets": function(holdings, "group_sets", lambda real, *a: ()),
    "owners of a rule do not matter": function(holdings, "people", lambda real, *a: None),
    "scopes of a key do not matter": function(
        grants.narrowing, "object_mask", lambda real, *a: type(real(*a))(511)
    ),
    "negation not pushed down": lambda patch: patch.setattr(
        expressions, "OPPOSITE", {key: key for key in expressions.OPPOSITE}
    ),
    "sides not turned": value(expressions, "TURNED", {key: key for key in expressions.TURNED}),
    "a fault negated is true": lambda patch: patch.setattr(
        expressions._Lowering, "_present", lambda self, field, rule: rule
    ),
    "fields of a wall stay": lambda patch: patch.setattr(
        grants, "_fields", field_mutant(lambda sources: reach.Sources(sources.obj, sources.sets, (), (), False))
    ),
    "hidden fields are shown": lambda patch: patch.setattr(grants, "_sees", lambda *a: True),
}  # fmt: skip


def field_mutant(change):
    real = grants._fields
    return lambda sources: real(change(sources))


def test_mutants_of_the_compiler_are_killed(place):
    """Negative control: the comparison notices when the compiler is broken; at least nine of ten ways."""
    survived = []
    for name, apply in MUTANTS.items():
        with pytest.MonkeyPatch.context() as patch:
            apply(patch)
            if differences(place, 7 * 500, seed=3) is None:
                survived.append(name)
    killed = len(MUTANTS) - len(survived)
    print(f"mutants of the compiler: {killed} of {len(MUTANTS)} killed; survived: {survived or 'none'}")
    assert killed >= 0.9 * len(MUTANTS), survived


def test_a_broken_condition_lets_nothing_through(caplog):
    made = worlds.world(worlds.chances(4), worlds.records(worlds.chances(7), 3))
    thing = worlds.thing(made)
    for using in (
        "region = 'west'",
        "region == 5",
        "size(tags) > 1",
        "score < region",
        "nothing == 1",
        {"x": 1},
    ):
        policy = {"name": "p", "object": "thing", "operation": "select", "using": using}
        said = {
            "objects": {"thing": {"allowRead": True, "viewAllRecords": True}},
            "rowLevelSecurity": [policy],
        }
        made_set = worlds.compiled("only", said)
        access = worlds.Access(worlds.PEOPLE[0], bundle((made_set,)))
        assert access.predicate("read", thing) == Never(), using
        assert "record rule matches no record" in caplog.text
        caplog.clear()


def test_lists_of_people_and_records():
    field = type("Field", (), {"type": "user", "multiple": True})
    me, other = worlds.PEOPLE[:2]
    rule = expressions.expression("current_user.id in watchers", {"watchers": field})
    assert holds(rule, {"watchers": [me]}, Subject(me))
    assert not holds(rule, {"watchers": [other]}, Subject(me))
    assert not holds(rule, {"watchers": None}, Subject(me))
    negated = expressions.expression("!(current_user.id in watchers)", {"watchers": field})
    assert holds(negated, {"watchers": [other]}, Subject(me))
    assert not holds(negated, {"watchers": None}, Subject(me))  # CEL faults there
    params = []
    text = to_sql(rule, "r", params).as_string(None)
    assert text == '("r"."watchers" @> ARRAY[%s])'
    assert [Subject(me).bound(value) for value in params] == [me]
