"""The ledger's state of health: how old the oldest unchained entry is, and which ledgers stand still."""

from django.db import connections

from apps.audit import queries
from apps.core.health import Finding, Status, check
from apps.core.scope import platform_scope

LATE, FAR_TOO_LATE = 5.0, 60.0
# Transaction ids are the server's: one that stays open in another database holds up the ledgers as well.
LONGEST = """
SELECT pid, extract(epoch FROM clock_timestamp() - xact_start) FROM pg_stat_activity
WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() ORDER BY backend_xid::text::bigint LIMIT 1
"""


@check("ledger_lag")
def ledger_lag() -> Finding:
    """Judge the age of the oldest waiting entry; a transaction that stays open holds up every ledger."""
    with platform_scope("health: ledger lag"), connections["default"].cursor() as cursor:
        lag = queries.lag()
        cursor.execute(LONGEST)
        holder = cursor.fetchone()
    figures = {"ledger_waiting_entries": lag.waiting, "ledger_lag_seconds": round(lag.seconds, 3)}
    figures["ledger_broken"] = len(lag.broken)
    if holder:
        figures["ledger_longest_transaction_seconds"] = round(float(holder[1] or 0), 3)
    if lag.broken:
        first, error = lag.broken[0]
        return Finding("failed", f"{len(lag.broken)} ledger(s) stand still; {first}: {error}", figures)
    if lag.seconds < LATE:
        return Finding("ok", f"{lag.waiting} entries wait, the oldest for {lag.seconds:.1f} s.", figures)
    cause = f" The transaction of the database's process {holder[0]} is open." if holder else ""
    cure = cause or " Is the sequencer running?"
    status: Status = "failed" if lag.seconds >= FAR_TOO_LATE else "degraded"
    return Finding(status, f"The oldest unchained entry is {lag.seconds:.0f} s old.{cure}", figures)
