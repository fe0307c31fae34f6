"""Imports as pages show them: where a column may go, what became of the rows, how far the work is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.actor import Actor
from apps.core.errors import FieldError, Invalid, NotFound
from apps.events.jobs import queries as events
from apps.events.types import JobView
from apps.objects.catalog import catalog
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds import kind_of
from apps.objects.transfer import kept, queries, source
from apps.objects.transfer.mapping import JOINED, importable
from apps.objects.transfer.models import ImportRow, ImportRun, ImportState, Mode
from apps.permissions.access import Access, access_for
from apps.portal import show

SHOWN_FAULTS = 100
SAMPLES = 3
CELLS_UP_TO = 20_000  # rows: reading a larger file again for a hundred cells would keep the page waiting
BY = ":"
BUSY = frozenset({ImportState.CHECKING, ImportState.RUNNING, ImportState.UNDOING})
TRIED = frozenset({ImportState.DONE, ImportState.CANCELLED})
NO_KEYS = frozenset({"boolean", "json", "textarea", "user"})
STATES: Mapping[str, tuple[Promise, str]] = {
    ImportState.CHOOSING: (gettext_lazy("Columns to choose"), "amber"),
    ImportState.CHECKING: (gettext_lazy("Checking"), "blue"),
    ImportState.CHECKED: (gettext_lazy("Checked"), "amber"),
    ImportState.RUNNING: (gettext_lazy("Importing"), "blue"),
    ImportState.DONE: (gettext_lazy("Imported"), "green"),
    ImportState.CANCELLED: (gettext_lazy("Stopped"), "red"),
    ImportState.UNDOING: (gettext_lazy("Taking back"), "blue"),
    ImportState.UNDONE: (gettext_lazy("Taken back"), ""),
}
MODES: Mapping[str, tuple[Promise, Promise]] = {
    Mode.INSERT: (
        gettext_lazy("Create new records"),
        gettext_lazy("Every row becomes a record of its own."),
    ),
    Mode.UPDATE: (
        gettext_lazy("Change existing records"),
        gettext_lazy("Rows whose record is not found are skipped."),
    ),
    Mode.UPSERT: (
        gettext_lazy("Change existing records, create the others"),
        gettext_lazy("A row whose record is not found becomes a new one."),
    ),
}
SAID: Mapping[str, Promise] = {
    "required": gettext_lazy("This field is required."),
    "invalid_option": gettext_lazy("This is none of the options: %(options)s."),
    "invalid_email": gettext_lazy("This is no e-mail address."),
    "invalid_url": gettext_lazy("This is no web address."),
    "invalid_phone": gettext_lazy("This is no phone number."),
    "invalid_number": gettext_lazy("This is no number."),
    "invalid_date": gettext_lazy("This is no date. Write it as YYYY-MM-DD."),
    "invalid_boolean": gettext_lazy("Write true or false."),
    "max_length": gettext_lazy("The text is too long; at most %(constraint)s characters fit."),
    "min_length": gettext_lazy("The text is too short; it needs %(constraint)s characters."),
    "max_value": gettext_lazy("The number is too large."),
    "min_value": gettext_lazy("The number is too small."),
    "max_scale": gettext_lazy("The number has too many digits behind the point."),
    "unique": gettext_lazy("Another record has this value already."),
    "unique_violation": gettext_lazy("Another record has this value already."),
    "reference_not_found": gettext_lazy("No record is found by this value."),
    "reference_ambiguous": gettext_lazy("Several records are found by this value."),
}
CLEARER = frozenset(
    {"invalid_option", "reference_not_found", "reference_ambiguous"}
)  # than what the engine says


@dataclass(frozen=True)
class Target:
    """One way for a column to go: `value` is the field's name, for references with the key behind a colon."""

    value: str
    label: str


@dataclass(frozen=True)
class Column:
    """A column of the file with its first cells and the target chosen for it."""

    id: str
    name: str
    samples: list[str]
    chosen: str


@dataclass(frozen=True)
class Fault:
    """What was wrong with one cell."""

    row: int
    label: str
    said: str
    cell: str


@dataclass(frozen=True)
class Count:
    """How many rows ended in one way."""

    label: str
    number: str
    icon: str
    tone: str


@dataclass(frozen=True)
class Brief:
    """An import in the list of the recent ones."""

    run: ImportRun
    label: str
    tone: str


def job_of(run: ImportRun) -> JobView | None:
    """Return the job of the import's last phase; None when there is none or it was swept away."""
    try:
        return events.get(run.job_id) if run.job_id else None
    except NotFound:
        return None


def recent(definition: ObjectDef, *, by: Actor) -> list[Brief]:
    """Return the newest imports into an object that the reader may open."""
    found = queries.recent(definition.name, by=by)
    return [Brief(run, str(STATES[run.state][0]), STATES[run.state][1]) for run in found]


# -- columns -------------------------------------------------------------------------------------------


def targets(definition: ObjectDef, access: Access) -> list[tuple[str, list[Target]]]:
    """Return where columns may go, in the groups of the form; the label of the first group may be empty."""
    allowed = {found.name: found for found in importable(definition, access.editable(definition))}
    locale, groups = show.locale(), []
    for group, fields in definition.sections():
        names = [found.name for found in fields if found.name in allowed]
        groups.append((definition.group_label(group.key, locale) if group.key else "", names))
    placed = {name for _label, names in groups for name in names}
    groups.append((_("More"), [name for name in allowed if name not in placed]))
    made = [
        (label, [item for name in names for item in _ways(definition, allowed[name], access)])
        for label, names in groups
    ]
    return [group for group in made if group[1]]


def _ways(definition: ObjectDef, found: FieldDef, access: Access) -> list[Target]:
    label = show.label(definition, found.name) or found.name
    if found.type == "user":
        keys = [("email", _("e-mail address")), ("id", _("id"))]
    elif other := catalog().find(found.reference or ""):
        readable = access.readable(other)
        names = [item.name for item in other.fields.values() if item.external_id] + [other.name_field]
        keys = [
            (name, show.label(other, name))
            for name in dict.fromkeys(names)
            if name in readable and "$in" in kind_of(other.all_fields[name]).operators
        ]
        keys.append(("id", _("id")))
    else:
        return [Target(found.name, label)]
    text = _("%(field)s, found by %(key)s")
    return [Target(f"{found.name}{BY}{key}", text % {"field": label, "key": word}) for key, word in keys]


def columns(run: ImportRun, chosen: Mapping[str, str], *, by: Actor) -> list[Column]:
    """Return the file's columns; `chosen` holds targets by column name."""
    rows = queries.sample(run.id, by=by, limit=SAMPLES)
    return [
        Column(f"c{index}", name, [row[index] for row in rows], chosen.get(name, ""))
        for index, name in enumerate(run.header)
    ]


def chosen_of(run: ImportRun, definition: ObjectDef) -> dict[str, str]:
    """Return the stored targets by column name; an unnamed key of a reference is the id."""
    found = {}
    for link in run.mapping:
        target = definition.all_fields.get(link["field"])
        referring = target is not None and bool(target.reference or target.type == "user")
        found[link["column"]] = f"{link['field']}{BY}{link['match'] or 'id'}" if referring else link["field"]
    return found


def posted(run: ImportRun, post: QueryDict) -> dict[str, str]:
    """Return the sent targets by column name, without columns that are left out."""
    sent = {name: post.get(f"c{index}", "") for index, name in enumerate(run.header)}
    return {name: value for name, value in sent.items() if value}


def links(chosen: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the targets in the form that the engine keeps."""
    parts = ((column, *value.partition(BY)) for column, value in chosen.items())
    return [{"column": column, "field": name, "match": match or None} for column, name, _by, match in parts]


def key_choices(definition: ObjectDef, access: Access) -> list[Target]:
    """Return the fields by which existing records can be found; keys of other systems stand first."""
    found = [
        item
        for item in importable(definition, access.editable(definition))
        if "$in" in kind_of(item).operators
        and not (item.reference or item.options or item.type in NO_KEYS)
        and item.name in access.readable(definition)
    ]
    found.sort(key=lambda item: (not item.external_id, not item.unique, item.name != definition.name_field))
    return [Target(item.name, show.label(definition, item.name)) for item in found]


def required(definition: ObjectDef, access: Access) -> list[Target]:
    """Return the fields without which no record can be created."""
    return [
        Target(item.name, show.label(definition, item.name))
        for item in importable(definition, access.editable(definition))
        if item.required and item.default_value is None
    ]


def refuse_nonsense(
    run: ImportRun, chosen: Mapping[str, str], mode: str, key: str, definition: ObjectDef
) -> None:
    """Raise `Invalid` in the reader's words for what the engine would refuse; fields are the inputs' names."""
    faults, taken = [], set()
    ids = {name: f"c{index}" for index, name in enumerate(run.header)}
    for column, value in chosen.items():
        name = value.partition(BY)[0]
        target = definition.all_fields.get(name)
        if name in taken and target is not None and target.type not in JOINED:
            label = show.label(definition, name)
            said = _("Another column goes into “%(field)s” already.") % {"field": label}
            faults.append(FieldError(ids[column], "invalid_value", said, column))
        taken.add(name)
    if not chosen:
        said = _("Choose a field for at least one column.")
        faults.append(FieldError(next(iter(ids.values())), "required", said, run.header[0]))
    if mode != Mode.INSERT and key not in taken:
        said = _("Choose a field that one of the columns goes into.")
        faults.append(FieldError("match_field", "required", said, _("Find existing records by")))
    if faults:
        raise Invalid(_("The columns cannot be imported like this."), faults)


# -- outcome -------------------------------------------------------------------------------------------


def counts(run: ImportRun) -> list[Count]:
    """Return the outcome by kind; a dry run speaks of what would happen."""
    if run.state == ImportState.UNDONE:
        kinds = [
            ("undone", _("Taken back"), "arrow-back-up", "green"),
            ("kept", _("Left as they are"), "lock", "amber"),
        ]
    elif run.state == ImportState.CHECKED:
        kinds = [
            ("created", _("To create"), "plus", "green"),
            ("updated", _("To change"), "pencil", "blue"),
            ("skipped", _("To skip"), "player-skip-forward", ""),
            ("failed", _("With errors"), "alert-circle", "red"),
        ]
    else:
        kinds = [
            ("created", _("Created"), "plus", "green"),
            ("updated", _("Changed"), "pencil", "blue"),
            ("skipped", _("Skipped"), "player-skip-forward", ""),
            ("failed", _("Failed"), "alert-circle", "red"),
        ]
    found = [(label, run.counts.get(key, 0), icon, tone) for key, label, icon, tone in kinds]
    return [
        Count(label, show.number(number), icon, tone if number else "") for label, number, icon, tone in found
    ]


def faults(run: ImportRun, definition: ObjectDef, *, by: Actor, dry: bool) -> list[Fault]:
    """Return what was wrong with the first failed rows, in the order of the file."""
    rows = queries.faults(run.id, by=by, dry=dry, limit=SHOWN_FAULTS)
    if not rows:
        return []
    cells = _cells(run, rows) if run.row_count <= CELLS_UP_TO else {}
    return [
        Fault(
            row.number,
            show.label(definition, item["field"])
            if item["field"] in definition.all_fields
            else item.get("label") or _("Record"),
            sentence(item),
            cells.get((row.number, item["field"])) or str(item.get("value") or ""),
        )
        for row in rows
        for item in row.errors
    ]


def _cells(run: ImportRun, rows: Sequence[ImportRow]) -> dict[tuple[int, str], str]:
    table = source.read(run.file_name, kept.file_of(run)).rows
    found: dict[tuple[int, str], str] = {}
    for row in rows:
        for link in run.mapping:
            place = (row.number, link["field"])
            cell = table[row.number - 1][run.header.index(link["column"])]
            found[place] = f"{found[place]} {cell}" if place in found else cell
    return found


def sentence(item: Mapping[str, Any]) -> str:
    """Return what is wrong in the reader's language; the job that found it spoke nobody's."""
    known = SAID.get(item.get("code", ""))
    needs = {"options": item.get("options"), "constraint": item.get("constraint")}
    if known is None or (show.locale() == "en" and item["code"] not in CLEARER):
        return str(item.get("message", ""))
    if any(f"%({name})s" in str(known) and value is None for name, value in needs.items()):
        return str(item.get("message", ""))
    return str(known) % (needs | {"options": ", ".join(_texts(needs["options"]))})


def _texts(values: Any) -> Iterable[str]:
    return (str(value) for value in values or ())


def may_import(access: Access, definition: ObjectDef) -> bool:
    """Say whether a member may import into an object."""
    return bool(access.can("create", definition)) and access.has_system("import_data")


def require_import(definition: ObjectDef, *, by: Actor) -> Access:
    """Return the rights of who may import into an object; raise `PermissionDenied` for anybody else."""
    access = access_for(by)
    access.require("create", definition)
    access.require_system("import_data")
    return access
