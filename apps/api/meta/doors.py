"""The doors to definitions: types, lists, one item with an ETag, the generated list and form."""

import hashlib
from typing import ClassVar

from django.http import HttpResponse
from django.utils.translation.trans_real import parse_accept_lang_header

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import OBJECT, TEXT, Parameter, array, describe, shape
from apps.api.door import Door
from apps.api.meta import sources
from apps.api.meta.items import form_config, list_config
from apps.core.errors import NotFound, Problem
from apps.objects.catalog import catalog
from apps.objects.definitions import ObjectDef
from apps.permissions.access import Access, access_for

LANGUAGE = Parameter(
    "Accept-Language", "Language of the labels.", {"type": "string", "maxLength": 200}, "header"
)


def locale_of(call: Call) -> str | None:
    """Return the caller's first language, lower case, or None."""
    wanted = [
        code for code, weight in parse_accept_lang_header(call.header("Accept-Language") or "") if weight > 0
    ]
    return wanted[0] if wanted and wanted[0] != "*" else None


def with_etag(call: Call, content: bytes) -> HttpResponse:
    """Answer with a validator: 304 when the caller has these very bytes."""
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    known = [item.strip().removeprefix("W/") for item in (call.header("If-None-Match") or "").split(",")]
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Accept-Language"}
    if etag in known or known == ["*"]:
        return HttpResponse(status=304, headers=headers)
    return answers.send(content, headers=headers)


class TypesDoor(Door):
    """`GET /meta` and `/meta/types`."""

    @describe(
        "The kinds of metadata this installation holds",
        answer=shape(types=array(TEXT), entries=array(OBJECT)),
    )
    def get(self, call: Call) -> HttpResponse:
        entries = [source.entry() for source in sources.SOURCES.values()]
        return answers.send({"types": list(sources.SOURCES), "entries": entries})


class ItemsDoor(Door):
    """`GET /meta/:type`."""

    @describe(
        "All items of one kind that the caller may see",
        answer=shape(type=TEXT, items=array(OBJECT)),
        parameters=[LANGUAGE, Parameter("package", "Only items of this module.")],
    )
    def get(self, call: Call, kind: str) -> HttpResponse:
        source = _source(kind)
        items = source.items(access_for(call.actor), locale_of(call))
        package = call.params.get("package")
        if package:
            items = [item for item in items if item.get("_packageId") == package]
        return with_etag(call, answers.encode({"type": kind, "items": items}))


class ItemDoor(Door):
    """`GET /meta/:type/:name` for every kind but objects, which may also be written."""

    @describe(
        "One item",
        answer=shape(
            type=TEXT, name=TEXT, item=OBJECT, sortability=OBJECT, required=["type", "name", "item"]
        ),
        answers={304: None},
        parameters=[LANGUAGE, Parameter("If-None-Match", "The ETag of the copy at hand.", place="header")],
    )
    def get(self, call: Call, kind: str, name: str) -> HttpResponse:
        body = _source(kind).item(name, access_for(call.actor), locale_of(call))
        if body is None:
            raise missing(kind, name)
        return with_etag(call, answers.encode({"type": kind, "name": name, **body}))


class MetadataAliasDoor(Door):
    """`GET /api/metadata/:object`, the ObjectOS address of an object's definition."""

    undocumented: ClassVar[bool] = True

    def get(self, call: Call, name: str) -> HttpResponse:
        body = sources.SOURCES["object"].item(name, access_for(call.actor), locale_of(call))
        if body is None:
            raise missing("object", name)
        return with_etag(call, answers.encode(body["item"]))


class ViewDoor(Door):
    """`GET /ui/view/:object/list|form`."""

    @describe(
        "The generated list or form of an object",
        answer=shape(object=TEXT, list=OBJECT, form=OBJECT, required=["object"]),
        parameters=[LANGUAGE],
    )
    def get(self, call: Call, name: str, kind: str) -> HttpResponse:
        access = access_for(call.actor)
        obj = visible_object(name, access)
        locale = locale_of(call)
        if kind == "list":
            config = list_config(obj, obj.default_view, access.readable(obj), locale)
        elif kind == "form":
            config = form_config(obj, access.readable(obj), access.editable(obj), locale)
        else:
            raise Problem("INVALID_REQUEST", f"A view is a list or a form, not {kind[:40]!r}.", status=400)
        return with_etag(call, answers.encode({"object": obj.name, kind: config}))


def visible_object(name: str, access: Access) -> ObjectDef:
    """Return an object the caller may read; 404 OBJECT_NOT_FOUND for the others."""
    obj = catalog().find(name)
    if obj is None or not (access.can("read", obj) or access.has_system("manage_metadata")):
        raise NotFound(
            f"Object {name[:80]!r} is not registered.", code="OBJECT_NOT_FOUND", details={"object": name[:80]}
        )
    return obj


def missing(kind: str, name: str) -> Problem:
    """404 RESOURCE_NOT_FOUND: absent and invisible look the same."""
    return NotFound(f"Metadata item {kind[:40]}/{name[:80]} not found", code="RESOURCE_NOT_FOUND")


def _source(kind: str) -> sources.Source:
    source = sources.SOURCES.get(kind)
    if source is None:
        raise Problem(
            "INVALID_REQUEST",
            f"{kind[:40]!r} is not a kind of metadata here.",
            status=400,
            cure="GET /api/v1/meta names the kinds.",
        )
    return source
