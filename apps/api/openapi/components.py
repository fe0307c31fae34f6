"""Schemas that several operations share: errors, envelopes, queries, batches."""

from typing import Any

from apps.api.contract import ANYTHING, OBJECT, TEXT, array, ref, shape

FLAG = {"type": "boolean"}
COUNT = {"type": "integer", "minimum": 0}
INSTANT = {"type": "string", "format": "date-time"}
FIELD_ERROR = shape(
    field=TEXT,
    code={"type": "string", "pattern": "^[a-z][a-z0-9_]*$"},
    message=TEXT,
    label=TEXT,
    value=ANYTHING,
    constraint=ANYTHING,
    options=array(TEXT),
    required=["field", "code", "message"],
)
ERROR = shape(
    error={"type": "string", "description": "The sentence; for 401 the code again."},
    code={"type": "string", "pattern": "^[A-Z][A-Z0-9_]*$", "description": "Stable; what programs compare."},
    message=TEXT,
    fields=array(ref("FieldError")),
    cure={"type": "string", "description": "What to do about it."},
    requestId={"type": "string", "description": "Names this request in the server's logs."},
    required=["error", "code", "message", "requestId"],
    extra=True,
)
DISCOVERY = shape(
    version=TEXT,
    name=TEXT,
    apiName=TEXT,
    environment={"type": "string", "enum": ["production", "sandbox", "development"]},
    routes={"type": "object", "additionalProperties": TEXT},
    locale=shape(default=TEXT, supported=array(TEXT), timezone=TEXT),
    services={"type": "object", "additionalProperties": OBJECT},
    capabilities={"type": "object", "additionalProperties": shape(enabled=FLAG, extra=True)},
    scoping=OBJECT,
)
FILTER = {
    "description": "Object form `{field: value | {$op: value}, $and, $or, $not}` or array form `[field, op, value]`.",
    "type": ["object", "array"],
}
SORT = {
    "description": '`[{"field": "name", "order": "asc"}]`, `["-name"]` or `{"name": "desc"}`.',
    "type": ["array", "object"],
}
QUERY = shape(
    object=TEXT,
    fields=array(TEXT),
    where=FILTER,
    search={"description": "Words, or `{query, fields?}`.", "type": ["string", "object"]},
    searchFields=array(TEXT),
    orderBy=SORT,
    limit=COUNT,
    offset=COUNT,
    top=COUNT,
    after={"type": "string", "description": "The `nextCursor` of the page before; our addition."},
    expand={"type": "object", "additionalProperties": OBJECT},
    groupBy={"type": "array"},
    aggregations=array(OBJECT),
    having=OBJECT,
    count=FLAG,
    required=[],
)
ITEM_ERROR = shape(
    code=TEXT, message=TEXT, httpStatus={"type": "integer"}, required=["code", "message"], extra=True
)
BATCH_ANSWER = shape(
    success=FLAG,
    operation={"type": "string", "enum": ["create", "update", "upsert", "delete"]},
    total=COUNT,
    succeeded=COUNT,
    failed=COUNT,
    results=array(
        shape(
            id=TEXT,
            success=FLAG,
            index=COUNT,
            data=OBJECT,
            errors=array(ITEM_ERROR),
            droppedFields=array(OBJECT),
            required=["success", "index"],
        )
    ),
)
BATCH_OPTIONS = shape(atomic=FLAG, returnRecords=FLAG, continueOnError=FLAG, required=[])
JOB = shape(
    id=TEXT,
    name=TEXT,
    title=TEXT,
    status=TEXT,
    done=COUNT,
    total={"type": ["integer", "null"]},
    message=TEXT,
    result=ANYTHING,
    error={"type": ["string", "null"]},
    createdAt=INSTANT,
    runAt={"type": ["string", "null"]},
    startedAt={"type": ["string", "null"]},
    finishedAt={"type": ["string", "null"]},
    required=["id", "name", "status"],
    extra=True,
)
DEAD_LETTER = shape(
    **JOB["properties"],
    sealed=FLAG,
    args={"type": ["object", "null"]},
    argsVersion=COUNT,
    taskVersion={"type": ["integer", "null"]},
    schema={"type": ["object", "null"]},
    faults=array(ref("FieldError")),
    retriable=FLAG,
    attempts=array(
        shape(number=COUNT, started=TEXT, ended=TEXT, state=TEXT, cause=TEXT, worker=TEXT, extra=True)
    ),
    acts=array(shape(act=TEXT, at=TEXT, by=OBJECT, required=["act", "at", "by"], extra=True)),
    traceback=TEXT,
    log=TEXT,
    required=["id", "name", "status", "sealed", "args", "argsVersion", "attempts", "acts"],
    extra=True,
)

SCHEDULE = shape(
    id=TEXT,
    title=TEXT,
    task=TEXT,
    args=OBJECT,
    kind=TEXT,
    cron=TEXT,
    every={"type": ["integer", "null"]},
    at={"type": ["string", "null"]},
    timeZone=TEXT,
    missed=TEXT,
    overlap=TEXT,
    priority={"type": "integer"},
    status=TEXT,
    nextAt={"type": ["string", "null"]},
    lastAt={"type": ["string", "null"]},
    lastJob={"type": ["string", "null"]},
    runs=COUNT,
    leftOut=COUNT,
    trouble={"type": ["string", "null"]},
    by=OBJECT,
    upcoming=array(TEXT),
    jobs=array(TEXT),
    required=["id", "title", "task", "kind", "status", "nextAt"],
    extra=True,
)

PACKAGE = shape(
    manifest=OBJECT,
    status=TEXT,
    enabled=FLAG,
    writable=FLAG,
    installedAt=TEXT,
    updatedAt=TEXT,
    notices=array(shape(path=TEXT, outcome={"enum": ["parked", "refused", "adapted"]}, reason=TEXT)),
)


def schemas() -> dict[str, Any]:
    """Return the shared components by name."""
    return {
        "FieldError": FIELD_ERROR,
        "Error": ERROR,
        "Discovery": DISCOVERY,
        "Query": QUERY,
        "BatchAnswer": BATCH_ANSWER,
        "BatchOptions": BATCH_OPTIONS,
        "Job": JOB,
        "DeadLetter": DEAD_LETTER,
        "Schedule": SCHEDULE,
        "Package": PACKAGE,
    }


SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "Token of a session, or an access token (JWT).",
    },
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "x-api-key",
        "description": "`osk_…`, made in the settings.",
    },
}
