"""The versions of a record, read from the ledger: what each changed, how the record was, and the way back.

A version is what one change left behind; its number is the record's own. Values are shown as far as the reader
may see the field today. What an erasure destroyed, and fields whose history is not kept, are not known.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from apps.audit import queries as ledger
from apps.audit.types import ActorValue, FieldChange, LedgerEntry
from apps.core import canonical
from apps.core.actor import Actor
from apps.core.errors import NotFound
from apps.core.scope import TenantRef
from apps.objects import query
from apps.objects.definitions import ObjectDef
from apps.objects.kinds import kind_of
from apps.objects.query.refusals import unknown_field
from apps.objects.records.accept import writable
from apps.objects.records.call import Call, opened, plain_values
from apps.objects.records.change import IfMatch, changed, found, match_version
from apps.objects.records.history import keeps
from apps.objects.records.written import Written

VERBS = ("created", "updated", "deleted", "restored")
MOST = 5_000


@dataclass(frozen=True)
class Version:
    """One version: who made it, when, by which act, and the changes that the reader may see.

    `restored` is the number of the earlier version whose values it brought back, if any.
    """

    number: int
    at: Any
    action: str
    actor: ActorValue
    entry_id: UUID
    changes: tuple[FieldChange, ...] = ()
    restored: int | None = None
    erased: frozenset[str] = frozenset()


@dataclass(frozen=True)
class State:
    """How a record was at a version: wire values of the fields that are known, and the names of those that are not."""

    version: Version
    values: Mapping[str, Any]
    unknown: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Difference:
    """A field whose value differs between two versions; `known` is False when a side cannot be told."""

    field: str
    before: Any
    after: Any
    known: bool = True


@dataclass(frozen=True)
class Comparison:
    """Two versions of a record and what differs, fields in the object's order."""

    before: Version
    after: Version
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Restored:
    """What a return to an earlier version wrote; `skipped` maps fields that stayed as they are to the reason."""

    written: Written
    skipped: Mapping[str, str] = field(default_factory=dict)


def versions(name: str, record_id: UUID | str, *, by: Actor) -> tuple[Version, ...]:
    """Return the versions of a living record, newest first, at most `MOST`; 404 when the actor may not see it."""
    with opened(name, by=by, tenant=None) as call:
        return _visible(call, _versions(call, _current(call, record_id)))


def at(name: str, record_id: UUID | str, number: int, *, by: Actor) -> State:
    """Return how a record was at a version; raises 404 VERSION_NOT_FOUND."""
    with opened(name, by=by, tenant=None) as call:
        return _state(call, _current(call, record_id), number)


def compare(
    name: str, record_id: UUID | str, first: int | None = None, second: int | None = None, *, by: Actor
) -> Comparison:
    """Return what differs from version `first` to `second`; None: the newest, and the one before `second`."""
    with opened(name, by=by, tenant=None) as call:
        row = _current(call, record_id)
        known = _versions(call, row)
        newest = known[0].number if known else 0
        second = newest if second is None else second
        first = max(known[-1].number if known else 0, second - 1) if first is None else first
        one, two = (_state(call, row, number, known) for number in (first, second))
    return Comparison(one.version, two.version, tuple(_differences(call.obj, one, two)))


def restore_version(
    name: str,
    record_id: UUID | str,
    number: int,
    *,
    by: Actor,
    if_match: IfMatch = None,
    fields: Sequence[str] | None = None,
    tenant: TenantRef | None = None,
) -> Restored:
    """Give a record the values it had at version `number`, as a change of its own; nothing in between is lost.

    `fields` limits it to these; without them every field returns but the owner. What the actor may not write and
    what is not known any more stays as it is and is named. Raises VERSION_NOT_FOUND, CONCURRENT_UPDATE, and what
    `update` raises when an old value is not valid any more.
    """
    with opened(name, by=by, tenant=tenant) as call:
        call.require("edit", record_id)
        identity = call.id_of(record_id)
        row = found(call, identity, "edit")
        match_version(call, row, if_match)
        wanted = _wanted(call.obj, fields)
        now = {key: _exact(call.obj, key, value) for key, value in plain_values(call, row).items()}
        then = _state(call, now, number)
        changes, skipped = _changes(call, now, then, wanted)
        written = changed(call, identity, changes, None, {"restored_version": number})
        return Restored(written, skipped)


def _wanted(obj: ObjectDef, fields: Sequence[str] | None) -> Iterable[str]:
    if fields is None:
        return obj.fields
    for name in fields:
        if name not in obj.fields and not (name == "owner_id" and obj.owner_field):
            raise unknown_field(obj.name, name)
    return fields


def _changes(
    call: Call, now: Mapping[str, Any], then: State, wanted: Iterable[str]
) -> tuple[dict[str, Any], dict[str, str]]:
    editable = call.access.editable(call.obj)
    changes, skipped = {}, {}
    for name in wanted:
        if name in then.unknown:
            skipped[name] = "unknown"
        elif name in then.values and then.values[name] != now.get(name):
            field_ = call.obj.all_fields[name]
            if not kind_of(field_).remembered(field_, then.values[name]):
                skipped[name] = "unknown"
            elif not writable(call.obj, field_):
                skipped[name] = "readonly"
            elif name not in editable:
                skipped[name] = "not_editable"
            else:
                changes[name] = then.values[name]
    return changes, skipped


def _current(call: Call, record_id: UUID | str) -> dict[str, Any]:
    """Return the record as its reader sees it; raises RECORD_NOT_FOUND."""
    return query.get(call.obj.name, record_id, by=call.by).record()


def _versions(call: Call, row: Mapping[str, Any]) -> list[Version]:
    """Return the record's versions, newest first, with every change."""
    names = [call.obj.name] + ([call.obj.renamed_from] if call.obj.renamed_from else [])
    made: list[Version] = []
    for name in names:
        cursor: str | None = None
        while len(made) < MOST:
            page = ledger.browse(ledger.Filters(target=f"{name}:{row['id']}"), cursor, ledger.MOST)
            made += [_version(entry) for entry in page.entries if _counts(entry, name)]
            cursor = page.next
            if cursor is None:
                break
    return _numbered(made[:MOST], int(row["version"]))


def _counts(entry: LedgerEntry, name: str) -> bool:
    subject, _dot, verb = entry.action.rpartition(".")
    return subject == name and verb in VERBS and entry.details.get("outcome") != "denied"


def _version(entry: LedgerEntry) -> Version:
    return Version(
        number=int(entry.details.get("version") or 0),
        at=entry.at,
        action=entry.action,
        actor=entry.actor,
        entry_id=entry.id,
        changes=entry.changes,
        restored=entry.details.get("restored_version"),
        erased=entry.erased,
    )


def _numbered(made: list[Version], newest: int) -> list[Version]:
    """Return the versions with their numbers: entries of earlier releases hold none, and are counted back."""
    out, following = [], newest + 1
    for version in made:
        following = version.number or following - 1
        out.append(replace(version, number=following))
    return out


def _visible(call: Call, made: Iterable[Version]) -> tuple[Version, ...]:
    readable = call.access.clear(call.obj)
    return tuple(
        replace(version, changes=tuple(c for c in version.changes if c.field in readable)) for version in made
    )


def _state(call: Call, row: Mapping[str, Any], number: int, known: list[Version] | None = None) -> State:
    """Fold the changes up to `number`: forward from the first version, or back from today when that is gone."""
    made = known if known is not None else _versions(call, row)
    wanted = next((version for version in made if version.number == number), None)
    if wanted is None:
        raise NotFound(
            _("There is no version %(number)s of this record.") % {"number": number},
            code="VERSION_NOT_FOUND",
            details={"object": call.obj.name, "versions": [made[-1].number, made[0].number] if made else []},
        )
    forward = made[-1].action.endswith(".created")
    values, unknown = _forward(made, number) if forward else _backward(made, number, row)
    kept = {name for name in call.access.clear(call.obj) if keeps(call.obj, name)}
    former = {found.renamed_from: name for name, found in call.obj.fields.items() if found.renamed_from}
    values = {former.get(name, name): value for name, value in values.items()}
    values |= {f.name: row.get(f.name) for f in call.obj.fields.values() if kind_of(f).generated}
    unknown = {former.get(name, name) for name in unknown} | {
        name for name in call.access.clear(call.obj) & call.obj.fields.keys() if name not in kept
    }
    shown = {
        name: _exact(call.obj, name, values.get(name))
        for name in call.obj.all_fields
        if name in kept and name not in unknown
    }
    (visible,) = _visible(call, [wanted])
    return State(visible, shown, frozenset(unknown & call.access.clear(call.obj)))


def _forward(made: Sequence[Version], number: int) -> tuple[dict[str, Any], set[str]]:
    values: dict[str, Any] = {}
    unknown: set[str] = set()
    for version in reversed(made):
        for change in version.changes:
            (unknown.add if change.erased else unknown.discard)(change.field)
            values[change.field] = change.after
        if version.number == number:
            break
    return values, unknown


def _backward(
    made: Sequence[Version], number: int, row: Mapping[str, Any]
) -> tuple[dict[str, Any], set[str]]:
    values, unknown = dict(row), set[str]()
    for version in made:
        if version.number == number:
            break
        for change in version.changes:
            (unknown.add if change.erased else unknown.discard)(change.field)
            values[change.field] = change.before
    return values, unknown


def _exact(obj: ObjectDef, name: str, value: Any) -> Any:
    """Return a value as the ledger holds it in the form in which two of them compare: as the wire shows it."""
    found = obj.all_fields[name]
    return kind_of(found).recalled(found, canonical.plain(value))


def _differences(obj: ObjectDef, one: State, two: State) -> Iterable[Difference]:
    unknown = one.unknown | two.unknown
    for name in obj.all_fields:
        if name in unknown and keeps(obj, name):
            yield Difference(name, one.values.get(name), two.values.get(name), known=False)
        elif name not in unknown and one.values.get(name) != two.values.get(name):
            yield Difference(name, one.values.get(name), two.values.get(name))
