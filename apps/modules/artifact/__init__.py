"""A compiled artifact of the official tools (`os build` → objectstack.json), read as a module."""

from apps.modules.artifact.stack import read_artifact

__all__ = ["read_artifact"]
