"""The ledger's state of health: how far chaining and signing are behind, and whether the ledgers hold."""

from django.db import connections
from django.utils.translation import gettext_lazy as _

from apps.audit import queries
from apps.audit.anchors import places, push
from apps.audit.merkle import checkpoints
from apps.core.health import Finding, Status, check
from apps.core.scope import platform_scope

LATE, FAR_TOO_LATE = 5.0, 60.0
UNSIGNED_LATE, UNSIGNED_TOO_LATE = 60.0, 600.0
# The oldest checkpoint of a ledger that an anchor at this position does not know.
UNTOLD = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(at)), 0) FROM public.audit_checkpoint WHERE position >= %s
"""
UNVERIFIED = 2 * 86_400.0
# The newest verdict of every ledger that has entries; the nil UUID is the platform's.
VERIFIED = """
SELECT count(*), count(*) FILTER (WHERE v.bad_seq IS NOT NULL), count(*) FILTER (WHERE v.at IS NULL),
       coalesce(max(extract(epoch FROM clock_timestamp() - coalesce(v.at, h.moved_at))), 0),
       min(v.message) FILTER (WHERE v.bad_seq IS NOT NULL)
FROM public.audit_head h LEFT JOIN LATERAL (
  SELECT at, bad_seq, message FROM public.audit_verification
  WHERE tenant_id IS NOT DISTINCT FROM nullif(h.tenant_id, '00000000-0000-0000-0000-000000000000')
  ORDER BY id DESC LIMIT 1) v ON true
WHERE h.seq > 0
"""
# Transaction ids are the server's: one that stays open in another database holds up the ledgers as well.
LONGEST = """
SELECT pid, extract(epoch FROM clock_timestamp() - xact_start) FROM pg_stat_activity
WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() ORDER BY backend_xid::text::bigint LIMIT 1
"""


@check("ledger_lag", title=_("Ledger lag"), group="ledger", measure="ledger_lag_seconds")
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


@check("checkpoint_age", title=_("Unsigned entries"), group="ledger", measure="checkpoint_unsigned_seconds")
def checkpoint_age() -> Finding:
    """Judge for how long chained entries have been waiting for a signed checkpoint; a refused one is a failure."""
    with platform_scope("health: checkpoints"):
        found = checkpoints.standing()
    figures = {
        "checkpoint_unsigned_seconds": round(found.seconds, 3),
        "checkpoint_unsigned_entries": found.entries,
        "checkpoint_ledgers_behind": found.behind,
        "checkpoint_ledgers_refused": len(found.errors),
    }
    if found.errors:
        first, error = found.errors[0]
        return Finding("failed", f"{len(found.errors)} ledgers are not signed; {first}: {error}", figures)
    status: Status = "ok" if found.seconds < UNSIGNED_LATE else "degraded"
    if found.seconds >= UNSIGNED_TOO_LATE:
        status = "failed"
    return Finding(
        status,
        f"{found.entries} chained entries are unsigned, the oldest for {found.seconds:.0f} s.",
        figures,
    )


@check("ledger_anchors", title=_("Ledger anchors"), group="ledger", measure="anchor_untold_seconds")
def ledger_anchors() -> Finding:
    """Judge how long the places outside have not been told of a checkpoint; an S3 anchor may take its pause."""
    with platform_scope("health: anchors"), connections["default"].cursor() as cursor:
        anchors, states = places.configured(), push.states()
        waits: dict[str, float] = {}
        for anchor in anchors:
            state = states.get(anchor.name)
            cursor.execute(UNTOLD, [state.position if state else 0])
            waits[anchor.name] = max(0.0, float(cursor.fetchone()[0]) - anchor.every)
    errors = {name: state.error for name, state in states.items() if name in waits and state.error}
    longest = max(waits.values(), default=0.0)
    figures = {
        "anchors": len(anchors),
        "anchors_failing": len(errors),
        "anchor_untold_seconds": round(longest, 3),
    }
    if not anchors:
        return Finding("degraded", "No anchor is configured: checkpoints stay in the database.", figures)
    late = [name for name, seconds in waits.items() if seconds >= UNSIGNED_LATE]
    if not late:
        return Finding("ok", f"{len(anchors)} anchors know every checkpoint.", figures)
    first = late[0]
    status: Status = "failed" if waits[first] >= UNSIGNED_TOO_LATE else "degraded"
    cause = errors.get(first) or "Is the pump running?"
    return Finding(status, f"The anchor {first} was not told for {waits[first]:.0f} s: {cause}", figures)


@check(
    "ledgers_verified",
    title=_("Ledgers verified"),
    group="ledger",
    measure="ledger_verification_age_seconds",
    alarms=False,
)
def ledgers_verified() -> Finding:
    """Judge the newest verdicts: one that is bad is a failure, one older than two days is not to be relied on.

    A bad one has raised its own alert, see `apps.events.health.tampering`.
    """
    with platform_scope("health: verdicts"), connections["default"].cursor() as cursor:
        cursor.execute(VERIFIED)
        ledgers, bad, never, age, message = cursor.fetchone()
    figures = {
        "ledgers": ledgers,
        "ledgers_tampered": bad,
        "ledgers_never_verified": never,
        "ledger_verification_age_seconds": round(float(age)),
    }
    if bad:
        return Finding("failed", f"{bad} of {ledgers} ledgers do not hold: {message}", figures)
    status: Status = "ok" if age < UNVERIFIED else "degraded"
    return Finding(
        status, f"{ledgers} ledgers; the oldest verdict is {float(age) / 3600:.0f} hours old.", figures
    )
