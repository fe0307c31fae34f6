"""Judging formulas: each over the object's other fields, formulas among them, in any order but no circle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from psycopg import sql

from apps.core.cel import CelError, Env, compiled
from apps.core.cel.lowering import lower
from apps.core.cel.terms import Column, Const, Piece
from apps.core.cel.tree import Node, names
from apps.core.cel.types import DYN, record_of
from apps.objects.definitions import SYSTEM_FIELDS, FieldDef
from apps.objects.expressions import field_type, usable
from apps.objects.formulas import RESULTS, Formula, inlined
from apps.objects.kinds import kind_of
from apps.objects.parse.shape import Reading
from apps.objects.parse.tree import Spot

CASTS = {"uuid": "::text", "integer": "::numeric", "uuid[]": "::text[]"}


def settle_formulas(
    reading: Reading, spot: Spot, object_name: str, fields: Mapping[str, FieldDef]
) -> dict[str, FieldDef]:
    """Return the fields with every formula judged and its result type known; faults are noted."""
    wanted = [name for name, found in fields.items() if found.type == "formula" and found.expression]
    if not wanted:
        return dict(fields)
    judge = _Judge(reading, spot, object_name, fields)
    for name in wanted:
        judge.settled(name, ())
    return {name: judge.done.get(name) or found for name, found in fields.items()}


class _Judge:
    def __init__(
        self, reading: Reading, spot: Spot, object_name: str, fields: Mapping[str, FieldDef]
    ) -> None:
        self.reading = reading
        self.holder = spot.child("fields") or spot
        self.object_name = object_name
        self.fields = {**SYSTEM_FIELDS, **fields}
        self.done: dict[str, FieldDef | None] = {}

    def fail(self, name: str, code: str, message: str, cure: str = "") -> None:
        place = self.holder.child(name) or self.holder
        self.reading.fail(place.child("expression") or place, code, message, cure)

    def settled(self, name: str, above: tuple[str, ...]) -> FieldDef | None:
        """Return the judged field, or None when it cannot be; those it reads are judged first."""
        if name in self.done:
            return self.done[name]
        found = self.fields[name]
        if name in above:
            circle = " → ".join((*above[above.index(name) :], name))
            self.fail(name, "circle", f"The formulas go round: {circle}.", "Break the circle.")
            return None
        try:
            made = self.judged(found, above)
        except CelError as error:
            self.fail(name, "invalid_expression", error.at(found.expression or ""), error.cure)
            made = None
        self.done[name] = made
        return made

    def judged(self, found: FieldDef, above: tuple[str, ...]) -> FieldDef | None:
        source = found.expression or ""
        formulas: dict[str, Formula] = {}
        known = dict(self.fields)
        for name in names(_parsed(source)) & known.keys():
            if known[name].type == "formula":
                inner = self.settled(name, (*above, found.name))
                if inner is None or inner.formula is None:
                    return None
                known[name], formulas[name] = inner, inner.formula
        types = {
            n: field_type(f) for n, f in known.items() if usable(f) and (f.type != "formula" or f.formula)
        }
        expression = compiled(source, Env({"record": record_of(self.object_name, types)}))
        results = RESULTS.get(expression.type)
        if results is None:
            self.fail(found.name, "invalid_expression", f"A formula cannot give a {expression.type}.")
            return None
        if found.return_type is not None and found.return_type not in results:
            message = f"The formula gives a {results[0]}, not a {found.return_type}."
            self.fail(found.name, "conflict", message, f"Write returnType: {results[0]}.")
            return None
        tree = inlined(expression.tree, {name: formula.tree for name, formula in formulas.items()})
        reads = names(tree)
        if self.unmasks(found, reads):
            return None
        formula = Formula(source, tree, self.sql(tree), reads)
        return replace(found, return_type=found.return_type or results[0], formula=formula)

    def unmasks(self, found: FieldDef, reads: Iterable[str]) -> bool:
        """Note, and say, that the formula would show to everybody what some see a mask of."""
        masked = sorted(name for name in reads if name in self.fields and self.fields[name].masking)
        for name in masked:
            cure = f"Leave {name} out, or remove its maskingRule."
            self.fail(found.name, "conflict", f"The formula would show the value that {name} masks.", cure)
        return bool(masked)

    def sql(self, tree: Node) -> str:
        return "".join(self.piece(piece) for piece in lower(tree).sql)

    def piece(self, piece: Piece) -> str:
        if isinstance(piece, Column):
            cast = CASTS.get(kind_of(self.fields[piece.name]).sql_type, "")
            return sql.Identifier(piece.name).as_string(None) + cast
        if isinstance(piece, Const):
            return f"({sql.Literal(piece.value).as_string(None)})::{piece.cast}"
        return piece


def _parsed(source: str) -> Node:
    return compiled(source, Env({"record": DYN})).tree
