"""The overlays in force: laid over what a module brings, and kept with what they were laid over."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.core.actor import Actor
from apps.core.errors import Conflict
from apps.objects.definitions import ObjectDef
from apps.objects.models import Definition
from apps.objects.overlay.layering import Clash, Merged, merge
from apps.objects.overlay.models import Overlay
from apps.objects.parse import DefinitionErrors, load_body
from apps.objects.parse.load import checksum

ACTIVE = Overlay.State.ACTIVE
Wished = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Laid:
    """One object of a module with the tenant's layer on it, judged as a whole."""

    definition: ObjectDef
    base: Mapping[str, Any]
    merged: Merged


def find(name: str) -> Overlay | None:
    """Return the overlay in force."""
    found: Overlay | None = Overlay.objects.filter(name=name, state=ACTIVE).first()
    return found


def base_of(name: str) -> dict[str, Any]:
    """Return the module's own definition of an object, without the tenant's layer."""
    row = find(name)
    if row is not None:
        return dict(row.base)
    return dict(Definition.objects.get(name=name, state=Definition.State.ACTIVE).body)


def lay(
    definitions: Sequence[ObjectDef], module: str | None, wished: Wished | None = None
) -> dict[str, Laid]:
    """Return the objects that carry a layer, by name: the one in force, or the one that is wished for instead.

    Raises `Conflict` OVERLAY_CONFLICT naming every place where a module's new definition and a layer in force no
    longer fit; a wished one that does not fit is refused like any definition.
    """
    if module is None:
        return {}
    bodies = {row.name: row.body for row in Overlay.objects.filter(state=ACTIVE)} | dict(wished or {})
    _check_bases(definitions, wished or {})
    laid: dict[str, Laid] = {}
    clashes: list[Clash] = []
    for base in definitions:
        key = base.name if base.name in bodies else base.renamed_from or ""
        if not bodies.get(key):
            continue
        merged = merge(base.body, bodies[key])
        clashes += merged.blocking
        try:
            definition = load_body(merged.body, base.name, module=module)
        except DefinitionErrors as error:
            if wished and key in wished:
                raise
            clashes += [
                Clash("does_not_fit", f"{base.name}.{e.path}", e.message, e.cure, True) for e in error.errors
            ]
            continue
        laid[base.name] = Laid(definition, base.body, merged)
    if any(clash.blocking for clash in clashes):
        raise _conflict(clashes)
    return laid


def keep(laid: Mapping[str, Laid], published: Iterable[ObjectDef], *, by: Actor) -> None:
    """Write down the layers of what was published; one that says nothing any more goes."""
    gone: set[str] = set()
    for definition in published:
        found = laid.get(definition.name)
        if definition.renamed_from:
            gone.add(definition.renamed_from)
        if found is None:
            gone.add(definition.name)
            continue
        values = {
            "body": _settled(found.merged.overlay),
            "base": dict(found.base),
            "told": [clash.as_dict() for clash in found.merged.clashes],
            "updated_by": by.label,
        }
        Overlay.objects.update_or_create(name=definition.name, state=ACTIVE, defaults=values)
    Overlay.objects.filter(name__in=gone, state=ACTIVE).delete()


def _settled(overlay: dict[str, Any]) -> dict[str, Any]:
    """Return the layer without the renames that were just carried out: the module may use the old names now."""
    fields = overlay.get("fields", {})
    done = {name: {k: v for k, v in spec.items() if k != "renamedFrom"} for name, spec in fields.items()}
    return overlay | ({"fields": done} if done else {})


def settled() -> list[tuple[str, bool, list[Any]]]:
    """Return (object, False, clashes) for every layer that lost something when its module was upgraded."""
    return [(row.name, False, row.told) for row in Overlay.objects.filter(state=ACTIVE) if row.told]


def own_fields() -> dict[str, int]:
    """Return how many fields of its own the tenant has on each module's object with a layer."""
    rows = Overlay.objects.filter(state=ACTIVE).values_list("name", "body")
    return {name: len(body.get("fields", {})) for name, body in rows}


def forget(name: str) -> None:
    """Remove every layer of an object that is gone."""
    Overlay.objects.filter(name=name).delete()


def _check_bases(definitions: Sequence[ObjectDef], wished: Wished) -> None:
    """Refuse a wish that was made over a definition which its module has replaced since."""
    for base in definitions:
        if base.name in wished and base.checksum != checksum(base_of(base.name)):
            message = f"The module of {base.name} was upgraded in the meantime."
            raise Conflict(message, code="CONCURRENT_UPDATE", cure="Read the definition again.")


def _conflict(clashes: Iterable[Clash]) -> Conflict:
    blocking = [clash for clash in clashes if clash.blocking]
    return Conflict(
        "Your own changes no longer fit the module: " + " ".join(clash.message for clash in blocking),
        code="OVERLAY_CONFLICT",
        cure=blocking[0].cure or "Change your own fields, lists or rules first.",
        details={"conflicts": [clash.as_dict() for clash in blocking]},
    )
