"""Sealing: personal data in entries lie in boxes whose keys can be destroyed, so that the chain outlives a person."""

from apps.audit.sealing.box import Parts, opened, parted, sealed
from apps.audit.sealing.keys import Key, KeyUnknown, subject_of

__all__ = ["Key", "KeyUnknown", "Parts", "opened", "parted", "sealed", "subject_of"]
