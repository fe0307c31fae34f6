"""Figures about a tenant for operators: counts, sizes and states, never its records."""

from collections.abc import Mapping
from typing import Any

from django.db import connections

from apps.console.panels import Meter
from apps.events.models import Job
from apps.identity.models import Membership, MembershipState
from apps.tenants.models import Tenant
from apps.tenants.quotas import usage

# Estimates of the statistics collector: a count for the operator must not read the rows.
SIZES = """
SELECT coalesce(sum(s.n_live_tup) FILTER (WHERE s.relname LIKE 'obj\\_%%'), 0)::bigint,
       coalesce(sum(pg_total_relation_size(s.relid)), 0)::bigint,
       count(*)
FROM pg_stat_user_tables s WHERE s.schemaname = %s
"""


def members_of(tenant: Tenant) -> int:
    """How many people may enter."""
    return Membership.objects.filter(tenant=tenant, state=MembershipState.ACTIVE).count()


def sizes_of(tenant: Tenant) -> tuple[int, int, int]:
    """About how many records, how many bytes, and how many tables the tenant's schema holds."""
    with connections["default"].cursor() as cursor:
        cursor.execute(SIZES, [tenant.schema_name])
        records, size, tables = cursor.fetchone()
    return records, size, tables


def meters(tenant: Tenant) -> dict[str, tuple[Any, Meter]]:
    """Usage beside the plan's limits, by the quota's key: its label and a meter."""
    return {item.kind.key: (item.kind.label, Meter(item.used, item.limit)) for item in usage(tenant.ref)}


def last_seed(tenant: Tenant) -> Mapping[str, Any]:
    """What the latest provisioning of the tenant was asked to put into it."""
    job = Job.objects.filter(name="tenants.provision", args__slug=tenant.slug).order_by("-id").first()
    return job.args.get("seed", {}) if job else {}
