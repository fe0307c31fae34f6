"""Documents: parsed once for each text, validated once for each text and schema, kept by their SHA-256."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, Generic, TypeVar

from graphql import GraphQLError, NoSchemaIntrospectionCustomRule, parse, specified_rules, validate
from graphql.language import DocumentNode, FragmentDefinitionNode, OperationDefinitionNode

from apps.api.graphql import limits
from apps.api.graphql.meaning import Made
from apps.api.graphql.problems import UNPARSED, invalid, refused

T = TypeVar("T")
KEPT = 1_000
MOST_ERRORS = 20
RULES = tuple(rule for rule in specified_rules if rule is not NoSchemaIntrospectionCustomRule)


class Kept(Generic[T]):
    """Values of this process by key, least recently made out first."""

    def __init__(self, size: int = KEPT) -> None:
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._size = size
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value of `key`, made now or before; what cannot be made is not kept."""
        found = self._values.get(key)
        if found is None:
            found = make()
            with self._lock:
                self._values[key] = found
                while len(self._values) > self._size:
                    self._values.popitem(last=False)
        return found


@dataclass(frozen=True, slots=True)
class Document:
    """A document that keeps the limits; not yet compared with a schema."""

    sha: str
    node: DocumentNode
    operations: Mapping[str, OperationDefinitionNode]
    fragments: Mapping[str, FragmentDefinitionNode]

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """Return the operation to run; refuse a name that is not there, or none where there are several."""
        if name:
            found = self.operations.get(name)
        else:
            found = next(iter(self.operations.values())) if len(self.operations) == 1 else None
        if found is None:
            told = f"There is no operation named {name[:80]!r}." if name else "Name the operation to run."
            raise refused(told, code="GRAPHQL_OPERATION_UNKNOWN")
        return found


_parsed: Kept[Document] = Kept()
_valid: Kept[bool] = Kept()


def read(text: str) -> Document:
    """Return the document of a text; raises `Unfit` when it is none, or asks for too much."""
    if len(text) > limits.MOST_BYTES:
        raise refused(
            f"A document may have {limits.MOST_BYTES} characters.", code="GRAPHQL_TOO_COMPLEX", status=413
        )
    sha = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    return _parsed.get(sha, lambda: _parse(sha, text))


def check(made: Made, document: Document) -> None:
    """Refuse a document that does not fit the schema; what the schema does not hold is not told."""

    def judge() -> bool:
        errors = validate(made.schema, document.node, RULES, max_errors=MOST_ERRORS)
        if errors:
            raise invalid(errors)
        return True

    _valid.get((made.key, document.sha), judge)


def _parse(sha: str, text: str) -> Document:
    try:
        node = parse(text, max_tokens=limits.MOST_TOKENS)
    except GraphQLError as error:
        raise invalid([error], UNPARSED) from error
    except RecursionError as error:
        raise refused("The document is nested too deeply.", code="GRAPHQL_TOO_COMPLEX") from error
    limits.check(node)
    operations: dict[str, Any] = {}
    fragments: dict[str, Any] = {}
    for found in node.definitions:
        if isinstance(found, OperationDefinitionNode):
            operations[found.name.value if found.name else ""] = found
        elif isinstance(found, FragmentDefinitionNode):
            fragments[found.name.value] = found
    return Document(sha, node, operations, fragments)
