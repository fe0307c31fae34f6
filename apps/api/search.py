"""`GET /search`: words in all objects the caller may read."""

from typing import Any, ClassVar

from django.http import HttpResponse

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import OBJECT, TEXT, Parameter, array, describe, shape
from apps.api.data.access import current_catalog
from apps.api.door import NONE, Door
from apps.core.errors import Invalid
from apps.core.scope import tenant_scope
from apps.objects import query
from apps.objects.definitions import ObjectDef
from apps.permissions.access import access_for

MOST, PER_OBJECT, LONGEST, SNIPPET = 50, 10, 200, 160
HIT = shape(object=TEXT, id=TEXT, title=TEXT, snippet=TEXT, record=OBJECT)
KEYS = frozenset({"q", "limit", "objects", "perObject"})


def _number(call: Call, name: str, default: int, most: int) -> int:
    text = call.params.get(name, str(default))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= most:
        raise Invalid(f"{name} is a number from 1 to {most}.", code="INVALID_QUERY")
    return int(text)


def _snippet(record: dict[str, Any], fields: tuple[str, ...], words: list[str]) -> str:
    for name in fields:
        value = record.get(name)
        if isinstance(value, str) and any(word in value.lower() for word in words):
            return value[:SNIPPET]
    return ""


class SearchDoor(Door):
    """Each object is searched by its own searchable fields; what may not be read is never found."""

    opens: ClassVar[frozenset[str]] = NONE

    @describe(
        "Search all objects",
        answer=shape(
            query=TEXT,
            hits=array(HIT),
            pages=array(OBJECT),
            totalObjects={"type": "integer"},
            totalHits={"type": "integer"},
            truncated={"type": "boolean"},
        ),
        parameters=[
            Parameter(
                "q", "The words.", {"type": "string", "minLength": 1, "maxLength": LONGEST}, required=True
            ),
            Parameter("limit", "Hits in all.", {"type": "integer", "minimum": 1, "maximum": MOST}),
            Parameter("perObject", "Hits of one object.", {"type": "integer", "minimum": 1, "maximum": MOST}),
            Parameter("objects", "Only these objects, separated by commas."),
        ],
        tag="search",
    )
    def get(self, call: Call) -> HttpResponse:
        assert call.tenant is not None
        words = call.params.get("q", "").strip()
        if not words or len(words) > LONGEST or set(call.params) - KEYS:
            raise Invalid(
                f"q holds 1 to {LONGEST} characters; beside it: limit, perObject, objects.",
                code="INVALID_QUERY",
            )
        limit, each = _number(call, "limit", 20, MOST), _number(call, "perObject", PER_OBJECT, MOST)
        objects = self._objects(call)
        hits: list[dict[str, Any]] = []
        truncated = False
        with tenant_scope(call.tenant):
            for obj in objects:
                page = query.find(obj.name, {"search": words, "limit": each}, by=call.actor)
                truncated |= page.has_more
                hits += [self._hit(obj, text, words) for text in page.rows]
        truncated |= len(hits) > limit
        return answers.send(
            {
                "query": words,
                "hits": hits[:limit],
                "pages": [],
                "totalObjects": len(objects),
                "totalHits": len(hits),
                "truncated": truncated,
            }
        )

    def _objects(self, call: Call) -> list[ObjectDef]:
        assert call.tenant is not None
        with tenant_scope(call.tenant):
            access = access_for(call.actor)
            wanted = call.params.get("objects")
            names = {item.strip() for item in wanted.split(",")} if wanted else None
            return [
                obj
                for obj in current_catalog(call)
                if (names is None or obj.name in names)
                and obj.enable.searchable
                and obj.enable.api_enabled
                and obj.searchable_fields
                and set(obj.searchable_fields) & access.clear(obj)
                and access.can("read", obj)
            ]

    def _hit(self, obj: ObjectDef, text: str, words: str) -> dict[str, Any]:
        record = query.parse(text)
        title = record.get(obj.name_field) or record["id"]
        snippet = _snippet(record, obj.searchable_fields, words.lower().split()) or str(title)
        return {
            "object": obj.name,
            "id": record["id"],
            "title": str(title),
            "snippet": snippet,
            "record": answers.Raw(text),
        }
