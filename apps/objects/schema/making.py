"""All machines that a set of definitions asks for."""

from __future__ import annotations

from collections.abc import Mapping

from apps.objects.definitions import ObjectDef
from apps.objects.schema.generated import generated
from apps.objects.schema.links import links
from apps.objects.schema.machines import Machine
from apps.objects.schema.rollups import rollups
from apps.objects.schema.trees import trees

# Columns come first: a roll-up counts what a formula computes.
MAKERS = (generated, rollups, links, trees)


def machines(objects: Mapping[str, ObjectDef]) -> dict[str, Machine]:
    """Return the machines of these objects by name."""
    return {machine.name: machine for make in MAKERS for machine in make(objects)}
