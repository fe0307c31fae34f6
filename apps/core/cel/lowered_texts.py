"""Texts and lists of texts in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from apps.core.cel.letters import TO_LOWER, TO_UPPER
from apps.core.cel.terms import Build, Const, Term, fault_of, guarded, may_be_null, q, strict, unlowerable
from apps.core.cel.tree import Node
from apps.core.cel.types import BOOL, DATE, DECIMAL, INT, NULL, STRING, list_of

TEXTS = list_of(STRING)
BLANKS = "E' \\t\\n\\r\\f\\v'"


def _size(node: Node, terms: list[Term]) -> Term:
    name = {STRING: "char_length({})", TEXTS: "cardinality({})"}.get(terms[0].type)
    if name is None:
        raise unlowerable(node, f"The size of a {terms[0].type}")
    return strict(f"{name}::numeric", INT, *terms, digits=10)


def _holds(template: str) -> Build:
    def build(node: Node, terms: list[Term]) -> Term:
        if terms[0].type == TEXTS:
            return member(node, [terms[1], terms[0]])
        if any(term.type != STRING for term in terms):
            raise unlowerable(node, "This on anything but text")
        return strict(template, BOOL, *terms)

    return build


def _ends(node: Node, terms: list[Term]) -> Term:
    text, end = terms
    shown = q("(right({}, char_length({})) = {})", text.sql, end.sql, end.sql)
    return Term(shown, BOOL, faults=may_be_null(terms))


def member(node: Node, terms: list[Term]) -> Term:
    item, holder = terms
    if holder.type != TEXTS or item.type != STRING:
        raise unlowerable(node, f"Looking for a {item.type} in a {holder.type}")
    parts = [q("{} IS NULL", holder.sql), *([fault] if (fault := fault_of(item)) else [])]
    missing = q(" OR ".join(["{}"] * len(parts)), *parts)
    found = q("({} IS NOT NULL AND {} = ANY({}))", item.sql, item.sql, holder.sql)
    return Term(q("(CASE WHEN {} THEN NULL ELSE {} END)", missing, found), BOOL, faults=True)


def _blank(template: str) -> Build:
    def build(node: Node, terms: list[Term]) -> Term:
        (term,) = terms
        empty = {STRING: template, TEXTS: "(cardinality({}) = 0)"}.get(term.type)
        text = q("({} IS NULL)", term.sql)
        if empty is not None:
            text = q("({} IS NULL OR {})", term.sql, q(empty, term.sql))
        return guarded([term], text, BOOL)

    return build


IS_BLANK = f"(btrim({{}}, {BLANKS}) = '')"


def joined_texts(node: Node, items: Sequence[Term], between: Term) -> Term:
    """Return the texts that are not blank, joined: each with the text between before it, the first one cut off."""
    if any(item.type not in (STRING, NULL) for item in items) or between.type != STRING:
        raise unlowerable(node, "Joining anything but texts")
    if between.absent or between.faults:
        raise unlowerable(node, "Joining by a text that is not constant")
    parts = [
        q(
            f"(CASE WHEN {{}} IS NULL OR {IS_BLANK} THEN '' ELSE {{}} || {{}} END)",
            i.sql,
            i.sql,
            between.sql,
            i.sql,
        )
        for i in items
        if i.type == STRING
    ]
    whole = q(" || ".join(["{}"] * len(parts)), *parts) if parts else ("''",)
    return guarded(items, q("substr({}, char_length({}) + 1)", whole, between.sql), STRING)


def _lettered(table: tuple[str, str]) -> Build:
    def build(node: Node, terms: list[Term]) -> Term:
        one, other = (Const(letters, "text") for letters in table)
        return strict("translate({}, {}, {})", STRING, terms[0], Term((one,), STRING), Term((other,), STRING))

    return build


def _text_of(node: Node, terms: list[Term]) -> Term:
    (term,) = terms
    template = {
        STRING: "{}",
        INT: "({})::text",
        DECIMAL: "trim_scale({})::text",
        BOOL: "({})::text",
        DATE: "(lpad(extract(year from {})::text, 4, '0') || '-' || lpad(extract(month from {})::text, 2, '0')"
        " || '-' || lpad(extract(day from {})::text, 2, '0'))",
    }.get(term.type)
    if template is None:
        raise unlowerable(node, f"The text of a {term.type}")
    return Term(q(template, *[term.sql] * template.count("{}")), STRING, faults=may_be_null(terms))


def _trimmed(_node: Node, terms: list[Term]) -> Term:
    return strict(f"btrim({{}}, {BLANKS})", STRING, *terms)


TEXT_FUNCTIONS: Mapping[str, Build] = {
    "size": _size,
    "len": _size,
    "contains": _holds("(strpos({}, {}) > 0)"),
    "startsWith": _holds("starts_with({}, {})"),
    "endsWith": _ends,
    "isBlank": _blank(IS_BLANK),
    "isEmpty": _blank("({} = '')"),
    "trim": _trimmed,
    "upper": _lettered(TO_UPPER),
    "lower": _lettered(TO_LOWER),
    "string": _text_of,
}
