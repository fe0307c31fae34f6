"""The areas of the API that this installation serves: what discovery advertises, no more."""

from dataclasses import dataclass

PREFIX = "/api/v1"


@dataclass(frozen=True)
class Area:
    """One slot of the discovery document: its path, and whether clients look it up under `routes`."""

    slot: str
    path: str
    is_route: bool = True


_AREAS = (
    Area("data", f"{PREFIX}/data"),
    Area("metadata", f"{PREFIX}/meta"),
    Area("auth", f"{PREFIX}/auth"),
    Area("analytics", f"{PREFIX}/analytics"),
    Area("ui", f"{PREFIX}/ui"),
    Area("i18n", f"{PREFIX}/i18n"),
    Area("graphql", f"{PREFIX}/graphql", is_route=False),
    Area("search", f"{PREFIX}/search", is_route=False),
    Area("export", f"{PREFIX}/data", is_route=False),
    Area("batch", f"{PREFIX}/batch", is_route=False),
    Area("packages", f"{PREFIX}/packages"),
    Area("job", f"{PREFIX}/jobs", is_route=False),
)


def served_areas() -> tuple[Area, ...]:
    """Return the areas in the order clients see them."""
    return _AREAS
