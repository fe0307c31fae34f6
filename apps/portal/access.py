"""Rights in the words of the pages: principals, levels, and the layers of an explanation."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.errors import FieldError, Invalid
from apps.identity import queries as identity
from apps.identity.models import MembershipState
from apps.permissions.explain import Explanation
from apps.permissions.matrix import Level as Width
from apps.permissions.models import Group, Level
from apps.permissions.principals import EVERYONE, split
from apps.permissions.rights import Operation

LAYERS: Mapping[str, Any] = {
    "principal": gettext_lazy("Who they are"),
    "scopes": gettext_lazy("The key"),
    "object": gettext_lazy("The object"),
    "fields": gettext_lazy("Fields"),
    "owd_baseline": gettext_lazy("Owners"),
    "depth": gettext_lazy("Their people"),
    "sharing": gettext_lazy("Sharing"),
    "vama_bypass": gettext_lazy("All records"),
    "rls": gettext_lazy("Policies"),
    "restriction": gettext_lazy("Restrictions"),
    "read": gettext_lazy("Reading"),
    "record": gettext_lazy("This record"),
    "records": gettext_lazy("Records"),
}
PARTS: Mapping[str, Any] = {
    "private": gettext_lazy("only one's own"),
    "public_read": gettext_lazy("everybody may see"),
    "public_read_write": gettext_lazy("everybody may see and change"),
    "controlled_by_parent": gettext_lazy("as the record it is part of"),
    "share": gettext_lazy("a share of this record"),
    "own_and_reports": gettext_lazy("of those they lead"),
    "unit": gettext_lazy("of their teams"),
    "unit_and_below": gettext_lazy("of their teams and the teams in them"),
}
VERDICTS: Mapping[str, tuple[Any, str]] = {
    "grants": (gettext_lazy("allows"), "green"),
    "denies": (gettext_lazy("denies"), "red"),
    "narrows": (gettext_lazy("narrows"), "amber"),
    "widens": (gettext_lazy("widens"), "blue"),
    "neutral": (gettext_lazy("says nothing"), "plain"),
    "not_applicable": (gettext_lazy("says nothing"), "plain"),
}
OPERATIONS: tuple[tuple[Operation, Any], ...] = (
    ("read", gettext_lazy("See")),
    ("create", gettext_lazy("Create")),
    ("edit", gettext_lazy("Change")),
    ("delete", gettext_lazy("Delete")),
    ("export", gettext_lazy("Export")),
    ("transfer", gettext_lazy("Hand over")),
    ("purge", gettext_lazy("Remove for good")),
)
WIDTHS: Mapping[Width, tuple[Any, str]] = {
    "none": (gettext_lazy("none"), ""),
    "own": (gettext_lazy("own"), "blue"),
    "some": (gettext_lazy("some"), "amber"),
    "all": (gettext_lazy("all"), "green"),
}


@dataclass(frozen=True)
class Choice:
    """One entry of a list to choose from."""

    value: str
    label: str


def principals() -> list[tuple[str, list[Choice]]]:
    """Return whom something may be shared with, in groups with their headings."""
    groups = list(Group.objects.order_by("label"))
    found = [
        (_("Everybody"), [Choice(EVERYONE, _("Everybody here"))]),
        (_("Roles"), [Choice(f"role:{g.name}", g.label) for g in groups if g.kind == "role"]),
        (_("Teams"), [Choice(f"team:{g.name}", g.label) for g in groups if g.kind == "team"]),
        (_("Members"), [Choice(f"user:{choice.value}", choice.label) for choice in members()]),
    ]
    return [(heading, choices) for heading, choices in found if choices]


def members() -> list[Choice]:
    """Return the active members by name."""
    rows = identity.members().filter(state=MembershipState.ACTIVE)
    return [Choice(str(row.user_id), str(row.user)) for row in rows]


def named(principal: str, words: Mapping[str, str]) -> str:
    """Return a principal's name; `words` are those of `principals`, flattened."""
    kind, name = split(principal)
    return words.get(principal) or {"user": _("former member")}.get(kind, name)


def words_of(choices: list[tuple[str, list[Choice]]]) -> dict[str, str]:
    """Return the labels of principals by value."""
    return {choice.value: choice.label for _heading, found in choices for choice in found}


def levels() -> list[Choice]:
    """Return the levels of sharing."""
    return [Choice(str(value), str(label)) for value, label in Level.choices]


def level(text: str) -> Level:
    """Return the level that a form sent; raises `Invalid`."""
    if text not in {str(value) for value in Level.values}:
        raise Invalid(_("Choose how far the share goes."))
    return Level(int(text))


def until(text: str) -> dt.datetime | None:
    """Return the end that a form's date means: the end of that day in the reader's zone; raises `Invalid`."""
    if not text:
        return None
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        error = FieldError("until", "invalid_date", _("Enter a date."))
        raise Invalid(error.message, [error]) from None
    end = dt.datetime.combine(day + dt.timedelta(days=1), dt.time.min)
    return timezone.make_aware(end, timezone.get_current_timezone())


def layers(told: Explanation) -> list[dict[str, Any]]:
    """Return an explanation's layers as the page shows them."""
    made = []
    for layer in told.layers:
        verdict, tone = VERDICTS[layer.verdict]
        parts = [
            {
                "name": PARTS.get(part.name) or LAYERS.get(part.name, part.name),
                "set": part.set,
                "holds": part.holds,
            }
            for part in layer.parts
        ]
        name = LAYERS.get(layer.name, layer.name)
        made.append({"name": name, "verdict": verdict, "tone": tone, "detail": layer.detail, "parts": parts})
    return made
