"""`aibos-verify FILE --key KEY`: prints what was found; ends with 0 when all holds, 1 when not, 2 when it cannot tell."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from uuid import UUID

from aibos_verify import notes
from aibos_verify.findings import CODES, Report
from aibos_verify.judge import Pins, judge


def main(words: list[str] | None = None) -> int:
    """Run the program; return its exit code."""
    args = _parser().parse_args(words)
    try:
        keys = [notes.read_key(_text(item)) for item in args.key]
    except (ValueError, OSError) as error:
        sys.stderr.write(f"aibos-verify: --key: {error}\n")
        return 2
    missing = [path for path in (args.evidence, *args.checkpoint, *args.anchor) if not path.exists()]
    if missing:
        sys.stderr.write(f"aibos-verify: there is no {missing[0]}\n")
        return 2
    report = judge(args.evidence, Pins(keys, args.ledger, args.checkpoint, args.anchor))
    sys.stdout.write(_as_json(report) if args.json else _as_text(report))
    return 0 if report.ok else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aibos-verify",
        description="Checks evidence from an AI-BOS ledger against keys and checkpoints that you kept.",
        epilog="Ends with 0: all holds; 1: something does not; 2: it could not be told.",
    )
    parser.add_argument("evidence", type=Path, help="the .zip or .json that the product exported")
    parser.add_argument(
        "--key",
        action="append",
        required=True,
        metavar="KEY",
        help="a public key you trust: name+id+base64, 64 hex digits, base64, or a file with one of them; may be repeated",
    )
    parser.add_argument("--ledger", type=UUID, metavar="ID", help="the ledger the evidence must be of")
    parser.add_argument(
        "--checkpoint",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a signed checkpoint you kept from earlier; may be repeated",
    )
    parser.add_argument(
        "--anchor",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="your copy of the folder that the product's file anchor writes; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _text(given: str) -> str:
    path = Path(given)
    return path.read_text(encoding="utf-8") if len(given) < 1024 and path.is_file() else given


def _as_json(report: Report) -> str:
    values = {"ok": report.ok, "firstBad": report.first_bad, **asdict(report)}
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def _as_text(report: Report) -> str:
    facts = report.facts
    lines = []
    if facts.get("origin"):
        lines.append(f"Ledger {facts['ledger']}, signed as {facts['origin']}")
        lines.append(f"{facts.get('entries', 0)} entries under {facts['signed']} signed at {facts['time']}")
        lines.append(f"Root {facts['root']}")
    lines += [f"Note: {text}" for text in report.notices]
    if report.ok:
        lines.append("HOLDS: every signature, proof and link was checked.")
    else:
        first = f", first at entry {report.first_bad}" if report.first_bad is not None else ""
        lines.append(f"DOES NOT HOLD: {len(report.findings)} finding(s){first}.")
        lines += [f"  {item.code}: {item.message} ({CODES[item.code]})" for item in report.findings[:50]]
        if len(report.findings) > 50:
            lines.append(f"  … and {len(report.findings) - 50} more")
    return "\n".join(lines) + "\n"
