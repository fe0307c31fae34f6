"""One call through a door: what the request brought, read once and strictly."""

import re
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, QueryDict

from apps.api import body
from apps.core.actor import Actor
from apps.core.errors import Invalid, Problem, Unauthenticated
from apps.core.scope import TenantRef

if TYPE_CHECKING:
    from apps.identity.resolve import Identity
    from apps.tenants.queries import TenantSnapshot

_KEY = re.compile(r'"?([\x21\x23-\x7e]{1,200})"?')
_MISSING = object()
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Call:
    """What a handler gets: the request, who asks (`actor`), for which `tenant`, and the parsed `body`.

    `trusted` are the clocks (tenant, platform) at which the caller was last known, when nobody has asked since:
    whatever is written must be written in a statement that compares them.
    """

    __slots__ = (
        "_body",
        "_clocks",
        "_raw",
        "body_limit",
        "identity",
        "limit_headers",
        "request",
        "snapshot",
        "tenant",
        "trusted",
    )

    def __init__(self, request: HttpRequest, *, body_limit: int = body.MAX_BYTES) -> None:
        self.request = request
        self.body_limit = min(body_limit, settings.MAX_BODY_BYTES)
        self.identity: Identity | None = None
        self.snapshot: TenantSnapshot | None = None
        self.tenant: TenantRef | None = None
        self.limit_headers: dict[str, str] = {}
        self.trusted: tuple[int, int] | None = None
        self._clocks: tuple[int, int] | None = None
        self._raw: bytes | None = None
        self._body: Any = _MISSING

    @property
    def actor(self) -> Actor:
        """Who acts; raises 401 when nobody signed in."""
        if self.identity is None:
            raise Unauthenticated("Authentication is required to access this endpoint.")
        return self.identity.actor

    def read_at(self, clock: int, platform_clock: int) -> None:
        """Note the clocks that the database reported with what was read."""
        self._clocks = (clock, platform_clock)

    @property
    def zone(self) -> tzinfo:
        """The tenant's time zone, in which days begin."""
        return ZoneInfo(self.snapshot.time_zone) if self.snapshot else UTC

    @property
    def is_current(self) -> bool:
        """Whether the identity is as new as what was read."""
        identity = self.identity
        return identity is not None and self._clocks == (identity.clock, identity.platform_clock)

    @property
    def is_write(self) -> bool:
        """Whether the method may change something."""
        return self.request.method in WRITES

    @property
    def params(self) -> QueryDict:
        """The query string."""
        return self.request.GET

    def header(self, name: str) -> str | None:
        """Return a request header, or None."""
        return self.request.headers.get(name)

    @property
    def raw(self) -> bytes:
        """The body's bytes, at most `body_limit` of them (413 beyond)."""
        if self._raw is None:
            self._raw = body.read_bytes(self.request, limit=self.body_limit)
        return self._raw

    @property
    def body(self) -> Any:
        """The parsed JSON body, None when empty; strict, see `apps.api.body`."""
        if self._body is _MISSING:
            raw = self.raw
            if raw:
                body.check_type(self.request)
            self._body = body.parse(raw) if raw else None
        return self._body

    def mapping(self, *, optional: bool = False) -> dict[str, Any]:
        """Return the body when it is an object; refuse anything else (and nothing, unless `optional`)."""
        value = self.body
        if value is None and optional:
            return {}
        if not isinstance(value, dict):
            raise Invalid("The body must be a JSON object.", details={"expected": "object"})
        return value

    @property
    def idempotency_key(self) -> str | None:
        """The `Idempotency-Key` header: 1 to 200 printable characters, quotes allowed around them."""
        value = self.request.META.get("HTTP_IDEMPOTENCY_KEY")
        if value is None:
            return None
        match = _KEY.fullmatch(value.strip())
        if match is None:
            raise Problem(
                "INVALID_REQUEST", "Idempotency-Key must be 1 to 200 printable characters.", status=400
            )
        return match[1]
