"""Quotas: what a plan may limit, where each limit is enforced, and how a refusal reads.

    quotas.limit_of(tenant, "records")      # the plan's figure, or None for no limit
    quotas.require(tenant, "members")       # raises QUOTA_EXCEEDED unless one more fits
    quotas.usage(tenant)                    # used and limit of every kind, for people

Apps above tell how much is used: they register a `Gauge` per kind, and what fills the storage in `stores`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.clock import Clocked
from apps.core.declared import declare
from apps.core.errors import Problem
from apps.core.registry import Registry
from apps.core.scope import ScopeConflict, TenantRef, current_tenant, scope_of, tenant_scope
from apps.tenants.models import Plan, Tenant

TESTS = "tests/tenants/test_quotas.py::"


@dataclass(frozen=True)
class Kind:
    """One key of a plan. `size` is how many of what the gauge counts make one unit of the limit."""

    key: str
    label: Any
    unit: str
    doc: str
    enforced_by: str
    tested_by: str
    size: int = 1


KINDS = {
    kind.key: kind
    for kind in (
        Kind(
            "members",
            gettext_lazy("Members"),
            "active members",
            "People who may enter; suspended members and open invitations do not count.",
            "apps.identity.services.members:require_room",
            TESTS + "test_members",
        ),
        Kind(
            "records",
            gettext_lazy("Records"),
            "records",
            "Records of all objects; those in the bin do not count. Reading, changing and deleting always work.",
            "apps.objects.records.tally:room",
            TESTS + "test_records",
        ),
        Kind(
            "storage_mb",
            gettext_lazy("Storage (MB)"),
            "MiB",
            "Uploaded files: logos and the files of imports. Checked when a file comes in.",
            "apps.tenants.quotas:require",
            TESTS + "test_storage",
            size=2**20,
        ),
        Kind(
            "requests_minute",
            gettext_lazy("Requests a minute"),
            "requests of the API a minute",
            "A bucket of the whole tenant beside those of callers and addresses. Pages do not count.",
            "apps.api.limits:check_tenant",
            TESTS + "test_requests",
        ),
    )
}


@dataclass(frozen=True)
class Gauge:
    """How much of something a tenant uses now; called in the tenant's scope."""

    used: Callable[[TenantRef], int]


@dataclass(frozen=True)
class Usage:
    """What is used of a quota beside its limit, both in the limit's unit; a limit of None is none."""

    kind: Kind
    used: int
    limit: int | None

    @property
    def percent(self) -> int:
        """How full, 0 to 100."""
        if self.limit is None:
            return 0
        return min(100, round(100 * self.used / self.limit)) if self.limit else 100


gauges: Registry[Gauge] = Registry("quota gauges", Gauge)
stores: Registry[Gauge] = Registry("what fills a tenant's storage, in bytes", Gauge)


def declare_quotas() -> None:
    """Enter the kinds into the register, and the gauge of storage into its registry."""
    for kind in KINDS.values():
        declare(
            kind="quota",
            key=kind.key,
            doc=kind.doc,
            enforced_by=kind.enforced_by,
            tested_by=kind.tested_by,
            type=kind.unit,
        )
    stores.register("files", Gauge(_files))
    gauges.register("storage_mb", Gauge(_stored))


def plan_name() -> str:
    """Return the name of the plan of the tenant in force."""
    return str(Plan.objects.values_list("name", flat=True).get(tenants=current_tenant().id))


def _load() -> Mapping[str, int]:
    found: Mapping[str, int] = Plan.objects.values_list("quotas", flat=True).get(tenants=current_tenant().id)
    return found


limits: Clocked[Mapping[str, int]] = Clocked(_load)


def limit_of(tenant: TenantRef, key: str) -> int | None:
    """Return the plan's limit, or None; in the tenant's scope, and as fresh as that."""
    if current_tenant().id != tenant.id:
        msg = f"The limits of {tenant.slug} are asked for in the scope of {current_tenant().slug}."
        raise ScopeConflict(msg)
    return limits.get().get(KINDS[key].key)


def limit_at(tenant: TenantRef, key: str, clock: int) -> tuple[int | None] | None:
    """Return (limit,) as this process remembers it of the tenant's `clock`; None when it does not."""
    seen = limits.peek(tenant.id)
    return (seen[1].get(key),) if seen is not None and seen[0] == clock else None


def require(tenant: TenantRef, key: str, more: int = 1) -> None:
    """Raise QUOTA_EXCEEDED unless `more` (of what the gauge counts) fit into the plan; in the tenant's scope.

    The tenant's row is locked until the end of the transaction, so that parallel takers count each other.
    """
    rows = Tenant.objects.select_for_update(no_key=True, of=("self",)).select_related("plan")
    limit = rows.get(pk=tenant.id).plan.quotas.get(key)
    if limit is None:
        return
    kind = KINDS[key]
    used = gauges[key].used(tenant)
    if used + more > limit * kind.size:
        raise refused(key, limit, -(-used // kind.size))


def refused(key: str, limit: int, used: int, **more: Any) -> Problem:
    """Return the refusal of a full quota: 403 unless `status` says otherwise."""
    said = {"what": KINDS[key].label, "limit": limit, "used": used}
    return Problem(
        "QUOTA_EXCEEDED",
        _("The plan's limit is reached. %(what)s: %(used)s of %(limit)s.") % said,
        cure=more.pop("cure", None) or _("Ask for a larger plan, or remove what you do not need."),
        details={"quota": key, "limit": limit, "used": used},
        **{"status": 403} | more,
    )


def usage(tenant: TenantRef) -> list[Usage]:
    """Return what is used of every kind; in the tenant's scope or the platform's."""
    scope = scope_of()
    if scope is None or scope.tenant is None:
        with tenant_scope(tenant):
            return _usage(tenant)
    return _usage(tenant)


def _usage(tenant: TenantRef) -> list[Usage]:
    quotas = _load()
    return [
        Usage(kind, -(-gauge.used(tenant) // kind.size), quotas.get(key))
        for key, kind in KINDS.items()
        if (gauge := gauges.get(key))
    ]


def _stored(tenant: TenantRef) -> int:
    return sum(store.used(tenant) for _name, store in stores.items())


def _files(tenant: TenantRef) -> int:
    root = Path(settings.MEDIA_ROOT) / str(tenant.id)
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
