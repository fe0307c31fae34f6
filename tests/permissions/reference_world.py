"""A slow reading of the guide: who may do what with which record and field, from the written grants alone.

Nothing of the compiler is used here. Conditions are tuples; `cel` writes them, `judge` evaluates them with the
three outcomes of CEL: true, false, and None for a fault.
"""

import json
from datetime import date

IMPLIED = {
    "modifyAllRecords": ("viewAllRecords", "allowRead", "allowEdit", "allowDelete"),
    "viewAllRecords": ("allowRead",),
}
BIT = {op: f"allow{op.title()}" for op in ("read", "create", "edit", "delete", "export", "transfer", "purge")}
POLICY = {
    "select": {"read", "export"},
    "insert": {"create"},
    "update": {"edit", "transfer"},
    "delete": {"delete", "purge"},
}
LEVEL = {"read": 1, "export": 1, "edit": 2, "delete": 3}
SCOPE_BITS = {
    "data:read": {"allowRead", "allowExport", "viewAllRecords"},
    "thing:write": {*BIT.values(), "viewAllRecords", "modifyAllRecords"},
}


# -- conditions ------------------------------------------------------------------------------------


def value_text(value):
    if isinstance(value, date):
        return f"date('{value}')"
    if isinstance(value, str | bool):
        return json.dumps(value)
    return str(value)


def cel(condition):  # noqa: C901, PLR0911, PLR0912 - one answer a kind of condition
    kind, *rest = condition
    if kind == "const":
        return value_text(rest[0])
    if kind in ("and", "or"):
        return f"({cel(rest[0])} {'&&' if kind == 'and' else '||'} {cel(rest[1])})"
    if kind == "not":
        return f"!({cel(rest[0])})"
    if kind == "if":
        return f"({cel(rest[0])} ? {cel(rest[1])} : {cel(rest[2])})"
    if kind == "role":
        return f"{value_text(rest[0])} in current_user.positions"
    field, *rest = rest
    if kind == "flag":
        return field
    if kind == "mine":
        return f"current_user.{rest[0]} == record.{field}"
    if kind == "cmp":
        return f"record.{field} {rest[0]} {value_text(rest[1])}"
    if kind == "turned":
        sign = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}[rest[0]]
        return f"{value_text(rest[1])} {sign} record.{field}"
    if kind in ("eq", "ne"):
        return f"{field} {'==' if kind == 'eq' else '!='} {value_text(rest[0])}"
    if kind == "in":
        return f"{field} in [{', '.join(map(value_text, rest[0]))}]"
    if kind == "has":
        return f"{value_text(rest[0])} in {field}"
    if kind == "blank":
        return f"isBlank({field})"
    return f"{field}.{kind}({value_text(rest[0])})"


def judge(condition, record, me):  # noqa: C901, PLR0911, PLR0912 - one answer a kind of condition
    kind, *rest = condition
    if kind == "const":
        return rest[0]
    if kind in ("and", "or"):
        found = [judge(part, record, me) for part in rest]
        deciding = kind == "or"
        if deciding in found:
            return deciding
        return None if None in found else not deciding
    if kind == "not":
        found = judge(rest[0], record, me)
        return None if found is None else not found
    if kind == "if":
        found = judge(rest[0], record, me)
        return None if found is None else judge(rest[1] if found else rest[2], record, me)
    if kind == "role":
        return rest[0] in me["positions"]
    value = record[rest[0]]
    if kind == "eq":
        return value is not None and value == rest[1]
    if kind == "ne":
        return value is None or value != rest[1]
    if kind == "mine":
        return value is not None and value == me[rest[1]]
    if kind == "in":
        return value is not None and value in rest[1]
    if kind == "blank":
        return value is None or value == ""
    if value is None:
        return None
    if kind == "flag":
        return value
    if kind == "has":
        return rest[1] in value
    if kind in ("cmp", "turned"):
        return {"<": value < rest[2], "<=": value <= rest[2], ">": value > rest[2], ">=": value >= rest[2]}[
            rest[1]
        ]
    return {
        "startsWith": value.startswith(rest[1]),
        "endsWith": value.endswith(rest[1]),
        "contains": rest[1] in value,
    }[kind]


def mapped(written, record):
    """Judge a condition of the form `{field: value | {operator: value}}`."""
    for field, wanted in written.items():
        for operator, value in (wanted if isinstance(wanted, dict) else {"$eq": wanted}).items():
            found = record[field]
            known = {
                "$eq": found is not None and found == value,
                "$ne": found is None or found != value,
                "$gt": found is not None and operator == "$gt" and found > value,
                "$in": found is not None and operator == "$in" and found in value,
                "$null": (found is None) is value,
            }
            if not known[operator]:
                return False
    return True


def true_of(condition, record, me):
    if condition is None:
        return True
    return mapped(condition, record) if isinstance(condition, dict) else judge(condition, record, me) is True


# -- grants ----------------------------------------------------------------------------------------


class Reference:
    """One person in one world: `world` holds sets, groups, members, rules, walls and shares as they are written."""

    def __init__(self, world, person, scopes):
        self.world, self.person, self.scopes = world, person, scopes
        self.groups = [name for name, people in world["members"].items() if person in people]
        self.roles = [name for name in self.groups if world["groups"][name]["kind"] == "role"]
        self.teams = [name for name in self.groups if world["groups"][name]["kind"] == "team"]
        self.me = {"id": person, "name": "west", "positions": ["everyone", "member", *self.roles]}

    def up(self, name):
        while name:
            yield name
            name = self.world["groups"][name]["parent"]

    def under(self, top):
        return [name for name in self.world["groups"] if name != top and top in self.up(name)]

    def sets(self):
        names = list(self.world["assigned"].get(self.person, ()))
        for group in self.groups:
            said = self.world["groups"][group]
            names += said["sets"]
            if said["kind"] == "team":
                names += [n for g in list(self.up(group))[1:] for n in self.world["groups"][g]["sets"]]
            elif said["inherits"]:
                names += [n for g in self.under(group) for n in self.world["groups"][g]["sets"]]
        return [name for name in dict.fromkeys(names) if name in self.world["sets"]]

    def rights(self, name):
        objects = self.world["sets"][name].get("objects", {})
        said = objects.get("thing", objects.get("*", {}))
        held = {key for key, value in said.items() if value is True}
        held |= {"viewAllRecords"} if said.get("readScope") == "org" else set()
        held |= {"modifyAllRecords"} if said.get("writeScope") == "org" else set()
        held |= {also for key in list(held) for also in IMPLIED.get(key, ())}
        if self.scopes is not None:
            held &= set().union(*(SCOPE_BITS[scope] for scope in self.scopes))
        return held, said

    def covered(self, principal):
        kind, _, name = principal.partition(":")
        if kind == "role":
            return any(name in (role, *self.under(role)) for role in self.roles)
        if kind == "team":
            return any(name in self.up(team) for team in self.teams)
        return principal in ("everyone", f"user:{self.person}")

    def among(self, principal, who):
        if principal in ("", "everyone"):
            return True
        return who is not None and Reference(self.world, who, None).covered(principal)

    def circle(self, said, op, owner):
        name = said.get("readScope" if op in ("read", "export") else "writeScope", "own")
        groups = {
            "own_and_reports": [g for role in self.roles for g in self.under(role)],
            "unit": self.teams,
            "unit_and_below": [g for team in self.teams for g in (team, *self.under(team))],
        }.get(name, [])
        return any(owner in self.world["members"][group] for group in groups)

    def opened(self, rights, said, op, record):
        model = self.world["model"]
        if op == "create" or not self.world["owned"]:
            return True
        reading = op in ("read", "export")
        if ("viewAllRecords" if reading else "modifyAllRecords") in rights:
            return True
        if (reading and model != "private") or (op == "edit" and model == "public_read_write"):
            return True
        owner = record["owner_id"]
        if owner is not None and (owner == self.person or self.circle(said, op, owner)):
            return True
        level = LEVEL.get(op, 9)
        for share in self.world["shares"]:
            if (
                share["record"] == record["id"]
                and share["level"] >= level
                and share["in_force"]
                and self.covered(share["principal"])
            ):
                return True
        return any(
            rule["level"] >= level
            and self.covered(rule["principal"])
            and self.among(rule["owners"], owner)
            and true_of(rule["criteria"], record, self.me)
            for rule in self.world["rules"]
        )

    def policies(self, name, op, record, *, written):
        mine = [
            p
            for p in self.world["policies"].get(name, ())
            if p["enabled"] and (p["operation"] == "all" or op in POLICY[p["operation"]])
        ]
        if not mine:
            return True
        for policy in mine:
            if policy["positions"] and not set(policy["positions"]) & set(self.me["positions"]):
                continue
            condition = policy["using"]
            if (written or op == "create") and policy["check"] is not None:
                condition = policy["check"]
            if true_of(condition, record, self.me):
                return True
        return False

    def walled(self, op, record):
        return any(
            wall["in_force"]
            and self.covered(wall["principal"])
            and wall["object"] in ("thing", "*")
            and op in wall["operations"]
            and not wall["fields"]
            and not (wall["criteria"] is not None and true_of(wall["criteria"], record, self.me))
            for wall in self.world["walls"]
        )

    def may(self, op, record):
        """Whether the operation may touch the record as it is."""
        if op not in ("read", "create") and not self.may("read", record):
            return False
        return not self.walled(op, record) and any(
            BIT[op] in self.rights(name)[0]
            and self.opened(*self.rights(name), op, record)
            and self.policies(name, op, record, written=False)
            for name in self.sets()
        )

    def may_leave(self, op, record):
        """Whether a write may leave the record like this."""
        if self.walled(op, record) or self.walled("read", record):
            return False
        return any(
            BIT[op] in self.rights(name)[0]
            and (op != "edit" or self.opened(*self.rights(name), op, record))
            and self.policies(name, op, record, written=True)
            for name in self.sets()
        )

    def fields(self):
        """Return (readable, editable)."""
        readable, editable = {"id"}, set()
        for name in self.sets():
            rights, _ = self.rights(name)
            for field in self.world["fields"]:
                said = self.world["sets"][name].get("fields", {}).get(f"thing.{field}")
                if "allowRead" in rights and (said is None or said.get("readable", True)):
                    readable.add(field)
                shown = said is None or (said.get("readable", True) and said.get("editable", False))
                if {"allowEdit", "allowCreate"} & rights and shown:
                    editable.add(field)
        for wall in self.world["walls"]:
            if wall["in_force"] and wall["object"] == "thing" and self.covered(wall["principal"]):
                editable -= set(wall["fields"])
                readable -= set(wall["fields"]) - {"id"} if "read" in wall["operations"] else set()
        return readable, editable & readable
