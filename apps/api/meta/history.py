"""The doors to what definitions were: history, audit, differences, rollback, drafts, layers, references, diagnostics."""

from typing import Any, ClassVar

from django.http import HttpResponse

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import OBJECT, TEXT, Parameter, array, describe, shape
from apps.api.door import Door
from apps.api.meta.doors import missing, visible_object
from apps.api.meta.saving import FORCE, SAVED, check_version, forced, in_force, require_design
from apps.api.meta.sources import SOURCES
from apps.core.canonical import instant
from apps.core.errors import Invalid
from apps.objects.catalog import catalog
from apps.objects.design import history, references, saving
from apps.objects.design.history import Change
from apps.objects.models import DefinitionVersion
from apps.objects.overlay import keeping
from apps.permissions.access import access_for

NUMBER = {"type": "integer", "minimum": 1}
EVENTS = shape(events=array(OBJECT))
OPERATIONS = {"drop": "delete", "revert": "revert", "reset": "reset"}
POSTS = frozenset({"POST"})


class HistoryDoor(Door):
    """`GET /meta/object/:name/history`: every version, the oldest first."""

    @describe("The versions of a definition", answer=EVENTS, tag="meta")
    def get(self, call: Call, name: str) -> HttpResponse:
        rows = _versions(call, name)
        parents = [None, *(row.checksum for row in rows)]
        events = [_event(row, parent) for row, parent in zip(rows, parents, strict=False)]
        return answers.send({"events": events})


class AuditDoor(Door):
    """`GET /meta/object/:name/audit`: what the ledger says of a definition, the newest first."""

    @describe("The ledger's entries about a definition", answer=EVENTS, tag="meta")
    def get(self, call: Call, name: str) -> HttpResponse:
        _versions(call, name)
        events = [
            {
                "id": str(entry.id),
                "occurredAt": instant(entry.at),
                "actor": entry.actor.id,
                "source": entry.actor.kind,
                "operation": entry.action.rpartition(".")[2],
                "outcome": "allowed",
                "code": "ok",
                "lockState": "none",
                "lockOverridden": False,
                "requestId": entry.request_id,
                "note": entry.actor.label,
            }
            for entry in history.entries(name)
        ]
        return answers.send({"events": events})


class DiffDoor(Door):
    """`GET /meta/object/:name/diff?from=&to=`: without numbers, the last version against the one before."""

    @describe(
        "What differs between two versions, field by field",
        answer=shape(
            type=TEXT, name=TEXT, fromVersion={"type": "integer"}, toVersion={"type": "integer"},
            added=array(OBJECT), removed=array(OBJECT), changed=array(OBJECT),
        ),
        parameters=[
            Parameter("from", "The earlier version; 0 is before there was any.", {"type": "integer", "minimum": 0}),
            Parameter("to", "The later version.", NUMBER),
        ],
        tag="meta",
    )  # fmt: skip
    def get(self, call: Call, name: str) -> HttpResponse:
        newest = _versions(call, name)[-1].version
        to = _number(call, "to", newest)
        since = _number(call, "from", max(0, to - 1))
        before = history.version(name, since).body if since else {}
        changes = history.diff(before, history.version(name, to).body)
        body: dict[str, Any] = {"type": "object", "name": name, "fromVersion": since, "toVersion": to}
        for kind in ("added", "removed", "changed"):
            body[kind] = [_change(change) for change in changes if change.kind == kind]
        return answers.send(body)


class RollbackDoor(Door):
    """`POST /meta/object/:name/rollback {toVersion}`: an earlier version in force again, as a new one."""

    changes_schema: ClassVar[frozenset[str]] = POSTS

    @describe(
        "Bring an earlier version back",
        answer=SAVED,
        body=shape(toVersion=NUMBER, message=TEXT, required=["toVersion"]),
        parameters=[FORCE],
        errors=(409, 422),
        tag="meta",
    )
    def post(self, call: Call, name: str) -> HttpResponse:
        require_design(call)
        body = call.mapping()
        to = body.get("toVersion")
        if isinstance(to, bool) or not isinstance(to, int) or to < 1:
            raise Invalid("toVersion is the number of a version.", code="INVALID_REQUEST")
        if catalog().find(name) is None:
            raise missing("object", name)
        made = saving.roll_back(name, to, by=call.actor, allow_destructive=forced(call))
        answer = in_force(name) | {"restoredFromVersion": to, "plan": made.plan.as_dict()}
        return answers.send(answer | {"message": f"Reverted object '{name}' to version {to}"})


class PublishDoor(Door):
    """`POST /meta/object/:name/publish`: the draft comes into force."""

    changes_schema: ClassVar[frozenset[str]] = POSTS

    @describe(
        "Bring the draft into force",
        answer=SAVED,
        body=shape(message=TEXT, required=[]),
        body_required=False,
        parameters=[FORCE, Parameter("If-Match", "`version` of the definition in force.", place="header")],
        errors=(409, 422),
        tag="meta",
    )
    def post(self, call: Call, name: str) -> HttpResponse:
        require_design(call)
        call.mapping(optional=True)
        check_version(call, name)
        made = saving.publish_draft(name, by=call.actor, allow_destructive=forced(call))
        answer = in_force(name) | {"plan": made.plan.as_dict()}
        return answers.send(answer | {"message": f"Published the draft of object '{name}'"})


class PublishedDoor(Door):
    """`GET /meta/object/:name/published`: the definition in force as it was written, without defaults."""

    @describe("The definition in force, as written", answer=OBJECT, tag="meta")
    def get(self, call: Call, name: str) -> HttpResponse:
        require_design(call)
        return answers.send(dict(visible_object(name, access_for(call.actor)).body))


class DraftDoor(Door):
    """`GET /meta/object/:name/draft`: the draft, what it would do, and where it no longer fits."""

    @describe(
        "The draft beside a definition, with its plan",
        answer=shape(type=TEXT, name=TEXT, item=OBJECT, conflicts=array(OBJECT), plan=OBJECT, changes=array(OBJECT),
                     required=["type", "name", "item", "conflicts"]),
        tag="meta",
    )  # fmt: skip
    def get(self, call: Call, name: str) -> HttpResponse:
        require_design(call)
        draft = saving.draft_of(name)
        if draft is None:
            raise missing("draft", name)
        body: dict[str, Any] = {"type": "object", "name": name, "item": draft.body}
        body["conflicts"] = [clash.as_dict() for clash in draft.clashes]
        if not any(clash.blocking for clash in draft.clashes):
            body["plan"] = saving.plan(saving.wanted_by_draft(name)).as_dict()
        known = catalog().find(name)
        changes = history.diff(known.body if known else {}, draft.body)
        return answers.send(body | {"changes": [_change(item) | {"kind": item.kind} for item in changes]})


class DraftsDoor(Door):
    """`GET /meta/_drafts`."""

    @describe(
        "The drafts that wait to be published",
        answer=shape(drafts=array(OBJECT)),
        parameters=[
            Parameter("packageId", "Only drafts over this module's objects."),
            Parameter("type", "Only drafts of this kind."),
        ],
        tag="meta",
    )
    def get(self, call: Call) -> HttpResponse:
        require_design(call)
        assert call.tenant is not None
        package, kind = call.params.get("packageId"), call.params.get("type", "object")
        rows = [
            {
                "type": "object",
                "name": draft.name,
                "organizationId": str(call.tenant.id),
                "packageId": draft.module,
                "updatedAt": instant(draft.updated_at),
                "updatedBy": draft.updated_by,
            }
            for draft in saving.drafts()
            if kind == "object" and package in (None, draft.module)
        ]
        return answers.send({"drafts": rows})


class LayersDoor(Door):
    """`GET /meta/object/:name/layers`: what the module brings, what the tenant laid over it, and what became of that."""

    @describe(
        "The layers of a definition",
        answer=shape(name=TEXT, module={"type": ["string", "null"]}, base=OBJECT, overlay=OBJECT, settled=array(OBJECT)),
        tag="meta",
    )  # fmt: skip
    def get(self, call: Call, name: str) -> HttpResponse:
        require_design(call)
        obj = visible_object(name, access_for(call.actor))
        layer = keeping.find(name)
        return answers.send(
            {
                "name": name,
                "module": obj.module,
                "base": layer.base if layer else dict(obj.body),
                "overlay": layer.body if layer else {},
                "settled": layer.told if layer else [],
            }
        )


class ReferencesDoor(Door):
    """`GET /meta/object/:name/references`."""

    @describe("What points to an object", answer=shape(references=array(OBJECT)), tag="meta")
    def get(self, call: Call, name: str) -> HttpResponse:
        require_design(call)
        if catalog().find(name) is None:
            raise missing("object", name)
        rows = [
            {"type": m.type, "name": m.name, "label": m.label, "path": m.path, "kind": m.kind}
            for m in references.references(name)
        ]
        return answers.send({"references": rows})


class DiagnosticsDoor(Door):
    """`GET /meta/diagnostics`: definitions that cannot be read, drafts that no longer fit, what upgrades settled."""

    @describe(
        "What is wrong with definitions",
        answer=shape(
            entries=array(OBJECT), total={"type": "integer"}, scannedTypes={"type": "integer"},
            scannedItems={"type": "integer"}, stats=OBJECT,
        ),
        tag="meta",
    )  # fmt: skip
    def get(self, call: Call) -> HttpResponse:
        require_design(call)
        broken = [
            (name, True, [e.as_dict() for e in error.errors]) for name, error in catalog().broken.items()
        ]
        drafts = [
            (draft.name, False, [clash.as_dict() for clash in draft.clashes])
            for draft in saving.drafts()
            if draft.clashes
        ]
        entries = [
            {
                "type": "object",
                "name": name,
                "diagnostics": {"valid": not bad, "errors" if bad else "warnings": told},
            }
            for name, bad, told in [*broken, *drafts, *keeping.settled()]
        ]
        access, items = access_for(call.actor), 0
        stats = {}
        for kind, source in SOURCES.items():
            found = source.items(access, None)
            packages = sorted({item["_packageId"] for item in found if item.get("_packageId")})
            stats[kind] = {"count": len(found), "locked": 0, "packages": packages}
            items += len(found)
        body = {"total": len(entries), "scannedTypes": len(SOURCES), "scannedItems": items, "stats": stats}
        return answers.send({"entries": entries} | body)


def _versions(call: Call, name: str) -> list[DefinitionVersion]:
    """Return the versions, oldest first; a dropped object's are still there for whoever designs."""
    require_design(call)
    rows = history.versions(name)[::-1]
    if not rows:
        raise missing("object", name)
    return rows


def _event(row: DefinitionVersion, parent: str | None) -> dict[str, Any]:
    made = OPERATIONS.get(row.operation, "create" if parent is None else "update")
    return {
        "seq": row.version,
        "op": made,
        "ref": {"org": "env", "type": "object", "name": row.name},
        "hash": None if made == "delete" else row.checksum,
        "parentHash": parent,
        "version": row.version,
        "actor": row.actor.get("id"),
        "message": "; ".join(step["sentence"] for step in row.plan.get("steps", [])),
        "ts": instant(row.created_at),
        "source": row.module or "organization",
    }


def _change(change: Change) -> dict[str, Any]:
    if change.kind == "changed":
        return {"path": change.path, "from": change.before, "to": change.after}
    return {"path": change.path, "value": change.after if change.kind == "added" else change.before}


def _number(call: Call, name: str, default: int) -> int:
    text = call.params.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Invalid(f"{name} is the number of a version.", code="INVALID_QUERY")
    return int(text)
