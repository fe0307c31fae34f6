"""What a request asks for, read strictly: a document (or the hash of a known one), an operation's name and variables."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.http import QueryDict
from graphql.language import OperationDefinitionNode, OperationType

from apps.api import body
from apps.api.graphql import documents
from apps.api.graphql.documents import Document, Kept
from apps.api.graphql.problems import refused
from apps.core.scope import TenantRef

SHA = re.compile(r"[0-9a-f]{64}")
KEPT_FOR = 24 * 3600
PARAMETERS = frozenset({"query", "operationName", "variables", "extensions"})
_known: Kept[str] = Kept()


@dataclass(frozen=True, slots=True)
class Wish:
    """A request as it was sent, judged for its form alone."""

    query: str | None
    operation_name: str | None
    variables: Mapping[str, Any]
    sha: str | None

    def document(self, tenant: TenantRef | None) -> Document:
        """Return the document; one that was sent with its hash can be asked for by the hash from then on.

        Raises 404 PERSISTED_QUERY_NOT_FOUND for a hash nobody of the tenant has sent before, and 400 for a wrong one.
        """
        if self.sha is None:
            assert self.query is not None
            return documents.read(self.query)
        key = f"{tenant.id}:graphql:{self.sha}" if tenant else ""
        if self.query is None:
            return documents.read(_known.get(key, lambda: _kept(key)))
        if hashlib.sha256(self.query.encode(errors="surrogatepass")).hexdigest() != self.sha:
            raise refused("The hash is not the document's.", code="PERSISTED_QUERY_MISMATCH")
        found = documents.read(self.query)
        if key:
            cache.set(key, self.query, KEPT_FOR)
        return found

    def operation(self, tenant: TenantRef | None) -> OperationDefinitionNode:
        """Return the operation to run."""
        return self.document(tenant).operation(self.operation_name)


def _kept(key: str) -> str:
    found: str | None = cache.get(key) if key else None
    if found is None:
        raise _not_found()
    return found


def _not_found() -> Exception:
    return refused("PersistedQueryNotFound", code="PERSISTED_QUERY_NOT_FOUND", status=404)


def of_body(given: Any) -> Wish:
    """Return the wish of a JSON body; a list of them (a batch) is refused, each is sent alone."""
    if isinstance(given, list):
        raise refused("Batches are not taken: send each request by itself.", code="GRAPHQL_BATCH_REFUSED")
    if not isinstance(given, dict):
        raise refused("The body is a JSON object with `query`.", code="INVALID_REQUEST")
    return _wish(given)


def of_address(given: QueryDict) -> Wish:
    """Return the wish of a query string; `variables` and `extensions` are JSON there."""
    if strange := sorted(given.keys() - PARAMETERS):
        raise refused(f"Unknown parameter {strange[0][:40]!r}.", code="INVALID_REQUEST")
    values: dict[str, Any] = {}
    for name in given:
        if len(given.getlist(name)) > 1:
            raise refused(f"{name} is given twice.", code="INVALID_REQUEST")
        text = given.get(name, "")
        if name in ("variables", "extensions"):
            values[name] = body.parse(text.encode()) if text else None
        else:
            values[name] = text or None
    return _wish(values)


def _wish(given: Mapping[str, Any]) -> Wish:
    query, name = given.get("query"), given.get("operationName")
    variables, extensions = given.get("variables"), given.get("extensions")
    for word, value, kind in (
        ("query", query, str),
        ("operationName", name, str),
        ("variables", variables, dict),
        ("extensions", extensions, dict),
    ):
        if value is not None and not isinstance(value, kind):
            told = "text" if kind is str else "an object"
            raise refused(f"`{word}` must be {told}.", code="INVALID_REQUEST")
    sha = _hash((extensions or {}).get("persistedQuery"))
    if query is None and sha is None:
        raise refused("`query` is missing.", code="INVALID_REQUEST")
    return Wish(query, name or None, variables or {}, sha)


def _hash(persisted: Any) -> str | None:
    if persisted is None:
        return None
    if not isinstance(persisted, dict) or persisted.get("version") != 1:
        raise refused("`extensions.persistedQuery` is {version: 1, sha256Hash}.", code="INVALID_REQUEST")
    sha = persisted.get("sha256Hash")
    if not isinstance(sha, str) or SHA.fullmatch(sha) is None:
        raise refused("`sha256Hash` is the SHA-256 in lower-case hexadecimals.", code="INVALID_REQUEST")
    return sha


def is_mutation(operation: OperationDefinitionNode) -> bool:
    """Say whether the operation changes something."""
    return operation.operation == OperationType.MUTATION
