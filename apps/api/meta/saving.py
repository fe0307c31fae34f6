"""Changing definitions over HTTP: own objects as they are sent, a module's objects through the tenant's layer."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.http import HttpResponse

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import OBJECT, TEXT, Parameter, describe, shape
from apps.api.door import Door
from apps.api.meta import given
from apps.api.meta.doors import locale_of, missing, with_etag
from apps.api.meta.items import object_item
from apps.api.meta.sources import SOURCES
from apps.core.errors import Conflict, Invalid, PermissionDenied, Problem
from apps.objects import publish
from apps.objects.catalog import catalog
from apps.objects.definitions import ObjectDef
from apps.objects.design import saving
from apps.objects.overlay import keeping
from apps.objects.parse import load_body
from apps.permissions.access import access_for

MODES = ("publish", "draft", "plan")
FLAG = {"type": "string", "enum": ["true", "false"]}
FORCE = Parameter("force", "Allow a change that loses data.", FLAG)
LANGUAGE = Parameter("Accept-Language", "Language of the labels.", place="header")
SAVED = shape(
    success={"const": True}, version=TEXT, seq={"type": "integer"}, state=TEXT, message=TEXT, plan=OBJECT,
    restoredFromVersion={"type": "integer"}, required=["success", "version", "message"],
)  # fmt: skip


class ObjectItemDoor(Door):
    """`GET`, `PUT` and `DELETE /meta/object/:name`."""

    changes_schema: ClassVar[frozenset[str]] = frozenset({"PUT", "DELETE"})

    @describe(
        "One object's definition",
        answer=shape(type=TEXT, name=TEXT, item=OBJECT, sortability=OBJECT),
        answers={304: None},
        parameters=[LANGUAGE, Parameter("If-None-Match", "The ETag of the copy at hand.", place="header")],
        tag="meta",
    )
    def get(self, call: Call, name: str) -> HttpResponse:
        body = SOURCES["object"].item(name, access_for(call.actor), locale_of(call))
        if body is None:
            raise missing("object", name)
        return with_etag(call, answers.encode({"type": "object", "name": name, **body}))

    @describe(
        "Create or change an object; its table follows at once. A module's object gets your own layer",
        answer=SAVED,
        body=OBJECT,
        parameters=[
            Parameter(
                "mode",
                "`plan` shows what would happen, `draft` only keeps it.",
                {"type": "string", "enum": [*MODES]},
            ),
            FORCE,
            Parameter("package", "Refused: modules are changed where they come from."),
            Parameter("If-Match", "`version` of the definition that was changed.", place="header"),
        ],
        errors=(409, 422),
        tag="meta",
    )
    def put(self, call: Call, name: str) -> HttpResponse:
        require_design(call)
        mode = call.params.get("mode", "publish")
        if mode not in MODES:
            raise Invalid(f"mode is one of {', '.join(MODES)}.", code="INVALID_REQUEST")
        if package := call.params.get("package"):
            raise _module_owned(str(package))
        body = given.definition(name, call.mapping())
        check_version(call, name)
        wanted = saving.want(name, body, _shown(name, locale_of(call)))
        if mode == "plan":
            made = {"success": True, "state": "planned", "version": wanted.definition.checksum}
            plan = saving.plan(wanted).as_dict()
            return answers.send(made | {"message": f"Planned object '{name}'", "plan": plan})
        if mode == "draft":
            checksum = saving.draft(wanted, by=call.actor)
            known = catalog().find(name)
            return answers.send(saved(name, checksum, known.version if known else 0, "draft"))
        published = saving.put(wanted, by=call.actor, allow_destructive=forced(call))
        return answers.send(in_force(name) | {"plan": published.plan.as_dict()})

    @describe(
        "Drop an own object and its records, or take your layer off a module's object",
        answer=shape(
            success={"const": True}, reset={"type": "boolean"}, seq={"type": "integer"}, message=TEXT
        ),
        parameters=[
            Parameter("force", "Needed while there are records or values: they are lost.", FLAG),
            Parameter(
                "state",
                "`draft` discards the draft only.",
                {"type": "string", "enum": ["active", "draft"]},
            ),
            Parameter("If-Match", "`version` of the definition that is meant.", place="header"),
        ],
        errors=(409,),
        tag="meta",
    )
    def delete(self, call: Call, name: str) -> HttpResponse:
        require_design(call)
        if call.params.get("state") == "draft":
            saving.discard(name, by=call.actor)
            known = catalog().find(name)
            return answers.send(_gone(name, known, "Discarded the draft of", reset=False))
        obj = catalog().find(name)
        if obj is None:
            raise missing("object", name)
        check_version(call, name)
        layer = saving.remove(name, by=call.actor, allow_destructive=forced(call))
        if layer:
            return answers.send(_gone(name, catalog().find(name), "Took your layer off", reset=True))
        return answers.send(_gone(name, obj, "Dropped", reset=False))


def require_design(call: Call) -> None:
    """Refuse whoever may not change definitions: 403 FORBIDDEN."""
    access = access_for(call.actor)
    if not access.has_system(publish.PERMISSION):
        raise PermissionDenied(
            f"Saving a metadata item requires the permission {publish.PERMISSION}.",
            code="FORBIDDEN",
            details={"permission": publish.PERMISSION},
        )


def check_version(call: Call, name: str) -> None:
    """Refuse a change of a definition that is not in force any more: 409 CONCURRENT_UPDATE."""
    wanted = call.header("If-Match")
    if wanted is None:
        return
    known: ObjectDef | None = catalog().find(name)
    current = known.checksum if known else None
    if wanted.strip('"') != current:
        raise Conflict(
            "The definition was changed in the meantime.",
            code="CONCURRENT_UPDATE",
            details={"currentVersion": current},
        )


def forced(call: Call) -> bool:
    """Tell whether the caller allows data to be lost."""
    return call.params.get("force") == "true"


def in_force(name: str) -> dict[str, Any]:
    """Return the answer about a definition that was just brought into force."""
    now = catalog().object(name)
    return saved(name, now.checksum, now.version, "active")


def saved(name: str, version: str, seq: int, state: str) -> dict[str, Any]:
    """Return a SaveMetaItemResponse."""
    message = f"Saved object '{name}' (state={state}) [seq={seq}]"
    return {"success": True, "version": version, "seq": seq, "state": state, "message": message}


def _shown(name: str, locale: str | None) -> Mapping[str, Any] | None:
    """Return a module's own definition as an answer shows it in the caller's language."""
    obj = catalog().find(name)
    if obj is None or obj.module is None:
        return None
    base = load_body(keeping.base_of(name), name, module=obj.module)
    return given.definition(name, object_item(base, frozenset(base.all_fields), locale))


def _gone(name: str, obj: ObjectDef | None, did: str, *, reset: bool) -> dict[str, Any]:
    message = f"{did} object '{name}'"
    return {"success": True, "reset": reset, "seq": obj.version if obj else 0, "message": message}


def _module_owned(module: str) -> Problem:
    return Problem(
        "WRITABLE_PACKAGE_REQUIRED",
        f"Objects of the module {module[:80]} are changed in the module, not here.",
        status=422,
        cure="Save it without a package: your own fields and words form a layer over the module's object.",
    )
