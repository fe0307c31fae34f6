"""How a member likes the pages: read and changed here only."""

from uuid import UUID

from django.db import transaction

from apps.core.actor import Actor
from apps.core.errors import FieldError, Invalid, PermissionDenied
from apps.portal.models import Preference

PAGE_SIZES = (10, 25, 50, 100, 200)


def of(user_id: UUID) -> Preference:
    """Return the member's preferences; the defaults when there are none yet."""
    return Preference.objects.filter(user_id=user_id).first() or Preference(user_id=user_id)


@transaction.atomic
def change(
    *, by: Actor, theme: str | None = None, density: str | None = None, page_size: int | None = None
) -> Preference:
    """Keep what is given and leave the rest; members change their own only."""
    if by.user_id is None:
        raise PermissionDenied
    found = of(by.user_id)
    wishes = {"theme": theme, "density": density, "page_size": page_size}
    allowed = {
        "theme": Preference.Theme.values,
        "density": Preference.Density.values,
        "page_size": PAGE_SIZES,
    }
    wrong = [name for name, value in wishes.items() if value is not None and value not in allowed[name]]
    if wrong:
        raise Invalid(
            "Choose one of the options.",
            [FieldError(n, "invalid_option", "Choose an option.") for n in wrong],
        )
    for name, value in wishes.items():
        if value is not None:
            setattr(found, name, value)
    found.save()
    return found
