"""Whether the copies of the ledgers keep up."""

from django.conf import settings
from django.db import connections
from django.utils.translation import gettext_lazy as _

from apps.audit.siem import forward
from apps.core.health import Finding, Status, check
from apps.core.scope import platform_scope

BEHIND_MANY = 10_000
STANDING = """
SELECT coalesce(sum(h.seq - coalesce(p.seq, 0)), 0), coalesce(max(p.error), '')
FROM public.audit_head h
LEFT JOIN public.audit_exportposition p ON p.tenant_id = h.tenant_id AND p.target = %s
"""


@check("siem", title=_("Copies of the ledgers"), group="ledger", measure="siem_behind_entries")
def siem() -> Finding:
    """Judge how many entries the receiver of SIEM_URL has not taken yet."""
    if not settings.SIEM_URL:
        return Finding("ok", "No receiver is set.", {"siem_behind_entries": 0})
    try:
        target = forward.configured()
    except ValueError as error:
        return Finding("failed", str(error))
    with platform_scope("health: siem"), connections["default"].cursor() as cursor:
        cursor.execute(STANDING, [target.name if target else ""])
        behind, cause = cursor.fetchone() or (0, "")
    figures = {"siem_behind_entries": int(behind)}
    if cause:
        status: Status = "failed" if behind > BEHIND_MANY else "degraded"
        return Finding(status, f"{behind} entries wait: {cause}", figures)
    if behind > BEHIND_MANY:
        return Finding("degraded", f"{behind} entries wait to be copied.", figures)
    return Finding("ok", f"{behind} entries wait to be copied.", figures)
