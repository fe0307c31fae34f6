"""Packages that a tenant brings itself: a folder of declarations or a compiled artifact, for this tenant alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db import transaction

from apps.audit import ledger
from apps.core.actor import Actor
from apps.core.errors import Conflict
from apps.modules import artifact, install
from apps.modules.catalogue import version_of
from apps.modules.install import PERMISSION, Tell, quiet
from apps.modules.models import Installation, Module, Package
from apps.modules.source import Source, load
from apps.objects.parse import DefinitionError, DefinitionErrors
from apps.permissions.access import access_for


def read(path: Path) -> Source:
    """Return the module of a folder or of an artifact's file; raises `DefinitionErrors`."""
    if path.is_dir():
        return load(path)
    try:
        return artifact.read_artifact(path.read_bytes(), path.name)
    except OSError as error:
        fault = DefinitionError(path.name, 0, "", "unknown_file", f"It cannot be read: {error.strerror}.")
        raise DefinitionErrors([fault]) from error


@transaction.atomic
def keep(*, source: Source, by: Actor) -> Package:
    """Store a version among the tenant's own packages; the same content again changes nothing.

    Raises `Conflict` when the id belongs to the catalogue or the version holds other content.
    """
    access_for(by).require_system(PERMISSION)
    manifest = source.manifest
    if Module.objects.filter(code=manifest.id).exists():
        cure = "Install it from there, or give the package an id of its own."
        raise Conflict(f"{manifest.id} is a module of the catalogue.", code="RESOURCE_CONFLICT", cure=cure)
    known = Package.objects.filter(code=manifest.id, version=str(manifest.version)).first()
    if known is not None and known.checksum == source.checksum:
        return known
    if known is not None:
        message = f"{manifest.id} {manifest.version} is here already with other content."
        raise Conflict(message, code="VERSION_EXISTS", cure="Raise the version of the package.")
    row = Package.objects.create(
        code=manifest.id,
        version=str(manifest.version),
        checksum=source.checksum,
        manifest=manifest.as_dict(),
        content=source.content(),
        created_by=by.label,
    )
    after = {"module": row.code, "version": row.version, "checksum": row.checksum}
    ledger.record("module.brought", by=by, target=f"module:{row.code}", after=after)
    return row


def bring(source: Source, *, by: Actor, allow_destructive: bool = False, tell: Tell = quiet) -> Installation:
    """Keep the package and install it, or bring what is installed to its version."""
    kept = keep(source=source, by=by)
    if Installation.objects.filter(module=kept.code).exists():
        return install.upgrade(
            kept.code, by=by, version=kept.version, allow_destructive=allow_destructive, tell=tell
        )
    return install.install(kept.code, by=by, version=kept.version, tell=tell)


def notices(row: Installation) -> list[dict[str, Any]]:
    """Return what of the installed version does not come over as its author wrote it, one entry a part."""
    return list(version_of(row.module, row.version).content.get("notices", ()))
