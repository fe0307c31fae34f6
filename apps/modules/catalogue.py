"""The catalogue: modules and their versions, for all tenants."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django.conf import settings
from django.db import transaction

from apps.audit import ledger
from apps.core.actor import Actor
from apps.core.errors import Conflict, NotFound, PermissionDenied
from apps.core.scope import current_scope
from apps.modules import semver
from apps.modules.models import Module, Package, Version
from apps.modules.source import Source, load
from apps.objects.parse import DefinitionErrors

Release = Version | Package


@transaction.atomic
def register(*, source: Source, by: Actor, replace: bool = False) -> Version:
    """Enter a version into the catalogue, in the platform's scope; the same content again changes nothing.

    A version never changes its content: raises `Conflict` VERSION_EXISTS, unless `replace` says that this
    machine develops the module.
    """
    if by.kind not in ("operator", "system"):
        raise PermissionDenied("Only operators register modules.")
    manifest = source.manifest
    words = {"name": manifest.name, "description": manifest.description, "license": manifest.license}
    module, _made = Module.objects.update_or_create(
        code=manifest.id, defaults=words | {"author": dict(manifest.author)}
    )
    known = Version.objects.filter(module=module, version=str(manifest.version)).first()
    if known is not None and known.checksum == source.checksum:
        return known
    if known is not None and not replace:
        message = f"{manifest.id} {manifest.version} is in the catalogue with other content."
        raise Conflict(message, code="VERSION_EXISTS", cure="Raise the version in module.yaml.")
    values = {"checksum": source.checksum, "manifest": manifest.as_dict(), "content": source.content()}
    version, _made = Version.objects.update_or_create(
        module=module, version=str(manifest.version), defaults=values
    )
    after = {"module": manifest.id, "version": version.version, "checksum": version.checksum}
    ledger.record("module.registered", by=by, target=f"module:{manifest.id}", after=after)
    return version


def folders() -> list[Path]:
    """Return the folders below MODULES_ROOT that hold a module."""
    root = Path(settings.MODULES_ROOT)
    return sorted(p.parent for p in root.glob("*/module.yaml")) if root.is_dir() else []


def register_all(
    *, by: Actor, replace: bool = False
) -> tuple[list[Version], list[DefinitionErrors | Conflict]]:
    """Register every module on disk; return the versions and what kept others out."""
    made: list[Version] = []
    kept_out: list[DefinitionErrors | Conflict] = []
    for folder in folders():
        try:
            made.append(register(source=load(folder), by=by, replace=replace))
        except (DefinitionErrors, Conflict) as error:
            kept_out.append(error)
    return made, kept_out


def versions(code: str) -> Sequence[Release]:
    """Return the versions of a module, newest first; in a tenant's scope its own packages count."""
    found: list[Release] = [*Version.objects.filter(module__code=code).select_related("module")]
    if current_scope().tenant is not None:
        found += Package.objects.filter(code=code)
    return sorted(found, key=lambda v: semver.Version.parse(v.version), reverse=True)


def version_of(code: str, wanted: str | None = None) -> Release:
    """Return one version, the newest release unless `wanted` names another; raises `NotFound`."""
    known = versions(code)
    releases = [v for v in known if not semver.Version.parse(v.version).pre]
    candidates = [v for v in known if v.version == wanted] if wanted else (releases or known)
    if not candidates:
        what = f"{code} {wanted}" if wanted else code
        raise NotFound(f"There is no module {what} in the catalogue.", code="RESOURCE_NOT_FOUND")
    return candidates[0]


def available() -> list[Version]:
    """Return the newest version of every module of the catalogue."""
    found = (version_of(code) for code in Module.objects.values_list("code", flat=True))
    return [version for version in found if isinstance(version, Version)]
