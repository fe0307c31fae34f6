"""Carrying out a plan on the owner's connection, inside the tenant's transaction."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import connections, transaction, utils
from django.db.migrations import operations as ops
from django.db.models import NOT_PROVIDED, Field, Model

from apps.core.errors import Conflict
from apps.objects.definitions import FieldDef
from apps.objects.kinds.autonumber import AutonumberKind
from apps.objects.kinds.naming import sequence_name
from apps.objects.schema import ahead
from apps.objects.schema.planning import Building, Plan, Removal, Step, with_sql
from apps.objects.schema.rename import Rename
from apps.objects.schema.resealing import Prepared, Reseal, convert, fill, prepare
from apps.objects.schema.state import APP_LABEL

logger = logging.getLogger("aibos.schema")

# A statement that waits for a lock makes everybody behind it wait too. So each attempt waits this long only, gives
# back what it holds, and tries again while others get their turn.
LOCK_TIMEOUT_MS = 100
PATIENCE = 30.0
PAUSE = (0.05, 0.25)
BUSY = ("55P03", "40P01")  # lock_not_available, deadlock_detected


def apply(plan: Plan) -> None:
    """Carry out every step, in order; needs `owner_session()` and a tenant scope around it.

    Indexes of large tables are built before, without a lock. Raises `Conflict` SCHEMA_CONFLICT when existing records
    forbid a step, SCHEMA_BUSY when the tables stay locked for `PATIENCE` seconds; then nothing is left of the change
    once the scope's transaction ends.
    """
    connection = connections["default"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{LOCK_TIMEOUT_MS}ms"])
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # ALTER refuses tables with pending trigger events
    before = Before(ahead.build(plan), _prepared(plan))
    until, attempt = time.monotonic() + PATIENCE, 1
    while not _attempted(plan, before):
        if time.monotonic() > until:
            message = "The tables are busy; the change was not made."
            raise Conflict(message, code="SCHEMA_BUSY", cure="Try again in a moment.")
        logger.info("The tables are busy: attempt %d gave way.", attempt)
        attempt += 1
        time.sleep(random.uniform(*PAUSE))  # noqa: S311 - so that two do not meet again


@dataclass(frozen=True)
class Before:
    """What was done before any lock: names of indexes that stand, and new values by object and field."""

    built: Collection[str] = frozenset()
    prepared: Mapping[tuple[str, str], Prepared] = field(default_factory=dict)


def _prepared(plan: Plan) -> dict[tuple[str, str], Prepared]:
    made = {}
    for step in plan.steps:
        op = step.action
        if not isinstance(op, ops.AlterField) or ahead.moved(plan, op.model_name):
            continue
        old, new = plan.former[op.model_name], plan.definitions[op.model_name]
        found = old.all_fields[op.name], new.all_fields[op.name]
        if recoded(*found):
            with connections["default"].cursor() as cursor:
                made[op.model_name, op.name] = prepare(cursor, old.table, *found)
    return made


def _attempted(plan: Plan, before: Before) -> bool:
    """Carry the plan out behind a savepoint; False when a lock was not to be had, and all is given back."""
    done: list[Step] = []
    try:
        with transaction.atomic(), connections["default"].schema_editor(atomic=False) as editor:
            _run(plan, editor, done.append, before)
    except (utils.IntegrityError, utils.DataError) as error:
        raise _refusal(done[-1] if done else None, error) from error
    except utils.OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") not in BUSY:
            raise
        return False
    return True


def _refusal(step: Step | None, error: Exception) -> Conflict:
    detail = getattr(getattr(error.__cause__, "diag", None), "message_primary", "") or ""
    sentence = step.sentence if step else "The change cannot be made."
    return Conflict(
        f"Existing records forbid this: {sentence} {detail}".strip(),
        code="SCHEMA_CONFLICT",
        cure="Correct the records, or add a default.",
        details={"step": step.as_dict() if step else None},
    )


def preview(plan: Plan) -> Plan:
    """Return the plan with the SQL it would run; changes nothing."""
    connection = connections["default"]
    with connection.schema_editor(collect_sql=True, atomic=False) as editor:
        _run(plan, editor, lambda _step: None)
    return with_sql(plan, list(editor.collected_sql))


def _run(plan: Plan, editor: Any, begin: Callable[[Step], None], before: Before | None = None) -> None:
    runner = _Runner(plan, editor, before or Before())
    for step in plan.steps:
        begin(step)
        runner.run(step)


def recoded(before: FieldDef, after: FieldDef) -> bool:
    """Say whether values must go through Python from one state of a field to the other."""
    if not (before.encrypted or after.encrypted):
        return False
    return (before.encrypted, before.type) != (after.encrypted, after.type)


class _Runner:
    """Turns operations into direct calls of the schema editor.

    `Operation.database_forwards` would render every model anew for each operation: minutes at 150 objects.
    """

    def __init__(self, plan: Plan, editor: Any, before: Before) -> None:
        self.plan = plan
        self.before = before
        self.editor = editor
        self.old_apps = plan.old.apps
        self.new_apps = plan.new.apps

    def old(self, name: str) -> type[Model]:
        return self.old_apps.get_model(APP_LABEL, name)

    def new(self, name: str) -> type[Model]:
        return self.new_apps.get_model(APP_LABEL, name)

    def run(self, step: Step) -> None:
        action = step.action
        if isinstance(action, Rename):
            self.editor.execute(action.sql(self.editor.quote_name), params=None)
            return
        if isinstance(action, Removal | Building):
            machine = action.machine
            for statement in machine.drop() if isinstance(action, Removal) else machine.build():
                self.editor.execute(statement, params=None)
            return
        if isinstance(action, Reseal):
            self.in_python(step.sentence, action.run)
            return
        method = getattr(self, f"on_{type(action).__name__.lower()}", None)
        if method is None:
            msg = f"No way to carry out {type(action).__name__}."
            raise NotImplementedError(msg)
        method(action)

    def on_createmodel(self, op: ops.CreateModel) -> None:
        names = self.numbered(op.name)
        for name in names:
            self.create_sequence(op.name, name)
        self.editor.create_model(self.new(op.name))
        for name in names:
            self.own_sequence(op.name, name)

    def on_deletemodel(self, op: ops.DeleteModel) -> None:
        self.editor.delete_model(self.old(op.name))

    def on_addfield(self, op: ops.AddField) -> None:
        numbered = op.name in self.numbered(op.model_name)
        if numbered:
            self.create_sequence(op.model_name, op.name)
        definition = self.plan.definitions[op.model_name]
        found = definition.all_fields[op.name]
        if found.encrypted and op.field.default is not NOT_PROVIDED:
            self.add_filled(definition.table, op, found)
            return
        self.editor.add_field(self.new(op.model_name), self.bound(op, self.new(op.model_name)))
        if numbered:
            self.own_sequence(op.model_name, op.name)

    def add_filled(self, table: str, op: ops.AddField, found: FieldDef) -> None:
        """Add an encrypted column whose default every record needs a sealed copy of."""
        declared: Any = self.new(op.model_name)._meta.get_field(op.name)
        field = declared.clone()
        field.set_attributes_from_name(op.name)
        field.null = True
        self.editor.add_field(self.new(op.model_name), field)
        default = op.field.default
        self.in_python(
            f"Seal the default of {found.name} in each record.", lambda c: fill(c, table, found, default)
        )

    def recode(self, table: str, op: ops.AlterField, before: FieldDef, after: FieldDef) -> None:
        """Seal a column, open one, or seal it another way."""
        field: Any = self.new(op.model_name)._meta.get_field(op.name)
        column_type = field.db_type(self.editor.connection)
        prepared = self.before.prepared.get((op.model_name, op.name), [])
        self.in_python(
            f"Rewrite the values of {table}.{after.name}.",
            lambda c: convert(c, table, before, after, column_type, prepared),
        )
        if field.db_comment:
            plain = field.clone()
            plain.set_attributes_from_name(op.name)
            plain.db_comment = None
            self.editor.alter_field(self.new(op.model_name), plain, field)

    def in_python(self, sentence: str, work: Callable[[Any], None]) -> None:
        """Do what no statement says; a preview shows the sentence."""
        if self.editor.collect_sql:
            self.editor.collected_sql.append(f"-- {sentence}")
            return
        with self.editor.connection.cursor() as cursor:
            work(cursor)

    def on_removefield(self, op: ops.RemoveField) -> None:
        model = self.old(op.model_name)
        self.editor.remove_field(model, model._meta.get_field(op.name))

    def on_alterfield(self, op: ops.AlterField) -> None:
        model = self.old(op.model_name)
        before = self.plan.former[op.model_name].all_fields[op.name]
        found = self.plan.definitions[op.model_name].all_fields[op.name]
        if recoded(before, found):
            self.recode(self.plan.definitions[op.model_name].table, op, before, found)
            return
        if op.name in self.numbered(op.model_name):
            self.create_sequence(op.model_name, op.name)
        after = self.bound(op, self.new(op.model_name))
        self.editor.alter_field(model, model._meta.get_field(op.name), after)
        if op.name in self.numbered(op.model_name):
            self.own_sequence(op.model_name, op.name)

    def on_addindex(self, op: ops.AddIndex) -> None:
        if self.wanted(op.index.name):
            self.editor.add_index(self.new(op.model_name), op.index)

    def wanted(self, name: str) -> bool:
        """Say whether an index or constraint is still to be made; half of an index that was begun before goes first."""
        if name in self.before.built:
            return False
        if not self.editor.collect_sql and ahead.standing(name) is not None:
            self.editor.execute(f"DROP INDEX {self.editor.quote_name(name)}", params=None)
        return True

    def on_removeindex(self, op: ops.RemoveIndex) -> None:
        index = next(i for i in self.old(op.model_name)._meta.indexes if i.name == op.name)
        self.editor.remove_index(self.old(op.model_name), index)

    def on_addconstraint(self, op: ops.AddConstraint) -> None:
        if self.wanted(op.constraint.name):
            self.editor.add_constraint(self.new(op.model_name), op.constraint)

    def on_removeconstraint(self, op: ops.RemoveConstraint) -> None:
        model = self.old(op.model_name)
        constraint = next(c for c in model._meta.constraints if c.name == op.name)
        self.editor.remove_constraint(model, constraint)

    def bound(self, op: Any, model: type[Model]) -> Field[Any, Any]:
        """Return the operation's field on the new model; its one-off default fills existing rows."""
        field: Any = model._meta.get_field(op.name)
        if op.field.default is NOT_PROVIDED or op.preserve_default:
            return field
        filled = op.field.clone()
        filled.set_attributes_from_name(op.name)
        filled.model = model
        return filled

    def numbered(self, object_name: str) -> list[str]:
        fields = self.plan.definitions[object_name].fields.values()
        return [f.name for f in fields if f.type == AutonumberKind.name]

    def create_sequence(self, object_name: str, field_name: str) -> None:
        name = self.editor.quote_name(sequence_name(object_name, field_name))
        self.editor.execute(f"CREATE SEQUENCE IF NOT EXISTS {name}", params=None)

    def own_sequence(self, object_name: str, field_name: str) -> None:
        """Tie the sequence to its column, so that both are dropped together."""
        quote = self.editor.quote_name
        column = f"{quote(self.new(object_name)._meta.db_table)}.{quote(field_name)}"
        name = quote(sequence_name(object_name, field_name))
        self.editor.execute(f"ALTER SEQUENCE {name} OWNED BY {column}", params=None)
