"""Random worlds of rights: written for the reference as plain dicts, and the same as the compiler's own values."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from uuid import UUID

from apps.permissions.access import Access, of_rights
from apps.permissions.bodies import compiled, problems
from apps.permissions.directory import Directory, GroupValue, Holding, RuleValue, WallValue
from apps.permissions.holdings import rights_of
from apps.permissions.rights import KEYS, NEEDED
from tests.permissions.reference_world import cel

PEOPLE = [UUID(int=n) for n in range(1, 6)]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TYPES = {
    "id": "id",
    "owner_id": "user",
    "region": "text",
    "score": "number",
    "vip": "boolean",
    "born": "date",
    "tags": "multiselect",
}
COLUMNS = {
    "owner_id": [*PEOPLE[:4], None],
    "region": ["west", "east", "", "it's", None],
    "score": [Decimal("1.5"), Decimal(0), Decimal(7), None],
    "vip": [True, False, None],
    "born": [date(2020, 1, 1), date(1999, 12, 31), None],
    "tags": [["aa"], ["aa", "bb"], [], None],
}
OPERATIONS = list(NEEDED)
GROUPS = {
    "boss": ("role", None),
    "lead": ("role", "boss"),
    "clerk": ("role", "lead"),
    "north": ("team", None),
    "fjord": ("team", "north"),
}
PRINCIPALS = ["everyone", *(f"user:{p}" for p in PEOPLE[:3]), *(f"{k}:{n}" for n, (k, _) in GROUPS.items())]


def some(chance, items, share=0.5):
    return [item for item in items if chance.random() < share]


def condition(chance, depth=0):  # noqa: PLR0911 - one answer a kind of condition
    leaves = ["const", "role", "flag", "mine", "cmp", "cmp", "eq", "ne", "in", "has", "blank", "text"]
    kind = chance.choice(leaves if depth > 2 else [*leaves, *("and", "or", "not", "if") * 3])
    if kind in ("and", "or", "not", "if"):
        parts = {"not": 1, "if": 3}.get(kind, 2)
        return (kind, *(condition(chance, depth + 1) for _ in range(parts)))
    if kind == "const":
        return ("const", chance.random() < 0.6)
    if kind == "role":
        return ("role", chance.choice(["boss", "clerk", "everyone", "north"]))
    if kind == "flag":
        return ("flag", "vip")
    if kind == "mine":
        return chance.choice([("mine", "owner_id", "id"), ("mine", "region", "name")])
    if kind == "cmp":
        field = chance.choice(["score", "born"])
        return (
            chance.choice(["cmp", "turned"]),
            field,
            chance.choice(["<", "<=", ">", ">="]),
            given(chance, field),
        )
    if kind == "has":
        return ("has", "tags", chance.choice(["aa", "bb", "zz"]))
    if kind == "text":
        return (
            chance.choice(["startsWith", "endsWith", "contains"]),
            "region",
            chance.choice(["w", "st", "", "%"]),
        )
    field = chance.choice(["region", "score", "born", "vip"])
    if kind == "blank":
        return ("blank", field)
    return (
        ("in", field, [given(chance, field) for _ in range(2)])
        if kind == "in"
        else (kind, field, given(chance, field))
    )


def given(chance, field):
    return chance.choice([value for value in COLUMNS[field] if value is not None])


def criteria(chance):
    """A condition as a rule may be written: none, an object, or an expression."""
    form = chance.random()
    if form < 0.2:
        return {"region": chance.choice(["west", "east"])}
    if form < 0.4:
        field, value = chance.choice([("score", 1), ("region", "west")])
        test = chance.choice([{"$ne": value}, {"$in": [value]}, {"$null": True}, {"$null": False}])
        return {field: {"$gt": 1} if field == "score" and chance.random() < 0.3 else test}
    return condition(chance)


def written(chosen):
    return cel(chosen) if isinstance(chosen, tuple) else chosen


def body(chance):
    said = {key: chance.random() < 0.5 for key in KEYS}
    said["viewAllRecords"], said["modifyAllRecords"] = chance.random() < 0.15, chance.random() < 0.1
    for key in ("readScope", "writeScope"):
        if chance.random() < 0.4:
            said[key] = chance.choice(["own", "own_and_reports", "unit", "unit_and_below", "org"])
    name = chance.choice(["thing", "thing", "*"])
    objects = {name: said} if chance.random() < 0.9 else {}
    fields = {
        f"thing.{field}": chance.choice([{"readable": False}, {}, {"editable": True}])
        for field in some(chance, ["region", "score"], 0.3)
    }
    return {"objects": objects, "fields": fields}


def policies(chance):
    made = []
    for number in range(chance.choice([0, 0, 1, 2])):
        entry = {
            "name": f"p{number}",
            "operation": chance.choice(["select", "insert", "update", "delete", "all"]),
            "using": criteria(chance) if chance.random() < 0.85 else None,
            "check": None,
            "positions": some(chance, ["boss", "clerk", "everyone"], 0.3),
            "enabled": chance.random() < 0.9,
        }
        if entry["using"] is None or chance.random() < 0.3:
            entry["check"] = criteria(chance)
        made.append(entry)
    return made


def world(chance, records):
    """Return a world as it is written."""
    sets = {f"set{n}": body(chance) for n in range(4)}
    return {
        "model": chance.choice(["private", "private", "public_read", "public_read_write"]),
        "owned": chance.random() < 0.9,
        "fields": list(TYPES),
        "sets": sets,
        "policies": {name: policies(chance) for name in sets},
        "assigned": {person: some(chance, sets, 0.4) for person in PEOPLE},
        "groups": {
            name: {"kind": kind, "parent": parent, "sets": some(chance, sets, 0.15), "inherits": chance.random() < 0.3}
            for name, (kind, parent) in GROUPS.items()
        },
        "members": {name: some(chance, PEOPLE, 0.3) for name in GROUPS},
        "rules": [
            {"name": f"r{n}", "level": chance.choice([1, 2, 3]), "criteria": criteria(chance) if chance.random() < 0.7 else None,
             "owners": chance.choice(["", "", *PRINCIPALS]), "principal": chance.choice(PRINCIPALS)}
            for n in range(chance.choice([0, 1, 2]))
        ],
        "walls": [
            {"name": f"w{n}", "object": chance.choice(["thing", "thing", "*", "other"]), "in_force": chance.random() < 0.8,
             "operations": some(chance, OPERATIONS, 0.3), "fields": some(chance, ["region", "vip"], 0.2),
             "criteria": criteria(chance) if chance.random() < 0.8 else None, "principal": chance.choice(PRINCIPALS)}
            for n in range(chance.choice([0, 0, 1, 2, 3]))
        ],
        "shares": [
            {"record": chance.choice(records)["id"], "level": chance.choice([1, 2, 3]), "in_force": chance.random() < 0.8,
             "principal": principal}
            for principal in some(chance, PRINCIPALS, 0.3)
        ],
    }  # fmt: skip


def records(chance, count):
    return [
        {"id": UUID(int=1_000 + n), **{name: chance.choice(values) for name, values in COLUMNS.items()}}
        for n in range(count)
    ]


def thing(made):
    """Return the object as the compiler sees it."""
    fields = {
        name: SimpleNamespace(type=kind, visible_to=None, editable_by=None, masking=None, multiple=False)
        for name, kind in TYPES.items()
    }
    owner = "owner_id" if made["owned"] else None
    return SimpleNamespace(name="thing", all_fields=fields, sharing_model=made["model"], owner_field=owner)


def directory(made) -> Directory:
    """Return the world as the compiler's own values."""
    sets = {}
    for name, said in made["sets"].items():
        entries = [
            {**entry, "object": "thing", "using": written(entry["using"]), "check": written(entry["check"])}
            for entry in made["policies"][name]
        ]
        whole = {**said, "rowLevelSecurity": entries}
        assert not problems(whole), (whole, problems(whole))
        sets[name] = compiled(name, whole)
    groups = {
        name: GroupValue(name, said["kind"], name, said["parent"], tuple(said["sets"]), said["inherits"])
        for name, said in made["groups"].items()
    }
    ended = NOW - timedelta(days=1)
    return Directory(
        sets=sets,
        groups=groups,
        rules=tuple(
            RuleValue(r["name"], "thing", r["level"], written(r["criteria"]), r["owners"], r["principal"])
            for r in made["rules"]
        ),
        walls=tuple(
            WallValue(
                w["name"],
                w["object"],
                tuple(w["operations"]),
                tuple(w["fields"]),
                written(w["criteria"]),
                w["principal"],
                None,
                None if w["in_force"] else ended,
            )
            for w in made["walls"]
        ),
        shared=frozenset({"thing"} if made["shares"] else ()),
        members=lambda names: tuple(sorted({p for name in names for p in made["members"][name]})),
    )


def access(made, person, scopes=None) -> Access:
    """Return what the compiler makes of a person's rights."""
    held = Holding(
        person,
        role="member",
        state="active",
        name="west",
        assigned=tuple(made["assigned"].get(person, ())),
        groups=tuple(name for name, people in made["members"].items() if person in people),
    )
    return of_rights(rights_of(held, directory(made), scopes))


def chances(seed):
    return random.Random(seed)
