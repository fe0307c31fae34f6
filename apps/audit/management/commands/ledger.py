"""`manage.py ledger verify|report`: recompute ledgers and name the first bad entry of each; print integrity reports."""

import dataclasses
import json
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit import directory, report
from apps.audit.merkle.restart import restart
from apps.audit.types import Verdict
from apps.audit.verdicts import judge
from apps.core.actor import Actor
from apps.core.scope import TenantRef, platform_scope, tenant_scope

BY = Actor(kind="system", id="manage", label="manage.py")


class Command(BaseCommand):
    help = (
        "verify: recompute the ledger of one tenant, of the platform, or of all. "
        "report: print what was found last, as a signed document. Ends with 1 when an entry is bad. "
        "restart: sign under a new generation of the name, after a backup was put in place; needs --reason."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("verb", choices=["verify", "report", "restart"])
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--tenant", metavar="SLUG", help="only this tenant's ledger")
        which.add_argument("--platform", action="store_true", help="only the platform's own ledger")
        which.add_argument("--all", action="store_true", help="every ledger (the default)")
        parser.add_argument("--reason", default="", help="why signing starts again; becomes an entry")
        parser.add_argument("--json", action="store_true", help="one JSON object per ledger and line")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["verb"] == "restart":
            self._restart(options)
            return
        good = True
        for tenant in self._ledgers(options):
            if options["verb"] == "report":
                found = _report(tenant)
                good = good and found["status"] != "tampered"
                self.stdout.write(
                    json.dumps(found, ensure_ascii=False, indent=None if options["json"] else 2)
                )
                continue
            verdict = judge(tenant, by=BY)
            good = good and verdict.ok
            self.stdout.write(_as_json(verdict) if options["json"] else _sentence(verdict))
        if not good:
            raise SystemExit(1)

    def _restart(self, options: dict[str, Any]) -> None:
        if not options["reason"].strip():
            msg = "Say why: --reason 'the backup of Monday was restored'."
            raise CommandError(msg)
        count = sum(restart(ref, by=BY, reason=options["reason"]) for ref in self._ledgers(options))
        self.stdout.write(f"{count} trees are signed under a new generation of their name.")

    def _ledgers(self, options: dict[str, Any]) -> Iterator[TenantRef | None]:
        """Yield the ledgers asked for; None is the platform's."""
        with platform_scope("ledger: which ledgers"):
            refs = [] if options["platform"] else directory.every()
        if options["tenant"]:
            refs = [ref for ref in refs if ref.slug == options["tenant"]]
            if not refs:
                msg = f"There is no tenant {options['tenant']!r}."
                raise CommandError(msg)
        else:
            yield None
        yield from refs


def _report(tenant: TenantRef | None) -> dict[str, Any]:
    with tenant_scope(tenant) if tenant else platform_scope("ledger: integrity report"):
        return report.integrity()


def _as_json(verdict: Verdict) -> str:
    return json.dumps({**dataclasses.asdict(verdict), "ok": verdict.ok}, default=str)


def _sentence(verdict: Verdict) -> str:
    if verdict.bad:
        return f"{verdict.ledger}: BAD at entry {verdict.bad.seq} ({verdict.bad.flaw}): {verdict.bad.message}"
    rate = int(verdict.entries / verdict.seconds) if verdict.seconds else verdict.entries
    return (
        f"{verdict.ledger}: {verdict.entries} entries hold, {verdict.pending} wait;"
        f" {verdict.seconds:.2f} s ({rate:,} entries/s), head {verdict.head[:16]}"
    )
