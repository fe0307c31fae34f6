"""What an object's expressions say of a write: conditions of fields and options, then the validation rules.

Everything is judged on the record as it will be; `previous` is the record as it was. An expression that
faults (an absent value compared, a division by zero) counts against the write: it is refused, the field stays
read-only or required. Nothing here runs for objects that declare no expression.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson
from django.utils.translation import gettext as _

from apps.core.cel import Expression, Fault, Frame
from apps.core.cel.library import matches
from apps.core.errors import FieldError
from apps.objects import conditions
from apps.objects.conditions import Conditions, Rule
from apps.objects.definitions import FieldDef
from apps.objects.kinds import KINDS, FieldProblem, kind_of
from apps.objects.kinds.text import TextKind
from apps.objects.records.accept import Accepted, invalid
from apps.objects.records.call import Call, wire
from apps.objects.records.people import person
from apps.objects.validations import Validation

logger = logging.getLogger("aibos.objects")
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Judging:
    """One write under judgement: the frame its expressions run in, and the record before and after."""

    call: Call
    ready: Conditions
    frame: Frame
    after: Row
    before: Row | None
    written: Row

    def true(self, condition: Expression, *, fault: bool) -> bool:
        """Say whether a condition holds; one that faults counts as `fault`."""
        try:
            return condition.holds(self.frame)
        except Fault as found:
            self.note(found, condition)
            return fault

    def note(self, fault: Fault, condition: Expression) -> None:
        """Leave a trace for whoever wrote the expression; values are never in it."""
        logger.info(
            "an expression faulted",
            extra={"object": self.call.obj.name, "expression": condition.source, "fault": fault.code},
        )


def defaults(call: Call, accepted: Accepted) -> None:
    """Fill the fields whose default is an expression and that the new record leaves out."""
    ready = conditions.of(call.obj)
    if ready is None or not ready.defaults:
        return
    faults: list[FieldError] = []
    for name, expression in ready.defaults.items():
        if name in accepted.values:
            continue
        found = call.obj.fields[name]
        at = frame(call, _whole(call, accepted.values), None, accepted.values)
        try:
            accepted.values[name] = kind_of(found).accept(found, expression.run(at), context=call.context)
        except Fault as fault:
            message = _("The default cannot be computed: %(reason)s") % {"reason": fault.message}
            faults.append(FieldError(name, "rule_violation", message, found.label or None))
        except FieldProblem as problem:
            faults.append(problem.as_error(found))
    if faults:
        raise invalid(call.obj, faults)


def judge_new(call: Call, accepted: Accepted, given: Row, stamps: Row) -> list[dict[str, Any]]:
    """Judge a new record and return what is to be told beside it; raises VALIDATION_FAILED.

    Fields that are read-only under a condition fall back to their default and are named as dropped.
    """
    ready = conditions.of(call.obj)
    if ready is None or not ready.writes:
        return []
    judging = _judging(call, ready, _whole(call, {**accepted.values, **stamps}), None, accepted.values)
    for name in sorted(given.keys() & ready.readonly.keys() & accepted.values.keys()):
        if judging.true(ready.readonly[name], fault=True):
            found = call.obj.fields[name]
            accepted.values[name] = kind_of(found).default(found, context=call.context)
            accepted.dropped.append(name)
    judging = _judging(call, ready, _whole(call, {**accepted.values, **stamps}), None, accepted.values)
    return _judge(judging, "insert")


def judge_change(call: Call, row: Row, new: dict[str, Any], accepted: Accepted) -> list[dict[str, Any]]:
    """Judge a changed record and return what is to be told beside it; raises VALIDATION_FAILED.

    Fields that were read-only in the record as it was are taken out of `new` and named as dropped.
    """
    ready = conditions.of(call.obj)
    if ready is None or not ready.writes:
        return []
    asked = sorted(new.keys() & ready.readonly.keys())
    if asked:
        before = _judging(call, ready, row, row, new)
        for name in asked:
            if before.true(ready.readonly[name], fault=True):
                del new[name]
                accepted.dropped.append(name)
    return _judge(_judging(call, ready, {**row, **new}, row, new), "update") if new else []


# -- the frame -----------------------------------------------------------------------------------------


def _whole(call: Call, values: Row) -> dict[str, Any]:
    """Return a new record with every field it will have, the absent ones too."""
    return dict.fromkeys(call.obj.all_fields) | dict(values)


def _judging(call: Call, ready: Conditions, after: Row, before: Row | None, written: Row) -> Judging:
    return Judging(call, ready, frame(call, after, before, written), after, before, written)


def frame(call: Call, after: Row, before: Row | None, written: Row) -> Frame:
    """Return what expressions see of a write: the record after and before it, what is written, and by whom."""
    who = person(call)
    names = {
        "record": after,
        "previous": before,
        "input": written,
        **dict.fromkeys(("current_user", "user", "ctx.user", "os.user"), who),
        "os.org": {"id": str(call.tenant.id), "slug": call.tenant.slug},
        "os.env": {},
        "vars": {},
    }
    return Frame(names, now=call.now, zone=call.zone)


# -- the judgement -------------------------------------------------------------------------------------


def _judge(judging: Judging, event: str) -> list[dict[str, Any]]:
    faults = [*_missing(judging), *_options(judging)]
    told: list[dict[str, Any]] = []
    for rule in judging.ready.rules:
        if event not in rule.said.events:
            continue
        for found in _broken(judging, rule):
            if rule.said.severity == "error":
                faults.append(found)
            else:
                told.append({"name": rule.said.name, "severity": rule.said.severity} | found.as_dict())
    if faults:
        raise invalid(judging.call.obj, faults)
    return told


def _missing(judging: Judging) -> Iterator[FieldError]:
    """A gate at the transition: whoever makes the record lack a value is refused, whoever found it so is not."""
    for name, condition in judging.ready.required.items():
        found = judging.call.obj.fields[name]
        if not _lacks(judging, found, condition, judging.after):
            continue
        if judging.before is not None:
            then = frame(judging.call, judging.before, judging.before, {})
            earlier = Judging(judging.call, judging.ready, then, judging.before, judging.before, {})
            if _lacks(earlier, found, condition, judging.before):
                continue
        yield FieldError(name, "required", _("This field is required."), found.label or None)


def _lacks(judging: Judging, found: FieldDef, condition: Expression, row: Row) -> bool:
    return _empty(found, row.get(found.name)) and judging.true(condition, fault=True)


def _empty(found: FieldDef, value: Any) -> bool:
    return kind_of(found).is_empty(value) or value in ([], {})


def _options(judging: Judging) -> Iterator[FieldError]:
    for (name, option), condition in judging.ready.options.items():
        if name not in judging.written:
            continue
        value = judging.written[name]
        had = judging.before.get(name) if judging.before else None
        chosen = option in value if isinstance(value, list) else option == value
        kept = option in had if isinstance(had, list) else option == had
        if chosen and not kept and not judging.true(condition, fault=False):
            found = judging.call.obj.fields[name]
            allowed = [o.value for o in found.options if _offered(judging, name, o.value)]
            message = _("This option cannot be chosen here.")
            yield FieldError(name, "invalid_option", message, found.label or None, option, options=allowed)


def _offered(judging: Judging, name: str, option: str) -> bool:
    condition = judging.ready.options.get((name, option))
    return condition is None or judging.true(condition, fault=False)


def _broken(judging: Judging, rule: Rule) -> Iterator[FieldError]:
    return JUDGES[rule.said.type](judging, rule)


def _error(judging: Judging, said: Validation, field: str | None, code: str, **more: Any) -> FieldError:
    if field is None:
        return FieldError("_record", code, said.message, **more)
    found = judging.call.obj.fields[field]
    return FieldError(field, code, said.message, found.label or None, **more)


def _script(judging: Judging, rule: Rule) -> Iterator[FieldError]:
    assert rule.condition is not None
    field = rule.said.fields[0] if rule.said.fields else None
    try:
        if rule.condition.holds(judging.frame):
            yield _error(judging, rule.said, field, "rule_violation")
    except Fault as fault:
        judging.note(fault, rule.condition)
        yield _error(judging, rule.said, field, "rule_violation", constraint={"fault": fault.code})


def _format(judging: Judging, rule: Rule) -> Iterator[FieldError]:
    said = rule.said
    value = judging.after.get(str(said.field))
    if _blank(value):
        return
    good = _found(value, said.regex) if said.regex is not None else FORMATS[str(said.format)](value)
    if not good:
        yield _error(judging, said, said.field, "invalid_format")


def _blank(value: Any) -> bool:
    return value is None or value in ("", [])


def _found(value: Any, regex: str) -> bool:
    try:
        return isinstance(value, str) and matches(value, regex)
    except Fault:
        return False


def _of_kind(name: str) -> Callable[[Any], bool]:
    def good(value: Any) -> bool:
        kind = KINDS[name]
        assert isinstance(kind, TextKind)
        try:
            kind.judge(str(value))
        except FieldProblem:
            return False
        return True

    return good


def _is_json(value: Any) -> bool:
    try:
        return not isinstance(value, str) or orjson.loads(value) is not Ellipsis
    except orjson.JSONDecodeError:
        return False


FORMATS: Mapping[str, Callable[[Any], bool]] = {
    **{name: _of_kind(name) for name in ("email", "url", "phone")},
    "json": _is_json,
}


def _states(judging: Judging, rule: Rule) -> Iterator[FieldError]:
    said = rule.said
    name = str(said.field)
    state = judging.after.get(name)
    if judging.before is None:
        if said.initial_states is not None and state is not None and state not in said.initial_states:
            allowed = {"allowed": ", ".join(said.initial_states)}
            yield _error(judging, said, name, "invalid_initial_state", value=state, constraint=allowed)
        return
    former = judging.before.get(name)
    following = said.next_states(former)
    if state == former or following is None or state in following:
        return
    # The state it was in is told to those only who may read it.
    shown = {"from": former, "to": state} if name in judging.call.access.clear(judging.call.obj) else None
    yield _error(judging, said, name, "invalid_transition", constraint=shown)


def _number(value: Any) -> Any:
    """Return an exact number as JSON has it; other values of ours are texts there."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)


def _schema(judging: Judging, rule: Rule) -> Iterator[FieldError]:
    name = str(rule.said.field)
    value = judging.after.get(name)
    assert rule.schema is not None
    if value is None:
        return
    plain = orjson.loads(orjson.dumps(wire(judging.call.obj, name, value), default=_number))
    if rule.schema.fault(plain) is not None:
        yield _error(judging, rule.said, name, "json_schema_violation")


def _conditional(judging: Judging, rule: Rule) -> Iterator[FieldError]:
    assert rule.when is not None
    try:
        chosen = rule.then if rule.when.holds(judging.frame) else rule.otherwise
    except Fault as fault:
        judging.note(fault, rule.when)
        yield _error(judging, rule.said, None, "rule_violation", constraint={"fault": fault.code})
        return
    if chosen is not None and chosen.said.active:
        yield from _broken(judging, chosen)


JUDGES: Mapping[str, Callable[[Judging, Rule], Iterator[FieldError]]] = {
    "script": _script,
    "cross_field": _script,
    "format": _format,
    "state_machine": _states,
    "json_schema": _schema,
    "conditional": _conditional,
}
