"""What the fields of the schema stand for; beside the schema, so that nothing needs resolvers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from graphql import GraphQLSchema

Verb = Literal["one", "list", "groups", "create", "update", "delete", "restore", "me"]


@dataclass(frozen=True, slots=True)
class Root:
    """A root field: what is done with which object."""

    verb: Verb
    object: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """A field of a record: a value, the record that a reference points to, or the records of `object` that point here.

    `type` is the type of those records; `several` says that the reference points to a list of them.
    """

    kind: Literal["value", "follow", "gather"]
    field: str
    object: str = ""
    type: str = ""
    several: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """A schema, and the meaning of its root fields (by operation and name) and members (by type and name)."""

    key: tuple[bytes, bytes]
    schema: GraphQLSchema
    roots: Mapping[tuple[str, str], Root]
    members: Mapping[str, Mapping[str, Member]]
    types: Mapping[str, str]  # object → type
