"""From two sets of definitions to the steps that lead from one to the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from django.db.migrations import operations as ops
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.graph import MigrationGraph
from django.db.migrations.questioner import MigrationQuestioner
from django.db.migrations.state import ProjectState
from django.db.models import NOT_PROVIDED

from apps.objects.definitions import ObjectDef
from apps.objects.kinds import AcceptContext, kind_of
from apps.objects.schema.locking import LockMode, weigh
from apps.objects.schema.machines import Machine, changes
from apps.objects.schema.making import machines
from apps.objects.schema.rename import Rename, database_renames, field_renames, object_renames, renamed
from apps.objects.schema.resealing import Reseal
from apps.objects.schema.risk import Risk, judge
from apps.objects.schema.state import APP_LABEL, project_state

Rows = Callable[[str], int]


@dataclass(frozen=True)
class Step:
    """One step: what it does in words, how risky it is, and what would be lost."""

    sentence: str
    risk: Risk
    object: str
    field: str | None = None
    destructive: bool = False
    rows: int = 0
    lock: LockMode = "brief"
    lock_ms: int = 0
    action: Any = dataclasses.field(default=None, compare=False, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Return the step for a page or an answer."""
        return {
            "sentence": self.sentence,
            "class": self.risk,
            "object": self.object,
            "field": self.field,
            "destructive": self.destructive,
            "rows": self.rows,
            "lock": self.lock,
            "lockMs": self.lock_ms,
        }


@dataclass(frozen=True)
class Plan:
    """The steps in the order of their execution; `old` and `new` are the states between which they lead."""

    steps: tuple[Step, ...]
    old: ProjectState = dataclasses.field(compare=False, repr=False)
    new: ProjectState = dataclasses.field(compare=False, repr=False)
    definitions: Mapping[str, ObjectDef] = dataclasses.field(compare=False, repr=False, default_factory=dict)
    former: Mapping[str, ObjectDef] = dataclasses.field(compare=False, repr=False, default_factory=dict)
    sql: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        return not self.steps

    @property
    def destructive(self) -> tuple[Step, ...]:
        """The steps that lose data."""
        return tuple(s for s in self.steps if s.destructive)

    @property
    def lock_ms(self) -> int:
        """The milliseconds, as estimated, that people may have to wait while the change is made."""
        return sum(s.lock_ms for s in self.steps)

    @property
    def risk(self) -> Risk:
        """The worst class of any step."""
        for risk in ("breaking", "backfill"):
            if any(s.risk == risk for s in self.steps):
                return risk  # type: ignore[return-value]
        return "safe"

    def as_dict(self) -> dict[str, Any]:
        """Return the plan for a page or an answer."""
        return {
            "class": self.risk,
            "lockMs": self.lock_ms,
            "steps": [s.as_dict() for s in self.steps],
            "sql": list(self.sql),
        }


@dataclass(frozen=True)
class Removal:
    """The action that takes a machine away before the tables change."""

    machine: Machine


@dataclass(frozen=True)
class Building:
    """The action that makes a machine when the tables have changed."""

    machine: Machine


class Answers(MigrationQuestioner):
    """Answers the autodetector's questions from the definitions: the default fills what becomes required."""

    def __init__(self, definitions: Mapping[str, ObjectDef]) -> None:
        super().__init__()
        self.definitions = definitions

    def ask_initial(self, app_label: str) -> bool:
        return True

    def ask_not_null_addition(self, field_name: str, model_name: str) -> Any:
        return self.fill(field_name, model_name)

    def ask_not_null_alteration(self, field_name: str, model_name: str) -> Any:
        return self.fill(field_name, model_name)

    def fill(self, field_name: str, model_name: str) -> Any:
        """Return the value for the rows that have none, or NOT_PROVIDED."""
        definition = self.definitions[model_name]
        wanted = definition.all_fields[field_name]
        value = kind_of(wanted).default(wanted, context=AcceptContext())
        return NOT_PROVIDED if value is None else value


def plan(
    old: Mapping[str, ObjectDef],
    new: Mapping[str, ObjectDef],
    *,
    rows: Rows | None = None,
    standing: Mapping[str, ObjectDef] = MappingProxyType({}),
) -> Plan:
    """Return the steps from `old` to `new` (objects by name; one missing in `new` is dropped).

    `rows(table)` counts a table's rows, so that the plan can say what a step loses and that nothing is
    lost in an empty table; without it tables are taken as full. `standing` are the tenant's other objects.
    """
    moved = object_renames(old, new)
    gone, built = changes(machines({**standing, **old}), machines({**standing, **new}))
    steps: list[Step] = [_removal(machine, built) for machine in gone]
    before: dict[str, ObjectDef] = {}
    for name, definition in old.items():
        now = moved.get(name, name)
        fields = field_renames(definition, new[now]) if now in new else {}
        before[now] = renamed(definition, now, fields, moved)
        steps += _rename_steps(definition, before[now], fields)
    operations = [
        op for name in sorted({*before, *new}) for op in _operations(before.get(name), new.get(name))
    ]
    operations.sort(key=_turn)
    counts: dict[str, int] = {}

    def count(name: str) -> int:
        if name not in counts:
            former = next((o for o, n in moved.items() if n == name), name)
            counts[name] = rows(old[former].table) if rows and former in old else (1 if former in old else 0)
        return counts[name]

    for op in operations:
        verdict = judge(op, before, new, count)
        mode, wait = weigh(op, before, new, count)
        steps.append(Step(**verdict, lock=mode, lock_ms=wait, action=op))
    steps += [
        _building(machine, count if machine.parent in new else rows_of(standing, rows)) for machine in built
    ]
    states = project_state(before.values()), project_state(new.values())
    return Plan(tuple(steps), *states, dict(new), before)


def rows_of(standing: Mapping[str, ObjectDef], rows: Rows | None) -> Rows:
    """Return a count by the names of objects that do not change."""
    return lambda name: rows(standing[name].table) if rows and name in standing else 1


def _removal(machine: Machine, built: list[Machine]) -> Step:
    anew = any(machine.name == other.name for other in built)
    sentence = f"Pause: {_lowered(machine)}." if anew else f"No longer {_lowered(machine)}."
    return Step(sentence, "safe", machine.object, machine.field, action=Removal(machine))


def _building(machine: Machine, count: Rows) -> Step:
    rows = count(machine.parent) if machine.rewrites else 0
    sentence = f"{machine.sentence}{f'; {rows} records are counted' if rows else ''}."
    risk: Risk = "backfill" if rows else "safe"
    return Step(sentence, risk, machine.object, machine.field, rows=rows, action=Building(machine))


def _lowered(machine: Machine) -> str:
    return machine.sentence[0].lower() + machine.sentence[1:]


def _operations(old: ObjectDef | None, new: ObjectDef | None) -> list[Any]:
    """Return Django's operations from one state of an object to the other.

    States know no relations, so each object is compared alone: the autodetector's optimizer takes minutes
    over the operations of 150 objects at once. A new table is created with everything that belongs to it.
    """
    if old is None and new is not None:
        return [ops.CreateModel(new.name, fields=[])]
    before, after = (project_state([d] if d else []) for d in (old, new))
    answers = Answers({new.name: new} if new else {})
    detector = MigrationAutodetector(before, after, answers)
    changes = detector.changes(graph=MigrationGraph(), trim_to_apps={APP_LABEL})
    return [op for migration in changes.get(APP_LABEL, ()) for op in migration.operations]


def _turn(op: Any) -> int:
    """Tables that others refer to come first, those nobody refers to any more go last."""
    return 0 if isinstance(op, ops.CreateModel) else 2 if isinstance(op, ops.DeleteModel) else 1


def _rename_steps(old: ObjectDef, new: ObjectDef, fields: Mapping[str, str]) -> list[Step]:
    found = []
    for rename in database_renames(old, new):
        sentence = _rename_sentence(rename, old, new)
        former = next((o for o, n in fields.items() if n == rename.new), None)
        field_name = rename.new if former and rename.what == "column" else None
        found.append(Step(sentence, "safe", new.name, field_name, action=rename))
    return found + _reseal_steps(old, new)


def _reseal_steps(old: ObjectDef, new: ObjectDef) -> list[Step]:
    """Return a step for each encrypted field whose place has another name: its values are bound to the place."""
    found = []
    for before, after in zip(old.fields.values(), new.fields.values(), strict=True):
        if before.encrypted and (old.table, before.column) != (new.table, after.column):
            action = Reseal(old.table, before.column, new.table, replace(before, name=after.name))
            sentence = f"Seal the values of {new.name}.{after.name} for their new place."
            found.append(Step(sentence, "backfill", new.name, after.name, action=action))
    return found


def _rename_sentence(rename: Rename, old: ObjectDef, new: ObjectDef) -> str:
    if rename.what == "table":
        return f"Rename the object {old.name} to {new.name}; its records stay."
    if rename.what == "column":
        return f"Rename {new.name}.{rename.old} to {rename.new}; its values stay."
    return f"Rename the {rename.what} {rename.old} to {rename.new}."


def with_sql(made: Plan, statements: list[str]) -> Plan:
    """Return the plan with the preview of its SQL."""
    return replace(made, sql=tuple(statements))
