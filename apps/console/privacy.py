"""What operators do not read: the values of a tenant's records, wherever they turn up.

A tenant's ledger says that a record changed, who did it and which fields; what was written in them is the tenant's. The
same holds for what a tenant's own jobs (imports, for example) log and return. Only kinds that are known to carry no
record are open, so that a new one starts closed.
"""

from uuid import UUID

from apps.audit.types import LedgerEntry
from apps.events.jobs.letters import is_sealed

OPEN_TARGETS = frozenset(
    {
        "api_key",
        "host",
        "invitation",
        "job",
        "membership",
        "module",
        "object",
        "permission_set",
        "plan",
        "schedule",
        "session",
        "tenant",
        "user",
    }
)
OPEN_TASKS = ("events.", "identity.", "modules.", "tenants.")
OPEN_WITHOUT_TARGET = frozenset({"ledger.verified"})


def entry_is_open(entry: LedgerEntry) -> bool:
    """Whether operators see the values of an entry; the platform's own ledger holds no tenant's records."""
    if entry.tenant_id is None:
        return True
    if not entry.target:
        return entry.action in OPEN_WITHOUT_TARGET
    return entry.target.partition(":")[0] in OPEN_TARGETS


def job_is_open(name: str, tenant_id: UUID | None) -> bool:
    """Whether operators see what a job logs, returns and stumbles over."""
    return tenant_id is None or name.startswith(OPEN_TASKS)


def args_are_open(name: str, tenant_id: UUID | None) -> bool:
    """Whether operators read and edit the arguments of a job: those of an open task that nobody has sealed."""
    return job_is_open(name, tenant_id) and not is_sealed(name)
