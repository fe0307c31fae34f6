"""Checks evidence from an AI-BOS ledger: RFC 6962 proofs, C2SP checkpoints, and every link of the chain."""

from aibos_verify.findings import Finding, Report
from aibos_verify.judge import Pins, judge

__all__ = ["Finding", "Pins", "Report", "judge"]
