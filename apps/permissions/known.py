"""The objects of the tenant in force, as the app above registers them: permissions itself reads no definition."""

from collections.abc import Sequence

from apps.core.registry import Registry
from apps.permissions.rights import ObjectRights


class Objects:
    """Answers in the tenant's scope."""

    def find(self, name: str) -> ObjectRights | None:
        """Return an object by name, or None."""
        raise NotImplementedError

    def every(self) -> Sequence[ObjectRights]:
        """Return all objects."""
        raise NotImplementedError


NAME = "objects"
known: Registry[Objects] = Registry("objects that rights are about", Objects)


def find(name: str) -> ObjectRights | None:
    """Return an object by name; None when it is not there, or nobody registered any."""
    source = known.get(NAME)
    return source.find(name) if source is not None else None


def every() -> Sequence[ObjectRights]:
    """Return all objects of the tenant in force."""
    source = known.get(NAME)
    return source.every() if source is not None else ()
