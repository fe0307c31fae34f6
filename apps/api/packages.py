"""The packages of a tenant over HTTP: what is installed, install a compiled artifact, change its version, remove.

A package is known by the id in its manifest (`com.example.crm`); modules of the catalogue by theirs (`crm`).
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.http import HttpResponse

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import OBJECT, TEXT, Parameter, Schema, array, describe, ref, shape
from apps.api.door import Door
from apps.core.canonical import instant
from apps.core.errors import Conflict, Invalid, NotFound, Problem
from apps.modules import catalogue, install, packages
from apps.modules.artifact.stack import read_stack
from apps.modules.models import Installation
from apps.permissions.access import access_for

FORCE = Parameter("force", "Allow a change that loses data.", {"type": "string", "enum": ["true", "false"]})


def _envelope(data: Schema) -> Schema:
    return shape(success={"const": True}, data=data)


def wire(row: Installation) -> dict[str, Any]:
    """Return an installation as the API shows it, with the notices about what does not run here."""
    return {
        "manifest": {"type": "app", "scope": "project", **row.manifest, "id": package_id(row)},
        "status": "installed",
        "enabled": True,
        "writable": False,
        "installedAt": instant(row.installed_at),
        "updatedAt": instant(row.updated_at),
        "notices": packages.notices(row),
    }


def package_id(row: Installation) -> str:
    """Return the id under which clients know the module."""
    return str(row.manifest.get("package") or row.module)


def find(wanted: str) -> Installation:
    """Return an installed package by either of its ids; raises 404."""
    for row in install.installed():
        if wanted in (row.module, package_id(row)):
            return row
    raise NotFound(f"Package '{wanted[:100]}' is not installed.", code="RESOURCE_NOT_FOUND")


def stack_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the artifact in a body: the artifact itself, or its parts beside or inside `manifest`."""
    manifest = body.get("manifest")
    if not isinstance(manifest, dict):
        raise Invalid("The body needs `manifest`.", code="INVALID_REQUEST")
    if isinstance(manifest.get("manifest"), dict):
        return dict(manifest)
    parts = ("objects", "permissions", "views", "translations", "data", "flows", "hooks", "jobs", "functions")
    inside = {key: manifest[key] for key in parts if isinstance(manifest.get(key), list | dict)}
    own = {key: value for key, value in manifest.items() if key not in inside}
    return {**{key: value for key, value in body.items() if key in parts}, **inside, "manifest": own}


class PackagesDoor(Door):
    """`GET` and `POST /packages`."""

    changes_schema: ClassVar[frozenset[str]] = frozenset({"POST"})

    @describe(
        "The packages that are installed",
        answer=_envelope(shape(packages=array(ref("Package")), total={"type": "integer"})),
        tag="packages",
    )
    def get(self, call: Call) -> HttpResponse:
        access_for(call.actor)
        rows = [wire(row) for row in install.installed()]
        return answers.success({"packages": rows, "total": len(rows)})

    @describe(
        "Install a compiled artifact, or bring the installed package to its version",
        answer=_envelope(ref("Package")),
        status=201,
        body=OBJECT,
        parameters=[FORCE],
        errors=(409, 422),
        tag="packages",
    )
    def post(self, call: Call) -> HttpResponse:
        access_for(call.actor).require_system(install.PERMISSION)
        source = read_stack(stack_of(call.mapping()), "body")
        manifest = source.manifest
        here = {row.module: row.version for row in install.installed()}
        if here.get(manifest.id) == str(manifest.version):
            message = f"Package '{manifest.package}' {manifest.version} is installed already."
            raise Conflict(message, code="RESOURCE_CONFLICT", cure="Raise its version to change it.")
        row = packages.bring(source, by=call.actor, allow_destructive=call.params.get("force") == "true")
        return answers.success(wire(row), status=201)


class PackageDoor(Door):
    """`GET`, `PATCH` and `DELETE /packages/:id`."""

    changes_schema: ClassVar[frozenset[str]] = frozenset({"PATCH", "DELETE"})

    @describe("One package", answer=_envelope(ref("Package")), errors=(404,), tag="packages")
    def get(self, call: Call, package: str) -> HttpResponse:
        access_for(call.actor)
        return answers.success(wire(find(package)))

    @describe(
        "Bring a package to another version that is known here",
        answer=_envelope(ref("Package")),
        body=shape(version=TEXT),
        parameters=[FORCE],
        errors=(404, 409),
        tag="packages",
    )
    def patch(self, call: Call, package: str) -> HttpResponse:
        access_for(call.actor).require_system(install.PERMISSION)
        row, given = find(package), call.mapping()
        if set(given) != {"version"} or not isinstance(given["version"], str):
            raise Invalid("The body is {version}: a package is changed by installing another version.")
        made = install.upgrade(
            row.module,
            by=call.actor,
            version=given["version"],
            allow_destructive=call.params.get("force") == "true",
        )
        return answers.success(wire(made))

    @describe(
        "Remove a package with its objects",
        answer=_envelope(shape(success={"const": True}, id=TEXT)),
        parameters=[FORCE],
        errors=(404, 409),
        tag="packages",
    )
    def delete(self, call: Call, package: str) -> HttpResponse:
        access_for(call.actor).require_system(install.PERMISSION)
        row = find(package)
        install.uninstall(row.module, by=call.actor, allow_data_loss=call.params.get("force") == "true")
        return answers.success({"success": True, "id": package_id(row)})


class PackageExportDoor(Door):
    """`GET /packages/:id/export`."""

    @describe("A package's declarations", answer=_envelope(OBJECT), errors=(404,), tag="packages")
    def get(self, call: Call, package: str) -> HttpResponse:
        access_for(call.actor).require_system(install.PERMISSION)
        row = find(package)
        content = catalogue.version_of(row.module, row.version).content
        parts = {"objects": list(content["objects"].values())}
        parts["permissions"] = list(content["permission_sets"].values())
        return answers.success({**row.manifest, "id": package_id(row), **parts, **content.get("parked", {})})


class PackageSwitchDoor(Door):
    """`PATCH /packages/:id/enable` and `/disable`: a package is here or it is not."""

    @describe("Not offered: a package is removed, not switched off", errors=(404, 501), tag="packages")
    def patch(self, call: Call, package: str) -> HttpResponse:
        access_for(call.actor).require_system(install.PERMISSION)
        find(package)
        raise Problem(
            "NOT_IMPLEMENTED",
            "Packages cannot be switched on and off.",
            status=501,
            cure="Take its permission sets from the members: then nobody sees its objects.",
        )
