"""`/ledger/integrity`: the signed report on a ledger, and verifying it now."""

from contextlib import AbstractContextManager
from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import OBJECT, TEXT, describe, shape
from apps.api.door import NONE, Door
from apps.audit import report
from apps.core.errors import PermissionDenied, Problem
from apps.core.scope import platform_scope, tenant_scope
from apps.events.health import verifying
from apps.identity.rules import may_run_platform
from apps.permissions.access import access_for

STARTED = shape(job=TEXT)


class IntegrityDoor(Door):
    """A tenant's own ledger for who may view it; without a tenant the platform's, for superusers."""

    needs_tenant: ClassVar[bool] = False
    opens: ClassVar[frozenset[str]] = NONE

    @describe("Does the ledger hold: what was found last, signed", answer=OBJECT, tag="ledger")
    def get(self, call: Call) -> HttpResponse:
        with ledger_scope(call):
            allow_ledger(call)
            return answers.send(report.integrity())

    @describe(
        "Recompute the ledger now; a long one becomes a job",
        answer=OBJECT,
        answers={202: STARTED},
        tag="ledger",
    )
    def post(self, call: Call) -> HttpResponse:
        with ledger_scope(call):
            allow_ledger(call)
            found = verifying.verify(call.tenant, by=call.actor)
            if isinstance(found, UUID):
                return answers.send({"job": str(found)}, status=202)
            return answers.send(report.integrity())


def ledger_scope(call: Call) -> AbstractContextManager[Any]:
    """Return the scope of the ledger a call is about: its tenant's, or without one the platform's."""
    if call.tenant is not None:
        return tenant_scope(call.tenant)
    if call.actor.kind != "operator":
        raise Problem(
            "TENANT_REQUIRED",
            "This credential belongs to several tenants, or to none.",
            status=400,
            cure="Name the tenant in the X-Tenant header, or use its own host.",
        )
    return platform_scope("ledger: integrity over the API")


def allow_ledger(call: Call) -> None:
    """Refuse whoever may not view this ledger; in its scope."""
    if call.tenant is not None:
        access_for(call.actor).require_system("view_audit")
    elif not may_run_platform(call.actor):
        raise PermissionDenied("Only a superuser of the platform may read its ledger.", code="FORBIDDEN")
