"""The ledger's tables, each file one subject."""

from apps.audit.models.entries import GENESIS, Entry, Head, Pending, Xid8Field

__all__ = ["GENESIS", "Entry", "Head", "Pending", "Xid8Field"]
