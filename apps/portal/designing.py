"""An object under design: the draft if there is one, else what is in force, and what pages say about it."""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.core.errors import FieldError, Invalid, NotFound
from apps.objects.catalog import catalog
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.design import history, saving
from apps.objects.design.saving import Draft
from apps.objects.overlay import keeping
from apps.objects.parse import DefinitionErrors, load_body
from apps.portal import field_types, show


@dataclass(frozen=True)
class Line:
    """One field on the design page. `state` tells what publishing would do to it: new, changed or nothing."""

    field: FieldDef
    label: str
    type: field_types.Card
    own: bool
    state: str


@dataclass(frozen=True)
class Design:
    """An object as it would be. `definition` is None where the draft no longer makes one."""

    name: str
    body: Mapping[str, Any]
    in_force: ObjectDef | None
    draft: Draft | None
    definition: ObjectDef | None
    base: Mapping[str, Any] | None = None

    @property
    def module(self) -> str | None:
        """The module that brought the object; None for an own one."""
        return self.in_force.module if self.in_force else None

    @property
    def label(self) -> str:
        """What the object is called, in the reader's language where it says so."""
        return (
            self.definition.label_for(show.locale())
            if self.definition
            else str(self.body.get("label") or self.name)
        )

    @property
    def changes(self) -> list[history.Change]:
        """What the draft changes."""
        if self.draft is None:
            return []
        return history.diff(self.in_force.body if self.in_force else {}, self.body)

    def owns(self, field: str) -> bool:
        """Tell whether a field is the tenant's own, to change and remove at will."""
        return self.base is None or field not in self.base.get("fields", {})

    def lines(self) -> list[tuple[str, str, list[Line]]]:
        """Return the fields by section, as (key, title, lines); hidden ones stand last."""
        if self.definition is None:
            return []
        found = [
            (
                group.key,
                self.definition.group_label(group.key, show.locale()),
                [self._line(f) for f in fields],
            )
            for group, fields in self.definition.sections()
        ]
        known = {group.key for group, _fields in self.definition.sections()}
        found += [(g.key, g.label, []) for g in self.definition.field_groups if g.key not in known]
        hidden = [self._line(f) for f in self.definition.fields.values() if f.hidden]
        return [*found, *([("", _("Hidden"), hidden)] if hidden else [])]

    def _line(self, found: FieldDef) -> Line:
        before = (self.in_force.body if self.in_force else {}).get("fields", {}).get(found.name)
        now = self.body.get("fields", {}).get(found.name)
        state = "new" if before is None else "changed" if before != now else ""
        label = show.label(self.definition, found.name) if self.definition else found.label
        return Line(
            found, label, field_types.card(found.type), self.owns(found.name), state if self.draft else ""
        )


def open_design(name: str) -> Design:
    """Return the object under design; raises `NotFound`."""
    in_force, draft = catalog().find(name), saving.draft_of(name)
    if in_force is None and draft is None:
        raise NotFound(_("There is no such object."))
    body = draft.body if draft else in_force.body if in_force else {}
    module = in_force.module if in_force else None
    try:
        definition: ObjectDef | None = load_body(body, name, module=module)
    except DefinitionErrors:
        definition = None
    base = keeping.base_of(name) if module else None
    return Design(name, body, in_force, draft, definition, base)


def keep(name: str, body: Mapping[str, Any], *, by: Actor) -> None:
    """Keep a definition as the draft; what is wrong with it becomes errors of a form."""
    try:
        saving.draft(saving.want(name, body), by=by)
    except DefinitionErrors as error:
        raise Invalid(_("This definition is not right yet."), said(error)) from error


def said(error: DefinitionErrors) -> list[FieldError]:
    """Return the faults of a definition as errors of a form's inputs, by the key they are about."""
    return [
        FieldError(
            fault.path.rsplit(".", 1)[-1].split("[")[0], fault.code, f"{fault.message} {fault.cure}".strip()
        )
        for fault in error.errors
    ]


def edited(design: Design) -> dict[str, Any]:
    """Return a copy of the definition to change."""
    return deepcopy(dict(design.body))


def overview() -> list[dict[str, Any]]:
    """Return every object with what the list page says of it: own ones and new drafts first."""
    waiting = {draft.name: draft for draft in saving.drafts()}
    layers = keeping.own_fields()
    rows = [
        {
            "name": found.name,
            "label": found.label_for(show.locale(), plural=True),
            "icon": found.icon,
            "module": found.module,
            "fields": len(found.fields),
            "own": layers.get(found.name, 0),
            "draft": waiting.pop(found.name, None),
        }
        for found in catalog()
    ]
    rows += [
        {"name": name, "label": str(draft.body.get("label") or name), "icon": draft.body.get("icon", ""),
         "module": None, "fields": len(draft.body.get("fields", {})), "own": 0, "draft": draft, "fresh": True}
        for name, draft in waiting.items()
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (row["module"] or "", str(row["label"]).casefold()))


def told(changes: Sequence[history.Change]) -> list[dict[str, Any]]:
    """Return differences as texts: words as they are, everything else as JSON."""
    return [
        {"path": change.path, "before": _text(change.before), "after": _text(change.after)}
        for change in changes
    ]


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def references() -> Sequence[tuple[str, str]]:
    """Return the objects that a field may point to, as (name, words)."""
    rows = [(found.name, found.label_for(show.locale())) for found in catalog()]
    return sorted(rows, key=lambda row: row[1].casefold())
