"""The JSON of a record as the caller names and nests it, built by PostgreSQL within the statement of the page.

References and the records that point back are subqueries of the same statement. Each carries the reader's own
rule for its object, so a branch shows exactly what a query of its own would show.
"""

from collections.abc import Sequence

from psycopg import sql

from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.query import cursor, tree
from apps.objects.query.compiler import Compiler
from apps.objects.query.where import Slot

USER_COLUMNS = {"id": "id", "name": "name", "email": "email"}
NULL = sql.SQL("NULL")


def columns(compiler: Compiler, obj: ObjectDef, alias: str, outputs: Sequence[tree.Output]) -> sql.Composable:
    """Return the select list whose row is the record's JSON; a field that may not be read is null."""
    readable = compiler.access.readable(obj)
    parts = [
        sql.SQL("{} AS {}").format(
            _value(compiler, obj, alias, output, readable), sql.Identifier(output.alias)
        )
        for output in outputs
    ]
    return sql.SQL(", ").join(parts) if parts else sql.SQL("NULL AS nothing")


def _value(
    compiler: Compiler, obj: ObjectDef, alias: str, output: tree.Output, readable: frozenset[str]
) -> sql.Composable:
    match output:
        case tree.Constant(_, text):
            return sql.SQL("{}::text").format(sql.Literal(text))
        case tree.Value(_, name):
            found = obj.all_fields[name]
            return compiler.shown(obj, found, alias) if name in readable else NULL
        case tree.Again(_, inner):
            return sql.SQL("(SELECT row_to_json(y$) FROM (SELECT {}) y$)").format(
                columns(compiler, obj, alias, inner)
            )
        case tree.Follow(_, name, inner):
            found = obj.all_fields[name]
            column = sql.Identifier(alias, found.column)
            follow = _each if found.multiple else _followed
            return follow(compiler, found, column, inner) if name in readable else NULL
    return _gathered(compiler, alias, output)


def _each(
    compiler: Compiler, found: FieldDef, column: sql.Composable, inner: Sequence[tree.Output]
) -> sql.Composable:
    """Return the records of a reference of several, in their order, without those that may not be seen."""
    element = compiler.alias()
    one = _followed(compiler, found, sql.Identifier(element, "id"), inner)
    return sql.SQL(
        "(SELECT coalesce(json_agg(x$.j ORDER BY x$.n) FILTER (WHERE x$.j IS NOT NULL), '[]'::json) FROM"
        " (SELECT {one} AS j, {element}.n FROM unnest({column}) WITH ORDINALITY {element}(id, n)) x$)"
    ).format(one=one, element=sql.Identifier(element), column=column)


def _followed(
    compiler: Compiler, found: FieldDef, column: sql.Composable, inner: Sequence[tree.Output]
) -> sql.Composable:
    if found.type == "user":
        return _user(compiler, column, inner)
    target = compiler.catalog.find(found.reference or "")
    if target is None or not compiler.access.can("read", target):
        return NULL
    other = compiler.alias()
    shown = columns(compiler, target, other, inner)
    return sql.SQL("(SELECT row_to_json(x$) FROM (SELECT {} FROM {} {} WHERE {} = {} AND {}) x$)").format(
        shown,
        compiler.table(target),
        sql.Identifier(other),
        sql.Identifier(other, "id"),
        column,
        compiler.visible(target, other),
    )


def _user(compiler: Compiler, column: sql.Composable, inner: Sequence[tree.Output]) -> sql.Composable:
    """Return a member of the tenant; whoever is none is null."""
    parts = []
    for output in inner:
        if isinstance(output, tree.Constant):
            value: sql.Composable = sql.SQL("{}::text").format(sql.Literal(output.text))
        elif isinstance(output, tree.Value):
            value = sql.Identifier("u", USER_COLUMNS[output.field])
        else:
            continue
        parts.append(sql.SQL("{} AS {}").format(value, sql.Identifier(output.alias)))
    tenant = compiler.params.add(compiler.tenant.id)
    return sql.SQL(
        "(SELECT row_to_json(x$) FROM (SELECT {} FROM public.identity_user u JOIN public.identity_membership m"
        " ON m.user_id = u.id AND m.tenant_id = {} WHERE u.id = {}) x$)"
    ).format(sql.SQL(", ").join(parts), tenant, column)


def _gathered(compiler: Compiler, alias: str, wanted: tree.Gather) -> sql.Composable:
    """Return the records that point here: `limit` of them in order, and one more when somebody asks for it.

    Parameters are added in the order of the text: first what surrounds the rows, then the rows.
    """
    target = compiler.catalog.find(wanted.object)
    if target is None or wanted.field not in compiler.access.clear(target):
        return NULL
    own = sql.Identifier(alias, "id")
    shown, inside = [], []
    for number, part in enumerate(wanted.parts):
        text = _part(compiler, target, wanted, own, part, f"n{number}")
        shown.append(sql.SQL("{} AS {}").format(text, sql.Identifier(part.alias)))
        if part.kind == "records":
            inside.append((f"n{number}", part.outputs))
    around = sql.SQL(", ").join(shown)
    if not {"records", "more"} & {part.kind for part in wanted.parts}:
        return sql.SQL("(SELECT row_to_json(z$) FROM (SELECT {}) z$)").format(around)
    rows = _rows(compiler, target, wanted, own, inside)
    return sql.SQL(
        "(SELECT row_to_json(z$) FROM (SELECT {} FROM (SELECT t.*, row_number() OVER () AS i FROM ({}) t) x$) z$)"
    ).format(around, rows)


def _part(
    compiler: Compiler,
    target: ObjectDef,
    wanted: tree.Gather,
    own: sql.Composable,
    part: tree.Part,
    name: str,
) -> sql.Composable:
    if part.kind == "text":
        return sql.SQL("{}::text").format(sql.Literal(part.text))
    if part.kind == "total":
        other = compiler.alias()
        return sql.SQL("(SELECT count(*) FROM {} {} WHERE {})").format(
            compiler.table(target), sql.Identifier(other), _pointing(compiler, target, wanted, own, other)
        )
    limit = compiler.params.add(Slot(wanted.limit))
    if part.kind == "more":
        return sql.SQL("coalesce(bool_or(x$.i > {}::bigint), false)").format(limit)
    return sql.SQL(
        "coalesce(json_agg(x$.{} ORDER BY x$.i) FILTER (WHERE x$.i <= {}::bigint), '[]'::json)"
    ).format(sql.Identifier(name), limit)


def _rows(
    compiler: Compiler,
    target: ObjectDef,
    wanted: tree.Gather,
    own: sql.Composable,
    inside: Sequence[tuple[str, Sequence[tree.Output]]],
) -> sql.Composable:
    other = compiler.alias()
    made = [
        sql.SQL("(SELECT row_to_json(y$) FROM (SELECT {}) y$) AS {}").format(
            columns(compiler, target, other, outputs), sql.Identifier(name)
        )
        for name, outputs in inside
    ]
    shape = tree.Shape(target.name, sort=wanted.sort)
    return sql.SQL("SELECT {} FROM {} {} WHERE {} ORDER BY {} LIMIT {}::bigint + 1 OFFSET {}").format(
        sql.SQL(", ").join(made) if made else sql.SQL("NULL AS nothing"),
        compiler.table(target),
        sql.Identifier(other),
        _pointing(compiler, target, wanted, own, other),
        cursor.order_sql(shape, other),
        compiler.params.add(Slot(wanted.limit)),
        compiler.params.add(Slot(wanted.offset)),
    )


def _pointing(
    compiler: Compiler, target: ObjectDef, wanted: tree.Gather, own: sql.Composable, alias: str
) -> sql.Composable:
    """Return the predicate of the records that point to `own`, that the reader may see, and that were asked for."""
    reference = target.all_fields[wanted.field]
    shape = tree.Shape(target.name, wanted.where, search=wanted.search)
    return sql.SQL("{} = {} AND {}").format(
        sql.Identifier(alias, reference.column), own, compiler.conditions(target, shape, alias)
    )
