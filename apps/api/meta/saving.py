"""Changing definitions over HTTP: judge, plan, publish; objects of a module stay the module's."""

from typing import Any, ClassVar

from django.http import HttpResponse

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import OBJECT, TEXT, Parameter, describe, shape
from apps.api.door import Door
from apps.api.meta import given
from apps.api.meta.doors import locale_of, missing, with_etag
from apps.api.meta.sources import SOURCES
from apps.core.errors import Conflict, Invalid, PermissionDenied, Problem
from apps.objects import publish
from apps.objects.catalog import catalog
from apps.objects.definitions import ObjectDef
from apps.objects.parse import load_body
from apps.permissions.access import access_for

MODES = ("publish", "draft", "plan")
FLAG = {"type": "string", "enum": ["true", "false"]}
LANGUAGE = Parameter("Accept-Language", "Language of the labels.", place="header")


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
        "Create or change an object; its table follows at once",
        answer=OBJECT,
        body=OBJECT,
        parameters=[
            Parameter(
                "mode",
                "`plan` shows what would happen, `draft` only keeps it.",
                {"type": "string", "enum": [*MODES]},
            ),
            Parameter("force", "Allow a change that loses data.", FLAG),
            Parameter("package", "Refused: modules are changed where they come from."),
            Parameter("If-Match", "`version` of the definition that was changed.", place="header"),
        ],
        tag="meta",
    )
    def put(self, call: Call, name: str) -> HttpResponse:
        _require(call)
        mode = call.params.get("mode", "publish")
        if mode not in MODES:
            raise Invalid(f"mode is one of {', '.join(MODES)}.", code="INVALID_REQUEST")
        if package := call.params.get("package"):
            raise _module_owned(str(package))
        body = given.definition(name, call.mapping())
        _check_version(call, name)
        obj = load_body(body)
        if mode == "plan":
            plan = publish.plan_objects([obj])
            return answers.send(
                {"success": True, "state": "planned", "version": obj.checksum, "plan": plan.as_dict()}
            )
        if mode == "draft":
            draft = publish.save_draft(body, by=call.actor)
            return answers.send(_saved(name, draft.checksum, draft.version, "draft"))
        made = publish.publish_objects(
            [obj], by=call.actor, allow_destructive=call.params.get("force") == "true"
        )
        now = catalog().object(name)
        answer = _saved(name, now.checksum, now.version, "active")
        return answers.send(answer | {"plan": made.plan.as_dict()})

    @describe(
        "Drop an object and its records",
        answer=shape(
            success={"const": True}, reset={"type": "boolean"}, seq={"type": "integer"}, message=TEXT
        ),
        parameters=[
            Parameter("force", "Needed while there are records: they are lost.", FLAG),
            Parameter(
                "state", "`draft` drops the draft only.", {"type": "string", "enum": ["active", "draft"]}
            ),
        ],
        tag="meta",
    )
    def delete(self, call: Call, name: str) -> HttpResponse:
        _require(call)
        obj = catalog().find(name)
        if obj is None:
            raise missing("object", name)
        if obj.module:
            raise _module_owned(obj.module)
        publish.publish_objects(
            [], by=call.actor, drop=[name], allow_destructive=call.params.get("force") == "true"
        )
        message = f"Dropped object '{name}'"
        return answers.send({"success": True, "reset": False, "seq": obj.version, "message": message})


def _require(call: Call) -> None:
    access = access_for(call.actor)
    if not access.has_system(publish.PERMISSION):
        raise PermissionDenied(
            f"Saving a metadata item requires the permission {publish.PERMISSION}.",
            code="FORBIDDEN",
            details={"permission": publish.PERMISSION},
        )


def _check_version(call: Call, name: str) -> None:
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


def _module_owned(module: str) -> Problem:
    return Problem(
        "WRITABLE_PACKAGE_REQUIRED",
        f"Objects of the module {module[:80]} are changed in the module, not here.",
        status=422,
        cure="Save it without a package, under a name of your own.",
    )


def _saved(name: str, version: str, seq: int, state: str) -> dict[str, Any]:
    message = f"Saved object '{name}' (state={state}) [seq={seq}]"
    return {"success": True, "version": version, "seq": seq, "state": state, "message": message}
