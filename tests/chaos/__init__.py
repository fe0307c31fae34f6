"""Durable work under kills: short in `make test`, long in `make chaos`."""

import os

FULL = os.environ.get("AIBOS_CHAOS") == "full"


def scaled(full: int, short: int) -> int:
    """Return how often something is done: in `make chaos`, or in the short run among the other tests."""
    return full if FULL else short
