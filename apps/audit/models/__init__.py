"""The ledger's tables, each file one subject."""

from apps.audit.models.entries import GENESIS, Entry, Head, Pending, Xid8Field
from apps.audit.models.people import Erasure, ExportPosition, Hold, Retention, SubjectKey
from apps.audit.models.verification import Verification

__all__ = [
    "GENESIS",
    "Entry",
    "Erasure",
    "ExportPosition",
    "Head",
    "Hold",
    "Pending",
    "Retention",
    "SubjectKey",
    "Verification",
    "Xid8Field",
]
