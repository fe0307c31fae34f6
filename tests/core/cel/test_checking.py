"""Names, fields and operands are judged before an expression ever runs."""

import pytest
from cel_expr_python import cel

from apps.core.cel import CelError, Env, check, compiled, parse
from apps.core.cel.compiling import source_of
from apps.core.cel.tree import names
from apps.core.cel.types import (
    BOOL,
    DATE,
    DECIMAL,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    list_of,
    map_of,
    record_of,
)

LEAD = record_of(
    "crm_lead",
    {
        "status": STRING,
        "score": DECIMAL,
        "due": DATE,
        "created_at": TIMESTAMP,
        "tags": list_of(STRING),
        "active": BOOL,
        "data": DYN,
    },
)
USER = record_of("current_user", {"id": STRING, "positions": list_of(STRING)})
ENV = Env({"record": LEAD, "current_user": USER, "ctx.user": USER, "region": STRING})
GOOD = (
    ("record.status == 'qualified' && (record.score == null || record.score < 50)", "bool"),
    ("region == 'west'", "bool"),
    ("record.score * 2.0 + 1", "decimal"),
    ("7 / 2", "int"),
    ("record.score / 2", "decimal"),
    ("record.due < today()", "bool"),
    ("record.created_at < today()", "bool"),
    ("record.created_at - duration('24h')", "timestamp"),
    ("record.tags.exists(t, t.startsWith('a'))", "bool"),
    ("record.tags.map(t, size(t))", "list(int)"),
    ("ctx.user.id == current_user.id", "bool"),
    ("'sales' in current_user.positions", "bool"),
    ("record.active ? 'yes' : 'no'", "string"),
    ("record.active ? record.score : null", "decimal"),
    ("coalesce(record.score, 0)", "decimal"),
    ("max(record.score, 1, 2)", "decimal"),
    ("record.data.x[0] + 1", "dyn"),
    ("{'a': 1}.a", "int"),
    ("has(record.due)", "bool"),
    ("joinNonEmpty([record.status, region], ', ')", "string"),
)
BAD = (
    ("record.statsu == 'x'", "unknown_field", "Did you mean 'status'?"),
    ("status == 'x'", "unknown_variable", "Did you mean record.status?"),
    ("recrod.status == 'x'", "unknown_variable", "Did you mean record?"),
    ("record.status + 1", "type", "Turn one into the other"),
    ("record.status == 5", "type", ""),
    ("record.status < 5", "type", ""),
    ("record.active && record.status", "type", ""),
    ("!record.score", "type", ""),
    ("record.score ? 1 : 2", "type", ""),
    ("record.active ? 1 : 'a'", "type", ""),
    ("record.tags.exists(t, t + 'x')", "type", ""),
    ("record.score.exists(t, true)", "type", ""),
    ("1 in record.tags", "type", ""),
    ("'x' in record.status", "type", ""),
    ("record.status.name", "type", ""),
    ("upperr('x')", "unknown_function", "Did you mean upper()?"),
    ("upper(1)", "type", "It takes: upper(string) string."),
    ("startsWith('x')", "type", ""),
    ("math.sqrt(2)", "unknown_function", ""),
    ("null + 1", "type", ""),
    ("t", "unknown_variable", ""),
)


@pytest.mark.parametrize(("source", "type_"), GOOD)
def test_the_type_of_an_expression(source, type_):
    assert str(compiled(source, ENV).type) == type_


@pytest.mark.parametrize(("source", "code", "cure"), BAD)
def test_what_cannot_be_meant_is_refused_with_its_cure(source, code, cure):
    with pytest.raises(CelError) as caught:
        compiled(source, ENV)
    assert caught.value.code == code
    assert cure in caught.value.cure


def test_a_condition_must_be_one():
    compiled("record.active", ENV, BOOL)
    for source in ("record.score", "null", "'true'"):
        with pytest.raises(CelError):
            compiled(source, ENV, BOOL)


def test_the_variable_of_a_macro_ends_with_it():
    with pytest.raises(CelError):
        compiled("record.tags.exists(t, t == 'x') && t == 'x'", ENV)


def test_the_fields_an_expression_reads():
    tree = compiled("record.score > 1 && has(record.due) && region == 'x'", ENV).tree
    assert names(tree) == {"score", "due"}


def test_the_envelope_of_the_protocol():
    assert source_of("a == 1") == source_of({"dialect": "cel", "source": "a == 1"}) == "a == 1"
    assert source_of({"dialect": "cron", "source": "* * * * *"}) is None
    assert source_of(5) is None


STRICT = Env({"i": INT, "s": STRING, "l": list_of(INT), "m": map_of(STRING, INT), "b": BOOL}, exact=False)
THEIRS = {
    "i": cel.Type.INT,
    "s": cel.Type.STRING,
    "l": cel.Type.List(cel.Type.INT),
    "m": cel.Type.Map(cel.Type.STRING, cel.Type.INT),
    "b": cel.Type.BOOL,
}
OPERANDS = (
    "i",
    "s",
    "l",
    "m",
    "b",
    "1",
    "1u",
    "1.5",
    "'x'",
    "b'x'",
    "true",
    "[1]",
    "['a']",
    "{'a': 1}",
    "dyn(1)",
)


def accepted_by_us(source):
    try:
        check(parse(source), STRICT)
    except CelError:
        return False
    return True


def test_without_exact_numbers_we_judge_as_google_does():
    env = cel.NewEnv(variables=THEIRS)
    different = []
    for sign in ("+", "-", "*", "/", "%", "==", "<", "&&", "in"):
        for a in OPERANDS:
            for b in OPERANDS:
                source = f"{a} {sign} {b}"
                try:
                    env.compile(source)
                    theirs = True
                except Exception:  # noqa: BLE001 - the library raises several classes
                    theirs = False
                if accepted_by_us(source) != theirs:
                    different.append((source, theirs))
    assert different == []
