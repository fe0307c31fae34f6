"""Plain values of a declared object: what a YAML file says after every key was checked.

An `ObjectDef` is immutable and holds no database handle, so it may be cached across tenants' requests
and compared by its checksum. `all_fields` adds the system columns that every record carries.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType
from typing import Any

from apps.objects.formulas import Formula
from apps.objects.validations import Validation

NAME_PATTERN = re.compile(r"[a-z](?:_?[a-z0-9])*")
OBJECT_NAME_LIMIT = 48
FIELD_NAME_LIMIT = 48
TABLE_PREFIX = "obj_"
SHARING_MODELS = ("private", "public_read", "public_read_write", "controlled_by_parent")
OWNERSHIPS = ("user", "none")
DELETE_BEHAVIORS = ("set_null", "restrict", "cascade")
SUMMARY_FUNCTIONS = ("count", "sum", "min", "max", "avg")
VIEW_TYPES = ("table", "board", "calendar", "gallery")
API_METHODS = ("get", "list", "create", "update", "delete", "bulk")


def prefix_of(module: str) -> str:
    """Return what the names of a module's objects start with: its id's last part (`field-service` → `field_service_`,
    `com.example.crm` → `crm_`, `com.example.app:sales` → `sales_`).
    """
    return re.split(r"[.:]", module)[-1].replace("-", "_") + "_"


def empty_mapping() -> Mapping[str, Any]:
    """An immutable empty mapping, the default of mapping attributes."""
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a select field; `value` is stored, `label` is shown."""

    value: str
    label: str
    color: str | None = None
    default: bool = False
    visible_when: str | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What a summary field rolls up: records of `object` whose `relationship` is this record and that pass `filter`.

    `relationship` None means the only reference there is; `source` is the number rolled up, None for a count.
    """

    object: str
    function: str
    source: str | None = None
    relationship: str | None = None
    filter: Mapping[str, Any] = field(default_factory=empty_mapping)


@dataclass(frozen=True, slots=True)
class FieldDef:
    """One field of an object. Numbers are Decimal; `options` is empty unless the type is a choice.

    `parts` are the fields inside a composite, a repeater's rows or a record's entries.
    """

    name: str
    type: str
    label: str = ""
    description: str = ""
    required: bool = False
    unique: bool = False
    multiple: bool = False
    default_value: Any = None
    default_expression: str | None = None
    expression: str | None = None
    return_type: str | None = None
    formula: Formula | None = None
    options: tuple[Option, ...] = ()
    reference: str | None = None
    delete_behavior: str = "set_null"
    max_length: int | None = None
    min_length: int | None = None
    min: Decimal | None = None
    max: Decimal | None = None
    precision: int | None = None
    scale: int | None = None
    step: Decimal | None = None
    dimensions: int | None = None
    language: str | None = None
    parts: tuple[FieldDef, ...] = ()
    autonumber_format: str | None = None
    currency: str | None = None
    summary: Summary | None = None
    readonly: bool = False
    hidden: bool = False
    searchable: bool = False
    sortable: bool = True
    external_id: bool = False
    track_history: bool = True
    personal: bool = False
    masking: str | None = None
    encrypted: str | None = None  # "value", or "equality" when equal values may be found
    group: str | None = None
    visible_when: str | None = None
    readonly_when: str | None = None
    required_when: str | None = None
    renamed_from: str | None = None
    visible_to: frozenset[str] | None = None
    editable_by: frozenset[str] | None = None
    system: bool = False

    @property
    def column(self) -> str:
        """The column in the object's table; always the field's own name."""
        return self.name

    @property
    def reads(self) -> frozenset[str]:
        """The fields that a formula depends on: who may not read them all may not read it."""
        return self.formula.reads if self.formula is not None else frozenset()

    @property
    def option_values(self) -> tuple[str, ...]:
        return tuple(option.value for option in self.options)


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """A titled section of the form; fields name it by `group`."""

    key: str
    label: str


@dataclass(frozen=True, slots=True)
class RecordType:
    """A kind of records within the object: those whose `field` has `value`."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class IndexDef:
    """A declared index over fields of the object; unique ones count living records only."""

    fields: tuple[str, ...]
    unique: bool = False


@dataclass(frozen=True, slots=True)
class ListView:
    """A named list: columns, a filter in object form, and an order as (field, "asc" | "desc") pairs.

    `type` is how it is laid out; `group_by` are the lanes of a board, `date_field` the days of a calendar.
    """

    name: str
    label: str
    columns: tuple[str, ...]
    filter: Mapping[str, Any] = field(default_factory=empty_mapping)
    sort: tuple[tuple[str, str], ...] = ()
    default: bool = False
    type: str = "table"
    group_by: str = ""
    date_field: str = ""


@dataclass(frozen=True, slots=True)
class Enable:
    """What the platform does for the object's records."""

    track_history: bool = True
    track_reads: bool = False
    searchable: bool = True
    api_enabled: bool = True
    api_methods: frozenset[str] = frozenset(API_METHODS)


def _system(name: str, type_: str, label: str, **more: Any) -> FieldDef:
    return FieldDef(name=name, type=type_, label=label, system=True, track_history=False, **more)


SYSTEM_FIELDS: Mapping[str, FieldDef] = MappingProxyType(
    {
        f.name: f
        for f in (
            _system("id", "id", "Id", readonly=True, required=True),
            _system("created_at", "datetime", "Created", readonly=True, required=True),
            _system("updated_at", "datetime", "Last changed", readonly=True, required=True),
            _system("created_by", "user", "Created by", readonly=True),
            _system("updated_by", "user", "Last changed by", readonly=True),
            _system("owner_id", "user", "Owner"),
            _system("version", "integer", "Version", readonly=True, required=True),
            _system("deleted_at", "datetime", "Deleted", readonly=True, hidden=True),
        )
    }
)


@dataclass(frozen=True)
class ObjectDef:
    """A whole object. `body` is the plain JSON it was read from and can be read from again."""

    name: str
    label: str
    plural_label: str
    fields: Mapping[str, FieldDef]
    name_field: str
    description: str = ""
    icon: str = ""
    highlight_fields: tuple[str, ...] = ()
    searchable_fields: tuple[str, ...] = ()
    field_groups: tuple[FieldGroup, ...] = ()
    record_types: tuple[RecordType, ...] = ()
    indexes: tuple[IndexDef, ...] = ()
    enable: Enable = field(default_factory=Enable)
    ownership: str = "user"
    sharing_model: str = "private"
    list_views: Mapping[str, ListView] = field(default_factory=empty_mapping)
    validations: tuple[Validation, ...] = ()
    permission_sets: Mapping[str, Mapping[str, Any]] = field(default_factory=empty_mapping)
    translations: Mapping[str, Mapping[str, Any]] = field(default_factory=empty_mapping)
    personal: bool = False
    renamed_from: str | None = None
    module: str | None = None
    version: int = 0
    checksum: str = ""
    body: Mapping[str, Any] = field(default_factory=empty_mapping, compare=False, repr=False)

    @property
    def table(self) -> str:
        return TABLE_PREFIX + self.name

    @property
    def noun(self) -> str:
        """What its records are called in events: `crm.lead` for the module's `crm_lead`, else the object's name."""
        prefix = prefix_of(self.module) if self.module else ""
        own = self.name.removeprefix(prefix)
        return f"{prefix[:-1]}.{own}" if own != self.name else self.name

    @property
    def owner_field(self) -> str | None:
        """The column the owner rule looks at, or None for objects without owners."""
        owned = self.ownership == "user" and self.sharing_model != "controlled_by_parent"
        return "owner_id" if owned else None

    @cached_property
    def master(self) -> FieldDef | None:
        """The first field that makes the record a part of another, or None."""
        return next((f for f in self.fields.values() if f.type == "master_detail"), None)

    @property
    def managed(self) -> bool:
        """True when a module brought the object: members may not change its definition."""
        return self.module is not None

    @cached_property
    def all_fields(self) -> Mapping[str, FieldDef]:
        """System fields first, then the declared ones in their order."""
        return MappingProxyType({**SYSTEM_FIELDS, **self.fields})

    @cached_property
    def references(self) -> tuple[FieldDef, ...]:
        """The fields that point to another object."""
        return tuple(f for f in self.fields.values() if f.reference)

    @cached_property
    def default_view(self) -> ListView:
        """The view marked default, else the first, else one made of the highlighted fields."""
        views = list(self.list_views.values())
        for view in views:
            if view.default:
                return view
        if views:
            return views[0]
        columns = self.highlight_fields or tuple(n for n, f in self.fields.items() if not f.hidden)[:6]
        return ListView("all", self.plural_label, columns, sort=(("updated_at", "desc"),), default=True)

    @cached_property
    def encrypted_fields(self) -> tuple[FieldDef, ...]:
        """The fields whose column holds sealed bytes."""
        return tuple(f for f in self.fields.values() if f.encrypted)

    @cached_property
    def personal_fields(self) -> frozenset[str]:
        """The fields whose values are sealed in the ledger with the record's own key."""
        return frozenset(name for name, found in self.fields.items() if found.personal or self.personal)

    def sections(self) -> list[tuple[FieldGroup, list[FieldDef]]]:
        """The form: each group with its visible fields; fields of no group come first, untitled."""
        groups = (FieldGroup("", ""), *self.field_groups)
        rows = [
            (g, [f for f in self.fields.values() if (f.group or "") == g.key and not f.hidden])
            for g in groups
        ]
        return [row for row in rows if row[1]]

    # -- words in the reader's language ------------------------------------------------------------

    def _words(self, locale: str | None) -> Mapping[str, Any]:
        if not locale:
            return {}
        return self.translations.get(locale) or self.translations.get(locale.split("-")[0]) or {}

    def label_for(self, locale: str | None = None, *, plural: bool = False) -> str:
        key, own = ("pluralLabel", self.plural_label) if plural else ("label", self.label)
        return self._words(locale).get(key) or own

    def description_for(self, locale: str | None = None) -> str:
        return self._words(locale).get("description") or self.description

    def field_label(self, name: str, locale: str | None = None) -> str:
        words = self._words(locale).get("fields", {}).get(name, {})
        return words.get("label") or self.all_fields[name].label

    def field_description(self, name: str, locale: str | None = None) -> str:
        words = self._words(locale).get("fields", {}).get(name, {})
        return words.get("description") or self.all_fields[name].description

    def option_label(self, name: str, value: str, locale: str | None = None) -> str:
        words = self._words(locale).get("fields", {}).get(name, {}).get("options", {})
        own = next((o.label for o in self.all_fields[name].options if o.value == value), value)
        return words.get(value) or own

    def group_label(self, key: str, locale: str | None = None) -> str:
        own = next((g.label for g in self.field_groups if g.key == key), "")
        return self._words(locale).get("fieldGroups", {}).get(key) or own

    def view_label(self, name: str, locale: str | None = None) -> str:
        view = self.list_views.get(name) or self.default_view
        return self._words(locale).get("listViews", {}).get(name) or view.label
