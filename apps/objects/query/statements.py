"""The statements: a page of records, one record, a count, an estimate, and groups."""

from psycopg import sql

from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds import kind_of
from apps.objects.query import cursor, outputs, tree
from apps.objects.query.compiler import LIMIT, OFFSET, RECORD, Compiler, Plan
from apps.objects.query.refusals import COUNT_CAP
from apps.objects.query.where import predicate

R = "r"
SHAPES = {
    "day": "YYYY-MM-DD",
    "week": 'IYYY-"W"IW',
    "month": "YYYY-MM",
    "quarter": 'YYYY-"Q"Q',
    "year": "YYYY",
}


def page(compiler: Compiler, obj: ObjectDef, shape: tree.Shape) -> Plan:
    """Return the statement of a page: one row a record (JSON text), then total and place where asked for."""
    total = _total(compiler, obj, shape) if shape.count in ("exact", "capped") else None
    columns = _columns(compiler, obj, shape)
    conditions = [compiler.conditions(obj, shape, R)]
    if shape.after is not None:
        conditions.append(cursor.after_sql(obj, shape, R, compiler.params))
    rows = sql.SQL("FROM {} r WHERE {} ORDER BY {} LIMIT {} OFFSET {}").format(
        compiler.table(obj),
        sql.SQL(" AND ").join(conditions),
        cursor.order_sql(shape, R),
        compiler.params.add(LIMIT),
        compiler.params.add(OFFSET),
    )
    if shape.paged:
        source = _placed(columns, cursor.place_sql(shape, R), rows)
        record = sql.SQL("y.j, y.p")
    else:
        source = sql.SQL("(SELECT {} {}) x$").format(columns, rows)
        record = sql.SQL("row_to_json(x$)::text, NULL")
    if total is None:
        return compiler.plan(sql.SQL("SELECT {}, NULL FROM {}").format(record, source))
    return compiler.plan(
        sql.SQL("SELECT {}, c.n FROM ({}) c LEFT JOIN LATERAL {} ON true").format(record, total, source)
    )


def _columns(compiler: Compiler, obj: ObjectDef, shape: tree.Shape) -> sql.Composable:
    if shape.outputs is not None:
        return outputs.columns(compiler, obj, R, shape.outputs)
    fields = tuple(obj.all_fields) if shape.deleted and shape.fields is None else shape.fields
    return compiler.columns(obj, R, fields, shape.expand)


def _placed(columns: sql.Composable, place: sql.Composable, rows: sql.Composable) -> sql.Composable:
    """Return the source of a page whose rows carry their place beside the JSON."""
    record = sql.SQL("(SELECT row_to_json(x$) FROM (SELECT {}) x$)::text").format(columns)
    return sql.SQL("(SELECT {} AS j, {} AS p {}) y").format(record, place, rows)


def _total(compiler: Compiler, obj: ObjectDef, shape: tree.Shape) -> sql.Composable:
    table, conditions = compiler.table(obj), compiler.conditions(obj, shape, R)
    if shape.count == "exact":
        return sql.SQL("SELECT count(*) AS n FROM {} r WHERE {}").format(table, conditions)
    return sql.SQL("SELECT count(*) AS n FROM (SELECT 1 FROM {} r WHERE {} LIMIT {}) q").format(
        table, conditions, sql.Literal(COUNT_CAP + 1)
    )


def total(compiler: Compiler, obj: ObjectDef, shape: tree.Shape) -> Plan:
    """Return the statement of the total alone."""
    return compiler.plan(_total(compiler, obj, shape))


def estimate(compiler: Compiler, obj: ObjectDef, shape: tree.Shape) -> Plan:
    """Return the statement that asks the planner how many records it expects."""
    conditions = compiler.conditions(obj, shape, R)
    text = sql.SQL("EXPLAIN (FORMAT JSON) SELECT 1 FROM {} r WHERE {}").format(
        compiler.table(obj), conditions
    )
    return compiler.plan(text)


def record(
    compiler: Compiler, obj: ObjectDef, fields: tuple[str, ...] | None, expand: tuple[tree.Expand, ...]
) -> Plan:
    """Return the statement of one record by its id: its JSON and its version."""
    columns = compiler.columns(obj, R, fields, expand)
    identity = sql.SQL("r.id = {}").format(compiler.params.add(RECORD))
    visible = compiler.visible(obj, R, op=compiler.op)
    source = sql.SQL("(SELECT {} FROM {} r WHERE {} AND {}) x$").format(
        columns, compiler.table(obj), identity, visible
    )
    return compiler.plan(sql.SQL("SELECT row_to_json(x$)::text FROM {}").format(source))


def groups(compiler: Compiler, obj: ObjectDef, shape: tree.Shape) -> Plan:
    """Return the statement of aggregate rows: grouped inside, compared and ordered by alias around it."""
    inner = [_group_sql(obj, item) for item in shape.groups]
    inner += [_measure_sql(compiler, obj, item) for item in shape.measures]
    conditions = compiler.conditions(obj, shape, R)
    grouping: sql.Composable = sql.SQL("")
    if shape.groups:
        keys = sql.SQL(", ").join([sql.SQL(str(index + 1)) for index in range(len(shape.groups))])
        grouping = sql.SQL(" GROUP BY {}").format(keys)
    grouped = sql.SQL("SELECT {} FROM {} r WHERE {}{}").format(
        sql.SQL(", ").join(inner), compiler.table(obj), conditions, grouping
    )
    having = predicate(shape.having, "g", compiler.params)
    first = (tree.Sort(shape.measures[0].alias),) if shape.measures else ()
    sorts = shape.sort or tuple(tree.Sort(item.alias) for item in shape.groups) or first
    order = sql.SQL(", ").join(
        [
            sql.SQL("{} {}").format(
                sql.Identifier("g", key.field), sql.SQL("DESC" if key.descending else "ASC")
            )
            for key in sorts
        ]
    )
    text = sql.SQL(
        "SELECT row_to_json(x$)::text, NULL, NULL FROM"
        " (SELECT {} FROM ({}) g WHERE {} ORDER BY {} LIMIT {} OFFSET {}) x$"
    ).format(
        _wire(obj, shape),
        grouped,
        having,
        order,
        compiler.params.add(LIMIT),
        compiler.params.add(OFFSET),
    )
    return compiler.plan(text)


def _group_sql(obj: ObjectDef, group: tree.Group) -> sql.Composable:
    found = obj.all_fields[group.field]
    column: sql.Composable = sql.Identifier(R, found.column)
    if group.bucket:
        local = sql.SQL("{} AT TIME ZONE {}").format(column, sql.Literal(group.zone))
        moment = local if found.type == "datetime" else column
        column = sql.SQL("to_char({}, {})").format(moment, sql.Literal(SHAPES[group.bucket]))
    return sql.SQL("{} AS {}").format(column, sql.Identifier(group.alias))


def _measure_sql(compiler: Compiler, obj: ObjectDef, measure: tree.Measure) -> sql.Composable:
    column: sql.Composable = sql.SQL("*")
    if measure.field:
        column = sql.Identifier(R, obj.all_fields[measure.field].column)
    if measure.function == "count_distinct":
        call = sql.SQL("count(DISTINCT {})").format(column)
    else:
        call = sql.SQL("{}({})").format(sql.SQL(measure.function), column)
    if measure.where != tree.EVERYTHING:
        call = sql.SQL("{} FILTER (WHERE {})").format(call, compiler.asked(obj, measure.where, R))
    return sql.SQL("{} AS {}").format(call, sql.Identifier(measure.alias))


def _wire(obj: ObjectDef, shape: tree.Shape) -> sql.Composable:
    parts = []
    for group in shape.groups:
        found = obj.all_fields[group.field]
        if group.bucket:
            found = FieldDef(group.alias, "text")
        parts.append(_as_json(found, group.alias))
    for measure in shape.measures:
        if measure.function in ("min", "max") and measure.field:
            found = obj.all_fields[measure.field]
        else:
            found = FieldDef(measure.alias, "integer" if measure.function.startswith("count") else "number")
        parts.append(_as_json(found, measure.alias))
    return sql.SQL(", ").join(parts)


def _as_json(found: FieldDef, alias: str) -> sql.Composable:
    value = kind_of(found).json_sql(found, sql.Identifier("g", alias))
    return sql.SQL("{} AS {}").format(value, sql.Identifier(alias))
