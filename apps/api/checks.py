"""What is looked at before the API serves: settings that name parts of it name parts that are there."""

from typing import Any

from django.conf import settings
from django.core.checks import Error
from django.urls import URLPattern, URLResolver, get_resolver

from apps.api.door import Door
from apps.api.idempotency import ASKED_FOR, EVERYWHERE
from apps.api.openapi.operations import tag_of


def areas() -> frozenset[str]:
    """Return the areas of the API with writes that take a key: the first word of an address after the version."""
    return frozenset(
        tag_of(f"/{route}")
        for route, door in routes(get_resolver("apps.api.urls").url_patterns)
        if door.replays and not door.reading_posts and ASKED_FOR & {*door.methods()}
    )


def areas_exist(**_kwargs: Any) -> list[Error]:
    """Refuse an area that no address has: the keys it asks for would be asked for nowhere."""
    strange = sorted({*settings.API_IDEMPOTENCY_REQUIRED} - {*areas(), EVERYWHERE})
    if not strange:
        return []
    hint = f"Choose among {', '.join(sorted(areas()))}, or * for all."
    return [Error(f"API_IDEMPOTENCY_REQUIRED names no area: {', '.join(strange)}.", hint=hint, id="api.E001")]


def routes(patterns: list[Any], prefix: str = "") -> list[tuple[str, type[Door]]]:
    """Return every address below `prefix` with its door."""
    found = []
    for item in patterns:
        where = prefix + str(item.pattern)
        if isinstance(item, URLResolver):
            found += routes(item.url_patterns, where)
        elif isinstance(item, URLPattern) and not where.startswith("^"):
            found.append((where, vars(item.callback)["cls"]))
    return found
