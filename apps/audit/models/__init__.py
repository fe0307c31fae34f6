"""The ledger's tables, each file one subject."""

from apps.audit.models.entries import GENESIS, Entry, Head, Pending, Xid8Field
from apps.audit.models.people import Erasure, ExportPosition, Hold, Retention, SubjectKey
from apps.audit.models.trees import ROOTS, AnchorState, Checkpoint, Tile, Tree
from apps.audit.models.verification import Verification

__all__ = [
    "GENESIS",
    "ROOTS",
    "AnchorState",
    "Checkpoint",
    "Entry",
    "Erasure",
    "ExportPosition",
    "Head",
    "Hold",
    "Pending",
    "Retention",
    "SubjectKey",
    "Tile",
    "Tree",
    "Verification",
    "Xid8Field",
]
