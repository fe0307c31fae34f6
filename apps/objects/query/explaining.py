"""The statement that a query becomes, for whoever wants to look at it; nothing is run."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from apps.core.actor import Actor
from apps.core.scope import current_tenant
from apps.objects.catalog import catalog
from apps.objects.query import plans
from apps.objects.query.compiler import check_named
from apps.objects.query.macros import Moment
from apps.objects.query.plans import View
from apps.objects.query.reading import from_ast
from apps.permissions.access import access_for


def statement(
    name: str, source: Mapping[str, Any], *, by: Actor, zone: dt.tzinfo = dt.UTC
) -> tuple[str, list[Any]]:
    """Return the SQL of a query as `by` asks it, with the record rules in it, and its values; needs a tenant's scope."""
    tenant = current_tenant()
    view = View(tenant, catalog(), access_for(by))
    obj = view.catalog.object(name)
    view.access.require("read", obj)
    query = from_ast(view.catalog, obj, source, Moment(view.access.user_id, tenant.id, zone))
    check_named(view.access, view.catalog, obj, query.named)
    plan = plans.plan(view, obj, query.shape, "read")
    return plan.sql.decode(), list(query.values)
