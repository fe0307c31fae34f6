"""Saving, publishing, reverting and removing definitions; needs `manage_metadata`.

Whatever changes tables needs `owner_session()` around the tenant's scope, as `publish_objects` does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.audit import ledger
from apps.core.actor import Actor
from apps.core.errors import Conflict, NotFound
from apps.objects import publish
from apps.objects.catalog import catalog
from apps.objects.definitions import ObjectDef
from apps.objects.design import history
from apps.objects.models import Definition, Overlay
from apps.objects.overlay import keeping
from apps.objects.overlay.layering import Clash, derive, merge
from apps.objects.parse import load_body
from apps.objects.parse.load import checksum
from apps.objects.schema import Plan
from apps.permissions.access import access_for

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Wanted:
    """What shall be: the whole definition, and for a module's object the layer that makes it so."""

    definition: ObjectDef
    base: ObjectDef | None = None
    overlay: Body | None = None
    clashes: tuple[Clash, ...] = ()

    @property
    def module(self) -> str | None:
        """The module below the layer; None for the tenant's own object."""
        return self.base.module if self.base else None

    @property
    def targets(self) -> list[ObjectDef]:
        """What `publish_objects` is given."""
        return [self.base or self.definition]

    @property
    def layers(self) -> dict[str, Body] | None:
        """The layers that `publish_objects` is given; None for an object without a module below."""
        return {self.definition.name: self.overlay or {}} if self.base else None


@dataclass(frozen=True)
class Draft:
    """A definition that is not in force: how it would be now, and where it no longer fits."""

    name: str
    body: Body
    updated_at: Any
    updated_by: str
    module: str | None = None
    clashes: tuple[Clash, ...] = ()


def want(name: str, body: Body, shown: Body | None = None) -> Wanted:
    """Return what a whole definition means; raises `DefinitionErrors` for what cannot be, or is the module's.

    `shown` is a module's object as an answer shows it: what equals that is no change.
    """
    found = catalog().find(name)
    if found is None or found.module is None:
        return Wanted(load_body(body))
    base = keeping.base_of(name)
    return _over(name, found.module, derive(base, body, shown))


def _over(name: str, module: str, overlay: Body) -> Wanted:
    base = load_body(keeping.base_of(name), name, module=module)
    merged = merge(base.body, overlay)
    definition = load_body(merged.body, name, module=module)
    return Wanted(definition, base, merged.overlay, tuple(merged.clashes))


def plan(wanted: Wanted) -> Plan:
    """Return what publishing would do to the tables; changes nothing."""
    return publish.plan_objects(wanted.targets, module=wanted.module, overlays=wanted.layers)


def put(
    wanted: Wanted, *, by: Actor, allow_destructive: bool = False, operation: str = "publish"
) -> publish.Published:
    """Bring a definition into force; its draft is done with."""
    name = wanted.definition.name
    made = publish.publish_objects(
        wanted.targets,
        by=by,
        module=wanted.module,
        allow_destructive=allow_destructive,
        overlays=wanted.layers,
        operation=operation,
    )
    _drafts(name)
    return made


def draft(wanted: Wanted, *, by: Actor) -> str:
    """Keep a definition that is not in force yet; return its checksum. One draft stands beside each object."""
    name = wanted.definition.name
    if wanted.base is None:
        return publish.save_draft(wanted.definition.body, by=by).checksum
    access_for(by).require_system(publish.PERMISSION)
    values = {"body": dict(wanted.overlay or {}), "updated_by": by.label}
    Overlay.objects.update_or_create(name=name, state=Overlay.State.DRAFT, defaults=values)
    after = {"name": name, "checksum": wanted.definition.checksum, "overlay": checksum(wanted.overlay or {})}
    ledger.record("object.drafted", by=by, target=f"object:{name}", after=after)
    return wanted.definition.checksum


def drafts() -> list[Draft]:
    """Return every draft, the newest first."""
    own = [
        Draft(row.name, row.body, row.updated_at, row.updated_by)
        for row in Definition.objects.filter(state=Definition.State.DRAFT)
    ]
    laid = [_laid(row) for row in Overlay.objects.filter(state=Overlay.State.DRAFT)]
    return sorted([*own, *(item for item in laid if item)], key=lambda item: item.updated_at, reverse=True)


def draft_of(name: str) -> Draft | None:
    """Return the draft beside an object."""
    row = Definition.objects.filter(name=name, state=Definition.State.DRAFT).first()
    if row is not None:
        return Draft(row.name, row.body, row.updated_at, row.updated_by)
    layer = Overlay.objects.filter(name=name, state=Overlay.State.DRAFT).first()
    return _laid(layer) if layer else None


def _laid(row: Overlay) -> Draft | None:
    found = catalog().find(row.name)
    if found is None or found.module is None:
        return None
    merged = merge(keeping.base_of(row.name), row.body)
    return Draft(row.name, merged.body, row.updated_at, row.updated_by, found.module, tuple(merged.clashes))


def publish_draft(name: str, *, by: Actor, allow_destructive: bool = False) -> publish.Published:
    """Bring the draft of `name` into force; raises `NotFound` when there is none."""
    return put(wanted_by_draft(name), by=by, allow_destructive=allow_destructive)


def wanted_by_draft(name: str) -> Wanted:
    """Return what the draft of `name` wants; raises `NotFound`, or `Conflict` where its module took a name."""
    found = draft_of(name)
    if found is None:
        raise NotFound(f"There is no draft of {name[:80]}.", code="RESOURCE_NOT_FOUND")
    if found.module is None:
        return Wanted(load_body(found.body))
    blocking = [clash.message for clash in found.clashes if clash.blocking]
    if blocking:
        raise Conflict(" ".join(blocking), code="OVERLAY_CONFLICT", cure="Change the draft, or discard it.")
    layer = Overlay.objects.get(name=name, state=Overlay.State.DRAFT)
    return _over(name, found.module, layer.body)


def discard(name: str, *, by: Actor) -> None:
    """Throw the draft of `name` away; raises `NotFound` when there is none."""
    access_for(by).require_system(publish.PERMISSION)
    if not _drafts(name):
        raise NotFound(f"There is no draft of {name[:80]}.", code="RESOURCE_NOT_FOUND")
    ledger.record("object.draft_discarded", by=by, target=f"object:{name}", before={"name": name})


def _drafts(name: str) -> int:
    """Delete the drafts of `name`; return how many there were."""
    own, _ = Definition.objects.filter(name=name, state=Definition.State.DRAFT).delete()
    laid, _ = Overlay.objects.filter(name=name, state=Overlay.State.DRAFT).delete()
    return own + laid


def remove(name: str, *, by: Actor, allow_destructive: bool = False) -> bool:
    """Drop an own object, or take the tenant's layer off a module's; tell whether it was a layer."""
    found = catalog().object(name)
    if found.module is None:
        publish.publish_objects([], by=by, drop=[name], allow_destructive=allow_destructive)
        return False
    if keeping.find(name) is None:
        message = (
            f"{name} is as the module {found.module} brings it; there is nothing of your own to take back."
        )
        raise Conflict(message, code="INVALID_STATE", cure="Remove the module to remove its objects.")
    put(_over(name, found.module, {}), by=by, allow_destructive=allow_destructive, operation="reset")
    return True


def roll_back(name: str, version: int, *, by: Actor, allow_destructive: bool = False) -> publish.Published:
    """Bring an earlier version into force again, as a new version; what the module brings stays the module's."""
    return put(
        wanted_by_version(name, version), by=by, allow_destructive=allow_destructive, operation="revert"
    )


def wanted_by_version(name: str, version: int) -> Wanted:
    """Return what bringing back a version means now."""
    catalog().object(name)
    return want(name, history.version(name, version).body)
