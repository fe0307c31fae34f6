"""The schema of a tenant as one bundle of rights sees it: what may not be read is not in it.

Made from the catalogue by graphene, kept by the content of definitions and rights, so a published change or another
right leads to another schema with the next request. Its fields have no resolvers: `meaning` says what they stand for.
"""

from collections import OrderedDict
from threading import Lock
from typing import Any

import graphene
from graphql import specified_directives

from apps.api.graphql.inputs import GroupOrder, Inputs, attributes
from apps.api.graphql.meaning import Made, Member, Root
from apps.api.graphql.naming import reference_names, root_name, type_name
from apps.api.graphql.scalars import Json, shown_as
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.query.plans import View
from apps.objects.query.reading import REFERENCES

KEPT = 48
CONNECTION_WORDS = "Cursor pages in one order: ask for `after: endCursor` while `hasNextPage`."


USER_MEMBERS = {name: Member("value", name) for name in ("id", "name", "email")}


def _later(types: dict[str, Any], name: str) -> Any:
    return lambda: types[name]


def _object(name: str, fields: list[tuple[str, Any]], description: str = "") -> Any:
    for found, field in fields:
        field.name = found  # its attribute has a prefix
    meta = type("Meta", (), {"name": name, "description": description or None})
    return type(name, (graphene.ObjectType,), {**attributes(fields), "Meta": meta})


PageInfo = _object(
    "PageInfo",
    [
        ("hasNextPage", graphene.Field(graphene.Boolean, required=True)),
        ("hasPreviousPage", graphene.Field(graphene.Boolean, required=True)),
        ("startCursor", graphene.Field(graphene.String)),
        ("endCursor", graphene.Field(graphene.String)),
    ],
    "Where a page stands in its list.",
)
User = _object(
    "User",
    [
        ("id", graphene.Field(graphene.ID, required=True)),
        ("name", graphene.Field(graphene.String)),
        ("email", graphene.Field(graphene.String)),
    ],
    "A member of the tenant.",
)


class _Builder:
    """Makes one schema."""

    def __init__(self, view: View) -> None:
        self.access = view.access
        self.objects = {
            obj.name: obj
            for obj in view.catalog
            if obj.enable.api_enabled
            and obj.enable.api_methods & {"get", "list"}
            and self.access.can("read", obj)
        }
        self.referrers = {
            name: [
                (child, field) for child, field in view.catalog.referrers(name) if self._points(child, field)
            ]
            for name in self.objects
        }
        self.inputs = Inputs(self.access)
        self.roots: dict[tuple[str, str], Root] = {("query", "me"): Root("me")}
        self.members: dict[str, dict[str, Member]] = {"User": USER_MEMBERS}
        self.types: dict[str, Any] = {}
        self.wheres = {name: self.inputs.where(obj) for name, obj in self.objects.items()}
        self.orders = {name: self.inputs.order(obj) for name, obj in self.objects.items()}

    def make(self, key: tuple[bytes, bytes]) -> Made:
        """Return the finished schema."""
        for obj in self.objects.values():
            self.types[obj.name] = self._record(obj)
        reading = [item for obj in self.objects.values() for item in self._reading(obj)]
        writing = [item for obj in self.objects.values() for item in self._writing(obj)]
        me = ("me", graphene.Field(User, name="me", description="Who asks."))
        schema = graphene.Schema(
            query=_object("Query", [me, *reading]),
            mutation=_object("Mutation", writing) if writing else None,
            subscription=_object("Subscription", reading) if reading else None,
            directives=specified_directives,
            auto_camelcase=False,
        )
        types = {name: type_name(name) for name in self.objects}
        return Made(key, schema.graphql_schema, self.roots, self.members, types)

    def _points(self, child: ObjectDef, field: FieldDef) -> bool:
        return (
            child.name in self.objects
            and field.type in REFERENCES
            and not field.multiple
            and "list" in child.enable.api_methods
            and field.name in self.access.clear(child)
        )

    # -- records -----------------------------------------------------------------------------------

    def _record(self, obj: ObjectDef) -> Any:
        name = type_name(obj.name)
        members = self.members[name] = {}
        fields: dict[str, Any] = {}
        readable = self.access.readable(obj)
        shown = [f for n, f in obj.all_fields.items() if n in readable and n != "deleted_at"]
        own = {field.name for field in shown}
        for field in shown:
            for found, made, member in self._fields(field, own):
                if found not in fields:
                    fields[found], members[found] = made, member
        for child, field in self.referrers[obj.name]:
            found = f"{child.name}_by_{field.name}"
            if found not in fields:
                fields[found] = self._slice_field(child, found)
                members[found] = Member("gather", field.name, child.name, type_name(child.name))
        return _object(name, list(fields.items()), obj.description or obj.label)

    def _fields(self, field: FieldDef, own: set[str]) -> list[tuple[str, Any, Member]]:
        """Return the fields that show one field: its value, and for a reference the record beside the id."""
        told = field.description or field.label or None
        target = self._target(field)
        if target is None:
            shown = graphene.NonNull(graphene.ID) if field.name == "id" else shown_as(field)
            value = graphene.Field(shown, name=field.name, description=told)
            return [(field.name, value, Member("value", field.name))]
        record, identity = reference_names(field.name, several=field.multiple)
        made = []
        if record == field.name or record not in own:
            kind = User if target == "User" else _later(self.types, field.reference or "")
            of = "" if target == "User" else field.reference or ""
            several = graphene.List(graphene.NonNull(kind))
            shown = graphene.Field(several if field.multiple else kind, name=record, description=told)
            made.append((record, shown, Member("follow", field.name, of, target, field.multiple)))
        if identity == field.name or identity not in own:
            shown = graphene.Field(shown_as(field), name=identity, description=told)
            made.append((identity, shown, Member("value", field.name)))
        return made

    def _target(self, field: FieldDef) -> str | None:
        """Return the type that a reference leads to; None when nothing of it may be seen."""
        if field.type == "user":
            return "User"
        if field.type in REFERENCES and field.reference in self.objects:
            return type_name(field.reference)
        return None

    # -- lists -------------------------------------------------------------------------------------

    def _arguments(self, obj: ObjectDef) -> dict[str, Any]:
        return {
            "where": graphene.Argument(self.wheres[obj.name]),
            "search": graphene.Argument(graphene.String, description="Words that must all occur."),
            "orderBy": graphene.Argument(graphene.List(graphene.NonNull(self.orders[obj.name]))),
            "first": graphene.Argument(graphene.Int, description="Records on the page."),
            "offset": graphene.Argument(graphene.Int, description="Records to leave out."),
        }

    def _slice_field(self, child: ObjectDef, name: str) -> Any:
        known = f"{type_name(child.name)}Slice"
        return graphene.Field(_later(self.types, known), name=name, args=self._arguments(child))

    def _reading(self, obj: ObjectDef) -> list[tuple[str, Any]]:
        name, root = type_name(obj.name), root_name(obj.name)
        record = self.types[obj.name]
        nodes = graphene.NonNull(graphene.List(graphene.NonNull(record)))
        self.types[f"{name}Slice"] = _object(
            f"{name}Slice",
            [
                ("nodes", graphene.Field(nodes)),
                ("totalCount", graphene.Field(graphene.Int)),
                ("hasMore", graphene.Field(graphene.Boolean, required=True)),
            ],
            f"Some of the {obj.plural_label or obj.label} that point to a record.",
        )
        found: list[tuple[str, Any]] = []
        if "get" in obj.enable.api_methods:
            one = graphene.Field(
                record, name=root, args={"id": graphene.Argument(graphene.NonNull(graphene.ID))}
            )
            found.append((root, one))
            self._root(root, Root("one", obj.name))
        if "list" in obj.enable.api_methods:
            arguments = self._arguments(obj)
            arguments["after"] = graphene.Argument(graphene.String, description="The cursor to go on from.")
            listed = f"{obj.name}_list"
            found.append((listed, graphene.Field(self._connection(obj, nodes), name=listed, args=arguments)))
            self._root(listed, Root("list", obj.name))
            found += self._grouping(obj)
        return found

    def _grouping(self, obj: ObjectDef) -> list[tuple[str, Any]]:
        where = self.wheres[obj.name]
        made = self.inputs.groups(obj, where)
        if made is None:
            return []
        by, measure = made
        arguments = {
            "where": graphene.Argument(where),
            "search": graphene.Argument(graphene.String, description="Words that must all occur."),
            "by": graphene.Argument(graphene.List(graphene.NonNull(by))),
            "measures": graphene.Argument(graphene.List(graphene.NonNull(measure))),
            "having": graphene.Argument(Json, description="Over the measures: {total: {gte: 100}}."),
            "orderBy": graphene.Argument(graphene.List(graphene.NonNull(GroupOrder))),
            "first": graphene.Argument(graphene.Int, description="Rows of the answer."),
            "offset": graphene.Argument(graphene.Int, description="Rows to leave out."),
        }
        name = f"{obj.name}_groups"
        self._root(name, Root("groups", obj.name))
        rows = graphene.List(graphene.NonNull(Json))
        told = f"Figures of {obj.plural_label or obj.label}: rows of groups and measures."
        return [(name, graphene.Field(rows, name=name, args=arguments, description=told))]

    def _root(self, name: str, root: Root) -> None:
        self.roots["query", name] = self.roots["subscription", name] = root

    def _connection(self, obj: ObjectDef, nodes: Any) -> Any:
        name = type_name(obj.name)
        node = graphene.Field(self.types[obj.name], required=True)
        edge = _object(
            f"{name}Edge", [("node", node), ("cursor", graphene.Field(graphene.String, required=True))]
        )
        fields = [
            ("nodes", graphene.Field(nodes)),
            ("edges", graphene.Field(graphene.NonNull(graphene.List(graphene.NonNull(edge))))),
            ("pageInfo", graphene.Field(PageInfo, required=True)),
            (
                "totalCount",
                graphene.Field(graphene.Int, description="All that match; counted when asked for."),
            ),
        ]
        return _object(f"{name}Connection", fields, CONNECTION_WORDS)

    # -- writes ------------------------------------------------------------------------------------

    def _writing(self, obj: ObjectDef) -> list[tuple[str, Any]]:
        methods, can, name = obj.enable.api_methods, self.access.can, obj.name
        record = self.types[name]
        target = {
            "id": graphene.Argument(graphene.NonNull(graphene.ID)),
            "ifMatch": graphene.Argument(
                graphene.String, description="The version (or `updated_at`) that you saw."
            ),
        }
        found: list[tuple[str, Any]] = []
        create = self.inputs.data(obj, creating=True) if "create" in methods and can("create", obj) else None
        update = self.inputs.data(obj, creating=False) if "update" in methods and can("edit", obj) else None
        if create is not None:
            given = {"data": graphene.Argument(graphene.NonNull(create))}
            found.append((f"{name}_create", graphene.Field(record, name=f"{name}_create", args=given)))
        if update is not None:
            given = {**target, "data": graphene.Argument(graphene.NonNull(update))}
            found.append((f"{name}_update", graphene.Field(record, name=f"{name}_update", args=given)))
        if "delete" in methods and can("delete", obj):
            found.append((f"{name}_delete", graphene.Field(graphene.ID, name=f"{name}_delete", args=target)))
            only = {"id": target["id"]}
            found.append((f"{name}_restore", graphene.Field(record, name=f"{name}_restore", args=only)))
        for field, _ in found:
            self.roots["mutation", field] = Root(field.removeprefix(f"{name}_"), name)  # type: ignore[arg-type]
        return found


class _Schemas:
    """The schemas that this process made, least recently used out first."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[bytes, bytes], Made] = OrderedDict()
        self._lock = Lock()

    def of(self, view: View) -> Made:
        """Return the schema of a view."""
        key = (view.catalog.fingerprint, view.access.grants.fingerprint)
        found = self._made.get(key)
        if found is not None:
            return found
        with self._lock:  # two that need the same one wait for one making
            found = self._made.get(key) or _Builder(view).make(key)
            self._made[key] = found
            while len(self._made) > KEPT:
                self._made.popitem(last=False)
        return found


schemas = _Schemas()
