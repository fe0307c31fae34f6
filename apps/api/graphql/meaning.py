"""What the fields of the schema stand for; beside the schema, so that nothing needs resolvers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from graphql import GraphQLSchema

Verb = Literal["one", "list", "create", "update", "delete", "restore", "me"]


@dataclass(frozen=True, slots=True)
class Root:
    """A root field: what is done with which object."""

    verb: Verb
    object: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """A field of a record: a value, the record a reference points to (`type`), or the records of `object` pointing here."""

    kind: Literal["value", "follow", "gather"]
    field: str
    object: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """A schema, and the meaning of its root fields (by operation and name) and members (by type and name)."""

    key: tuple[bytes, bytes]
    schema: GraphQLSchema
    roots: Mapping[tuple[str, str], Root]
    members: Mapping[str, Mapping[str, Member]]
    types: Mapping[str, str]  # object → type
