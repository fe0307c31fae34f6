"""`manage.py ledger verify`: recompute ledgers and name the first bad entry of each."""

import dataclasses
import json
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit import directory
from apps.audit.types import Verdict
from apps.audit.verify import verify, verify_all
from apps.core.scope import platform_scope


class Command(BaseCommand):
    help = "Verify the ledger of one tenant, of the platform, or of all; ends with 1 when an entry is bad."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("verb", choices=["verify"])
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--tenant", metavar="SLUG", help="only this tenant's ledger")
        which.add_argument("--platform", action="store_true", help="only the platform's own ledger")
        which.add_argument("--all", action="store_true", help="every ledger (the default)")
        parser.add_argument("--json", action="store_true", help="one JSON object per ledger and line")

    def handle(self, *_args: Any, **options: Any) -> None:
        good = True
        for verdict in self._verdicts(options):
            good = good and verdict.ok
            self.stdout.write(_as_json(verdict) if options["json"] else _sentence(verdict))
        if not good:
            raise SystemExit(1)

    def _verdicts(self, options: dict[str, Any]) -> Iterator[Verdict]:
        if options["platform"]:
            yield verify(None)
        elif options["tenant"]:
            with platform_scope("ledger: find the tenant to verify"):
                refs = [ref for ref in directory.every() if ref.slug == options["tenant"]]
            if not refs:
                msg = f"There is no tenant {options['tenant']!r}."
                raise CommandError(msg)
            yield verify(refs[0])
        else:
            yield from verify_all()


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
