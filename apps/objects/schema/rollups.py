"""Roll-ups: the triggers under summary fields.

The details' table adds to the master, in the transaction that writes the detail. A count and a sum move by the
difference: `UPDATE … SET total = total + …` takes the master's row lock, so that parallel writers add up exactly.
A minimum, a maximum and an average are read anew, after the master is locked by a statement of its own: the next
statement's snapshot then sees whatever the last holder of the lock committed. Neither touches the master's
`version` or `updated_at`: who edits the master meets no conflict because a detail was added.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from psycopg import sql

from apps.objects.definitions import FieldDef, ObjectDef, Summary
from apps.objects.kinds.naming import named
from apps.objects.query.filters import FilterReader
from apps.objects.query.macros import Moment
from apps.objects.query.where import Params, Slot, predicate
from apps.objects.schema.generated import shape
from apps.objects.schema.machines import Machine, Trigger, text

MOVING = frozenset({"count", "sum"})  # kept by differences
SUFFIX = "sum"
Rolled = list[tuple[FieldDef, Summary]]


class Literals(Params):
    """Parameters written into the text: a trigger has nobody to bind them."""

    def __init__(self, values: tuple[object, ...]) -> None:
        super().__init__()
        self.values = values

    def add(self, item: object) -> sql.Composable:
        """Return the value itself as a literal."""
        return sql.Literal(item.of(self.values) if isinstance(item, Slot) else item)


def condition(child: ObjectDef, summary: Summary, alias: str) -> sql.Composable:
    """Return the summary's filter over the row `alias`; true for a summary without one."""
    reader = FilterReader(Moment())
    node = reader.read(child, summary.filter)
    test = predicate(node, alias, Literals(tuple(reader.values)))
    return sql.SQL("(({}) IS TRUE)").format(test)


def relationship(parent: ObjectDef, child: ObjectDef, summary: Summary) -> FieldDef | None:
    """Return the field of `child` that leads to `parent`: the one named, or the only one there is."""
    pointing = [f for f in child.references if f.reference == parent.name and not f.multiple]
    if summary.relationship:
        return next((f for f in pointing if f.name == summary.relationship), None)
    masters = [f for f in pointing if f.type == "master_detail"]
    chosen = masters or pointing
    return chosen[0] if len(chosen) == 1 else None


def looked_at(summary: Summary) -> set[str]:
    """Return the fields of a detail that decide about a summary."""
    return ({summary.source} if summary.source else set()) | set(_filtered(summary.filter))


def _filtered(filter_: Any) -> Iterator[str]:
    if isinstance(filter_, Mapping):
        for key, value in filter_.items():
            if key == "$field":
                yield value
            elif not key.startswith("$"):
                yield key
            yield from _filtered(value)
    elif isinstance(filter_, list | tuple):
        for item in filter_:
            yield from _filtered(item)


def rollups(objects: Mapping[str, ObjectDef]) -> Iterator[Machine]:
    """Yield a machine for each reference over which summaries are kept."""
    groups: dict[tuple[str, str, str], Rolled] = {}
    for parent in objects.values():
        for field in parent.fields.values():
            child = objects.get(field.summary.object) if field.summary else None
            link = relationship(parent, child, field.summary) if child and field.summary else None
            if child and link and field.summary:
                groups.setdefault((child.name, link.name, parent.name), []).append((field, field.summary))
    for (child_name, link_name, parent_name), rolled in sorted(groups.items()):
        yield _Group(objects[parent_name], objects[child_name], link_name, rolled).machine()


def rounded(field: FieldDef, summary: Summary, call: sql.Composable) -> sql.Composable:
    """Return an average to the field's scale, anything else as it is."""
    if summary.function != "avg" or field.scale is None:
        return call
    return sql.SQL("round({}, {})").format(call, sql.Literal(field.scale))


class _Group:
    """The summaries of one master over one reference: one function, one UPDATE for all of them."""

    def __init__(self, parent: ObjectDef, child: ObjectDef, link: str, rolled: Rolled) -> None:
        self.parent, self.child, self.link, self.rolled = parent, child, link, rolled
        self.reads = any(summary.function not in MOVING for _field, summary in rolled)

    def machine(self) -> Machine:
        names = ", ".join(field.name for field, _summary in self.rolled)
        return Machine(
            name=named(self.child.name, self.link, SUFFIX),
            object=self.parent.name,
            field=self.rolled[0][0].name,
            sentence=f"Keep {self.parent.name}: {names} from the records of {self.child.name}",
            body=text(self.body()),
            triggers=(Trigger(self.child.table, "AFTER INSERT OR UPDATE OR DELETE"),),
            fill=(text(self.fill()),),
            indexes=tuple(self.indexes()),
            parent=self.parent.name,
            basis=tuple(self.basis()),
        )

    def basis(self) -> Iterator[str]:
        """Yield the formulas that the summaries look at: new ones give the details other values, without a write."""
        for _field, summary in self.rolled:
            for name in sorted(looked_at(summary)):
                found = self.child.all_fields.get(name)
                if found is not None and found.formula is not None:
                    yield found.formula.sql
                    yield from shape(self.child, found)

    def body(self) -> sql.Composable:
        """Return the function: what the row gave before, what it gives now, and to whom."""
        given = []
        for number, (_field, summary) in enumerate(self.rolled):
            for side in ("old", "new"):
                value = self.given(summary, side)
                given.append(
                    sql.SQL("  {} numeric := {};\n").format(sql.Identifier(f"{side}_{number}"), value)
                )
        before, after = (sql.SQL(", ").join(self.variables(side)) for side in ("old", "new"))
        return sql.SQL(
            "DECLARE\n"
            "  old_master uuid := CASE WHEN OLD.deleted_at IS NULL THEN OLD.{link} END;\n"
            "  new_master uuid := CASE WHEN NEW.deleted_at IS NULL THEN NEW.{link} END;\n"
            "{given}"
            "BEGIN\n"
            "  IF old_master IS NOT DISTINCT FROM new_master AND ROW({before}) IS NOT DISTINCT FROM ROW({after}) THEN\n"
            "    RETURN NULL;\n"
            "  END IF;\n"
            "  IF {locks} THEN\n"
            "    PERFORM 1 FROM {parent} m WHERE m.id IN (old_master, new_master) ORDER BY m.id FOR NO KEY UPDATE;\n"
            "  END IF;\n"
            "  IF old_master IS DISTINCT FROM new_master THEN\n"
            "    UPDATE {parent} m SET {less} WHERE m.id = old_master;\n"
            "    UPDATE {parent} m SET {more} WHERE m.id = new_master;\n"
            "  ELSE\n"
            "    UPDATE {parent} m SET {moved} WHERE m.id = new_master;\n"
            "  END IF;\n"
            "  RETURN NULL;\n"
            "END"
        ).format(
            link=sql.Identifier(self.link),
            given=sql.SQL("").join(given),
            before=before,
            after=after,
            locks=sql.SQL("true" if self.reads else "old_master IS DISTINCT FROM new_master"),
            parent=sql.Identifier(self.parent.table),
            less=self.sets("- {old}"),
            more=self.sets("+ {new}"),
            moved=self.sets("+ {new} - {old}"),
        )

    def variables(self, side: str) -> list[sql.Composable]:
        return [sql.Identifier(f"{side}_{number}") for number in range(len(self.rolled))]

    def given(self, summary: Summary, side: str) -> sql.Composable:
        """Return what the row `old` or `new` gives to a summary."""
        value: sql.Composable = sql.Literal(1)
        if summary.function != "count":
            value = sql.Identifier(side, summary.source or "")
        if summary.function == "sum":
            value = sql.SQL("coalesce({}, 0)").format(value)
        other = sql.SQL(" ELSE 0" if summary.function in MOVING else "")
        test = condition(self.child, summary, side)
        return sql.SQL("CASE WHEN {} THEN {}{} END").format(test, value, other)

    def sets(self, move: str) -> sql.Composable:
        """Return the assignments of one UPDATE; `move` is what is added to a count or a sum."""
        found = []
        for number, (field, summary) in enumerate(self.rolled):
            column = sql.Identifier(field.column)
            if summary.function in MOVING:
                moved = sql.SQL(move).format(
                    old=sql.Identifier(f"old_{number}"), new=sql.Identifier(f"new_{number}")
                )
                value: sql.Composable = sql.SQL("m.{} {}").format(column, moved)
            else:
                value = sql.SQL(
                    "(SELECT {} FROM {} c WHERE c.{} = m.id AND c.deleted_at IS NULL AND {})"
                ).format(
                    rounded(
                        field,
                        summary,
                        sql.SQL("{}(c.{})").format(
                            sql.SQL(summary.function), sql.Identifier(summary.source or "")
                        ),
                    ),
                    sql.Identifier(self.child.table),
                    sql.Identifier(self.link),
                    condition(self.child, summary, "c"),
                )
            found.append(sql.SQL("{} = {}").format(column, value))
        return sql.SQL(", ").join(found)

    def fill(self) -> sql.Composable:
        """Return the statement that brings every master up to date."""
        columns = [sql.Identifier(field.column) for field, _summary in self.rolled]
        totals = [
            sql.SQL("{} AS {}").format(self.total(field, summary), column)
            for column, (field, summary) in zip(columns, self.rolled, strict=True)
        ]
        return sql.SQL(
            "UPDATE {parent} m SET {sets} FROM (SELECT p.id, {totals} FROM {parent} p LEFT JOIN {child} c"
            " ON c.{link} = p.id AND c.deleted_at IS NULL GROUP BY p.id) x"
            " WHERE x.id = m.id AND ({mine}) IS DISTINCT FROM ({theirs})"
        ).format(
            parent=sql.Identifier(self.parent.table),
            child=sql.Identifier(self.child.table),
            link=sql.Identifier(self.link),
            sets=sql.SQL(", ").join([sql.SQL("{} = x.{}").format(c, c) for c in columns]),
            totals=sql.SQL(", ").join(totals),
            mine=sql.SQL(", ").join([sql.SQL("m.{}").format(c) for c in columns]),
            theirs=sql.SQL(", ").join([sql.SQL("x.{}").format(c) for c in columns]),
        )

    def total(self, field: FieldDef, summary: Summary) -> sql.Composable:
        """Return a summary over all details `c` of one master."""
        value = sql.Identifier("c", "id" if summary.function == "count" else summary.source or "")
        call = sql.SQL("{}({}) FILTER (WHERE {})").format(
            sql.SQL(summary.function), value, condition(self.child, summary, "c")
        )
        if summary.function == "sum":
            return sql.SQL("coalesce({}, 0)").format(call)
        return rounded(field, summary, call)

    def indexes(self) -> Iterator[tuple[str, str]]:
        """Yield the indexes in which the smallest and the greatest value are found without reading the rest."""
        values = {s.source for _f, s in self.rolled if s.function in ("min", "max") and s.source}
        for value in sorted(values):
            name = named(self.child.name, f"{self.link}_{value}", "rix")
            statement = sql.SQL(
                "CREATE INDEX IF NOT EXISTS {} ON {} ({}, {}) WHERE deleted_at IS NULL"
            ).format(
                sql.Identifier(name),
                sql.Identifier(self.child.table),
                sql.Identifier(self.link),
                sql.Identifier(value),
            )
            yield name, text(statement)
