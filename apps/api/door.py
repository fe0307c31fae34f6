"""The door that every program goes through: identify, find the tenant, limit, open the scope, answer.

A door is a class with one method per HTTP method. Each takes a `Call` and the route's arguments, calls one
service or query and returns `answers.send(...)`. A refusal is raised as `Problem`; the door renders it.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, ClassVar

from django.core.exceptions import SuspiciousOperation
from django.db import DatabaseError, IntegrityError, OperationalError
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from rest_framework.views import APIView

from apps.api import answers, body, idempotency, limits, origins
from apps.api.call import Call
from apps.api.contract import Schema, ref
from apps.api.openapi.operations import DoorSchema, tag_of
from apps.api.tenancy import find_tenant
from apps.core import context
from apps.core.db.owner import owner_session
from apps.core.errors import PermissionDenied, Problem, Unauthenticated
from apps.core.scope import TenantRef, tenant_scope
from apps.identity.resolve import Identity, identify, recall
from apps.objects.records import Unsure

logger = logging.getLogger("aibos.api")

READS = frozenset({"GET", "HEAD"})
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
ALL = READS | WRITES
NONE: frozenset[str] = frozenset()
VERBS = ("get", "head", "post", "put", "patch", "delete")


class Door(APIView):
    """One route of the API.

    `public`: anonymous callers may enter; with `identifies` off nobody is even asked who they are.
    `needs_tenant`: refused without a tenant. `opens`: the methods that run inside `tenant_scope` (one
    transaction); for the others the queries open what they need. `changes_schema`: the methods that run with
    the owner's login. `recalls`: methods whose reads tell their clocks to the call, so that the caller needs no
    look-up of their own; `compares`: methods that write only in a statement that compares `call.trusted`. `reading_posts`: its POSTs only read. `replays`: writes honour `Idempotency-Key`;
    `secret_answers`: what they answer may hold a secret, so it is kept sealed.
    """

    public: ClassVar[bool] = False
    identifies: ClassVar[bool] = True
    needs_tenant: ClassVar[bool] = True
    opens: ClassVar[frozenset[str]] = ALL
    changes_schema: ClassVar[frozenset[str]] = NONE
    recalls: ClassVar[frozenset[str]] = NONE
    compares: ClassVar[frozenset[str]] = NONE
    reading_posts: ClassVar[bool] = False
    replays: ClassVar[bool] = True
    secret_answers: ClassVar[bool] = False
    body_limit: ClassVar[int] = body.MAX_BYTES
    refusal_schema: ClassVar[Schema] = ref("Error")
    refusal_media: ClassVar[tuple[str, ...]] = (answers.JSON,)
    schema = DoorSchema()
    authentication_classes = ()
    permission_classes = ()

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer one request; nothing that goes wrong leaves here as anything but the error body."""
        call = Call(request, body_limit=self.body_limit)
        response: HttpResponseBase
        try:
            response = self._answer(call, kwargs)
        except Problem as problem:
            response = self.refused(call, problem)
        except (SuspiciousOperation, UnreadablePostError) as error:
            response = answers.refusal(
                Problem("INVALID_REQUEST", f"The request cannot be read: {error}", status=400)
            )
        except IntegrityError:
            logger.exception("a constraint that no service foresaw")
            response = answers.refusal(
                Problem("RESOURCE_CONFLICT", "Another record forbids this.", status=409)
            )
        except OperationalError:
            logger.exception("the database did not answer")
            response = answers.refusal(_unavailable())
        except DatabaseError:
            logger.exception("the database refused a statement")
            response = answers.refusal(Problem("DATABASE_ERROR", "The database refused this.", status=500))
        except Exception:
            logger.exception("a door failed")
            response = answers.refusal(Problem("INTERNAL_ERROR", "Something went wrong here.", status=500))
        return self._finish(call, response)

    @classmethod
    def methods(cls) -> list[str]:
        """Return the HTTP methods that this door serves, HEAD beside GET, sorted."""
        served = {verb.upper() for verb in VERBS if hasattr(cls, verb)}
        return sorted(served | {"HEAD"} if "GET" in served else served)

    def refused(self, call: Call, problem: Problem) -> HttpResponse:
        """Answer with a refusal."""
        return answers.refusal(problem)

    def reads(self, call: Call) -> bool:
        """Say whether the call changes nothing."""
        return not call.is_write or self.reading_posts

    def _answer(self, call: Call, kwargs: dict[str, Any]) -> HttpResponseBase:
        handler = self._handler(call.request)
        if handler is None:
            return HttpResponse(status=204, headers={"Allow": ", ".join([*self.methods(), "OPTIONS"])})
        limits.check_address(call)
        _check_query(call.request)
        if not self.identifies:
            return handler(call, **kwargs)
        limits.check_empty(call)
        if call.request.method in self.compares and (found := self._trusted(call, handler, kwargs)):
            return found
        if call.request.method in self.recalls and (found := self._recalled(call, handler, kwargs)):
            return found
        call.identity = self._identity(call)
        self._admit(call)
        if call.trusted is None:
            self._limit(call)
        call.trusted = None
        with self._scope(call):
            if self._replays(call) and call.tenant is not None:
                return idempotency.answer_once(
                    call, lambda: handler(call, **kwargs), sealed=self.secret_answers
                )
            return handler(call, **kwargs)

    def _recalled(
        self, call: Call, handler: Callable[..., HttpResponseBase], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        """Answer for the caller as last seen, saving a round trip; None when that may no longer be true."""
        call.identity = recall(call.request)
        if call.identity is None:
            return None
        try:
            self._admit(call)
            response = handler(call, **kwargs)
        except Problem:
            return None
        if not call.is_current:
            return None
        limits.check_caller(call)
        limits.check_tenant(call)
        return response

    def _trusted(
        self, call: Call, handler: Callable[..., HttpResponseBase], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        """Write for the caller as last seen, in a statement that compares when that was; None: nothing was written."""
        if self._replays(call):
            return None
        call.identity = recall(call.request)
        if call.identity is None:
            return None
        try:
            self._admit(call)
        except Problem:
            return None
        self._limit(call)
        call.trusted = (call.identity.clock, call.identity.platform_clock)
        try:
            return handler(call, **kwargs)
        except Unsure:
            return None
        except Problem as problem:
            if problem.status >= 500:
                raise
            return None

    def _limit(self, call: Call) -> None:
        """Count the call, and refuse a write without a key where the installation asks for one."""
        limits.check_caller(call)
        limits.check_tenant(call)
        self._check_key(call)

    def _handler(self, request: HttpRequest) -> Callable[..., HttpResponseBase] | None:
        verb = (request.method or "").lower()
        if verb == "options":
            return None
        handler = getattr(self, verb, None) if verb in VERBS else None
        handler = handler or (getattr(self, "get", None) if verb == "head" else None)
        if handler is None:
            raise self._not_allowed(request)
        return handler

    def _not_allowed(self, request: HttpRequest) -> Problem:
        allowed = self.methods()
        return Problem(
            "METHOD_NOT_ALLOWED",
            f"{request.method} is not supported for {request.path}. Allowed: {', '.join(allowed)}.",
            status=405,
            details={"details": {"method": request.method, "path": request.path, "allowed": allowed}},
            headers={"Allow": ", ".join(allowed)},
        )

    def _identity(self, call: Call) -> Identity | None:
        """Return who asks; anonymous callers pass public doors only."""
        try:
            found = identify(call.request)
        except Unauthenticated:
            if not self.public:
                raise
            return None
        if found is None and not self.public:
            raise Unauthenticated("Authentication is required to access this endpoint.")
        return found

    def _admit(self, call: Call) -> None:
        """Refuse a cookie from elsewhere, a key that is too narrow, and a tenant that is closed or not named."""
        if call.identity is not None:
            context.actor.set(call.identity.actor)
            if call.is_write and call.identity.from_cookie:
                origins.check_cookie_use(call.request)
            self._check_scopes(call)
        call.snapshot = find_tenant(call.request, call.identity)
        call.tenant = call.snapshot.ref if call.snapshot else None
        if self.needs_tenant and call.tenant is None:
            raise Problem(
                "TENANT_REQUIRED",
                "This credential belongs to several tenants, or to none.",
                status=400,
                cure="Name the tenant in the X-Tenant header, or use its own host.",
            )

    def _check_scopes(self, call: Call) -> None:
        """A key that may only read stops here; which objects it may touch is the permission compiler's matter."""
        scopes = call.actor.scopes
        if scopes is None or "*" in scopes:
            return
        reads = self.reads(call)
        if scopes and (reads or any(_writes(scope) for scope in scopes)):
            return
        raise PermissionDenied(
            f"This key's scopes do not allow to {'read' if reads else 'write'}.",
            code="FORBIDDEN",
            cure="Make a key with a wider scope.",
            details={"scopes": sorted(scopes)},
        )

    def _opens(self, call: Call) -> bool:
        """Tell whether this call runs in one transaction of the door; a replayable write always does."""
        if call.tenant is None:
            return False
        method = "GET" if call.request.method == "HEAD" else call.request.method
        return method in self.opens or self._replays(call)

    def _replays(self, call: Call) -> bool:
        return self.replays and call.idempotency_key is not None and not self.reads(call)

    def _check_key(self, call: Call) -> None:
        """Refuse a write without a key where the installation asks for one."""
        if not self.replays or call.idempotency_key is not None:
            return
        if idempotency.is_required(call.request.method, tag_of(call.request.path)) and not self.reads(call):
            raise idempotency.missing()

    def _scope(self, call: Call) -> AbstractContextManager[Any]:
        if call.tenant is None or not self._opens(call):
            return nullcontext()
        if call.request.method in self.changes_schema:
            return _owner_scope(call.tenant)
        return tenant_scope(call.tenant)

    def _finish(self, call: Call, response: HttpResponseBase) -> HttpResponseBase:
        headers = response.headers
        headers.setdefault("Cache-Control", "no-store")
        headers.setdefault("X-Content-Type-Options", "nosniff")
        if request_id := context.request_id.get():
            headers["X-Request-Id"] = request_id
        for name, value in call.limit_headers.items():
            headers[name] = value
        origins.add_cors(call.request, response, methods=", ".join(self.methods()))
        if call.request.method == "HEAD" and isinstance(response, HttpResponse):
            headers["Content-Length"] = str(len(response.content))
            response.content = b""
        return response


def _writes(scope: str) -> bool:
    return scope == "write" or scope.endswith((":write", ":*")) or scope.startswith("system:")


@contextmanager
def _owner_scope(tenant: TenantRef) -> Iterator[None]:
    with owner_session(), tenant_scope(tenant):
        yield


def _check_query(request: HttpRequest) -> None:
    if "%00" in request.META.get("QUERY_STRING", "") or "\x00" in request.path:
        raise Problem("INVALID_REQUEST", "The address contains the character U+0000.", status=400)


def _unavailable() -> Problem:
    return Problem(
        "SERVICE_UNAVAILABLE",
        "The database did not answer in time.",
        status=503,
        headers={"Retry-After": "2"},
    )
