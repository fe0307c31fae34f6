"""One row of a file: its references resolved, then written through the record services."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.core.actor import Actor
from apps.core.errors import FieldError, Problem
from apps.identity.models import Membership
from apps.objects import catalog, query, records
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds import kind_of
from apps.objects.transfer import kept
from apps.objects.transfer.mapping import Link
from apps.objects.transfer.models import Mode

NOT_FOUND, AMBIGUOUS = "reference_not_found", "reference_ambiguous"


@dataclass(frozen=True)
class Outcome:
    """What became of a row: created, updated, skipped or failed."""

    action: str
    record_id: str | None = None
    version: int | None = None
    before: dict[str, Any] | None = None
    errors: Sequence[FieldError] = ()


@dataclass
class Loader:
    """Writes the rows of one import as `by`; references are looked up once each, as `by` may see them."""

    obj: ObjectDef
    header: list[str]
    links: list[Link]
    mode: str
    match_fields: Sequence[str]
    by: Actor
    _seen: dict[tuple[str, str], Any] = field(default_factory=dict)

    def load(self, row: list[str]) -> Outcome:
        """Write one row inside the scope in force; a refusal becomes a failed outcome and undoes the row alone."""
        try:
            data = self._data(row)
            return self._write(data)
        except Problem as problem:
            return Outcome(
                "failed", errors=problem.fields or [FieldError("_record", "invalid_value", problem.message)]
            )

    def _data(self, row: list[str]) -> dict[str, Any]:
        cells = dict(zip(self.header, row, strict=True))
        data: dict[str, Any] = {}
        faults: list[FieldError] = []
        for link in self.links:
            target = self.obj.all_fields[link.field]
            text = cells[link.column]
            try:
                value = self._value(link, target, text)
                earlier = data.get(link.field)
                data[link.field] = f"{earlier} {value}" if earlier and value else value or earlier
            except Problem as problem:
                faults += list(problem.fields)
        if faults:
            raise Problem("VALIDATION_FAILED", "The row cannot be imported.", fields=faults)
        return data

    def _value(self, link: Link, target: FieldDef, text: str) -> Any:
        if not text.strip():
            return None
        if not (link.match and link.match != "id"):
            return kind_of(target).from_text(target, text)
        if target.multiple:
            return [self._linked(link, target, part) for part in text.split(";") if part.strip()]
        return self._linked(link, target, text)

    def _linked(self, link: Link, target: FieldDef, text: str) -> str:
        key = (link.field, text.strip())
        if key not in self._seen:
            self._seen[key] = (
                self._user(text) if target.type == "user" else self._reference(link, target, text)
            )
        found = self._seen[key]
        if found in (NOT_FOUND, AMBIGUOUS):
            label = target.label or target.name
            message = (
                f"{label}: {'no record is' if found == NOT_FOUND else 'several records are'} called {text!r}."
            )
            raise Problem(
                "VALIDATION_FAILED", message, fields=[FieldError(link.field, found, message, label, text)]
            )
        return str(found)

    def _reference(self, link: Link, target: FieldDef, text: str) -> str:
        other = catalog.catalog().object(target.reference or "")
        named = other.all_fields[link.match or ""]
        value = kind_of(named).from_text(named, text)
        page = query.find(
            other.name, {"where": {named.name: value}, "fields": ["id"], "limit": 2}, by=self.by
        )
        return _only([row["id"] for row in page.records()])

    def _user(self, text: str) -> str:
        members = Membership.objects.filter(user__email__iexact=text.strip()).values_list(
            "user_id", flat=True
        )
        return _only([str(item) for item in members[:2]])

    def _existing(self, data: dict[str, Any]) -> dict[str, Any] | None:
        key = {name: data.get(name) for name in self.match_fields}
        if None in key.values():
            return None
        page = query.find(self.obj.name, {"where": key, "limit": 2}, by=self.by)
        rows = page.records()
        if len(rows) > 1:
            fields = self.obj.all_fields
            said = " and ".join(n if fields[n].encrypted else f"{n} {value!r}" for n, value in key.items())
            message = f"Several records have {said}."
            fault = FieldError(self.match_fields[0], AMBIGUOUS, message)
            raise Problem("VALIDATION_FAILED", message, fields=[fault])
        return rows[0] if rows else None

    def _write(self, data: dict[str, Any]) -> Outcome:
        found = self._existing(data) if self.mode != Mode.INSERT else None
        if found is None:
            if self.mode == Mode.UPDATE:
                return Outcome("skipped")
            given = {name: value for name, value in data.items() if value is not None}
            written = records.create(self.obj.name, given, by=self.by)
            return Outcome("created", written.id, _version(written.record()))
        written = records.update(self.obj.name, found["id"], data, by=self.by)
        if not written.changed:
            return Outcome("skipped", found["id"])
        before = {name: found.get(name) for name in written.changed if name in data}
        before = kept.values_sealed(self.obj, written.id, before)
        return Outcome("updated", written.id, _version(written.record()), before)


def _only(ids: list[str]) -> str:
    if not ids:
        return NOT_FOUND
    return ids[0] if len(ids) == 1 else AMBIGUOUS


def _version(record: dict[str, Any]) -> int | None:
    version = record.get("version")
    return int(version) if version is not None else None
