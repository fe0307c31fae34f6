"""What the pages of webhooks show: types of events to choose from, states in words and colours, the way to sign."""

import json
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.events.audience import audiences
from apps.events.models import (
    DeliveryState,
    DisabledFor,
    EndpointState,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from apps.events.registry import event_types
from apps.events.webhooks import patterns
from apps.objects.catalog import catalog
from apps.objects.facts import RECORD_VERBS
from apps.portal import show

VERBS = {
    "created": gettext_lazy("Created"),
    "updated": gettext_lazy("Changed"),
    "deleted": gettext_lazy("Deleted"),
    "restored": gettext_lazy("Restored"),
    "purged": gettext_lazy("Removed for good"),
}
HIDDEN = ("tenant.", "webhook.test", "*")
DELIVERY_TONES = {
    DeliveryState.DELIVERED: "green",
    DeliveryState.FAILED: "red",
    DeliveryState.WAITING: "blue",
    DeliveryState.SKIPPED: "amber",
}


@dataclass(frozen=True)
class Choice:
    """One type of event to tick."""

    pattern: str
    label: str
    chosen: bool


@dataclass(frozen=True)
class Subject:
    """An object with its events; `name` as in their types, `label` as readers know it."""

    name: str
    label: str
    choices: list[Choice]


@dataclass(frozen=True)
class Tag:
    """A state in words, its colour, and where it helps a sentence more."""

    label: str
    tone: str
    more: str = ""


def subjects(chosen: set[str]) -> list[Subject]:
    """Return the objects with what can happen to their records."""
    found = []
    for definition in catalog():
        label = definition.label_for(show.locale(), plural=True)
        names = [(f"{definition.noun}.*", _("All"))]
        names += [(f"{definition.noun}.{verb}", str(VERBS[verb])) for verb in RECORD_VERBS if verb in VERBS]
        found.append(
            Subject(definition.noun, label, [Choice(name, text, name in chosen) for name, text in names])
        )
    return sorted(found, key=lambda subject: subject.label.casefold())


def others(chosen: set[str]) -> list[Choice]:
    """Return the types that are about the tenant itself and that somebody in it may know of."""
    return [
        Choice(name, _(item.summary), name in chosen)
        for name, item in sorted(event_types.items())
        if name in audiences and not name.startswith(HIDDEN)
    ]


def further(chosen: set[str]) -> str:
    """Return the patterns that no box stands for."""
    boxes = {choice.pattern for subject in subjects(chosen) for choice in subject.choices}
    boxes |= {choice.pattern for choice in others(chosen)} | {patterns.EVERYTHING}
    return " ".join(sorted(chosen - boxes))


def types_of(form: QueryDict) -> list[str]:
    """Return the types that a form asks for."""
    if form.get("everything"):
        return [patterns.EVERYTHING]
    return sorted({*form.getlist("types"), *form.get("further", "").replace(",", " ").split()})


def named(types: list[str]) -> list[str]:
    """Return types as lists show them."""
    return [_("Everything") if name == patterns.EVERYTHING else name for name in types]


def endpoint_tag(row: WebhookEndpoint) -> Tag:
    """Return how an endpoint stands."""
    if row.state == EndpointState.PAUSED:
        return Tag(_("Paused"), "")
    if row.state == EndpointState.DISABLED:
        return Tag(_("Switched off"), "red", str(DisabledFor(row.disabled_for).label))
    if row.failing_since:
        return Tag(_("Failing"), "amber", _("The last attempt failed."))
    return Tag(_("Active"), "green")


def delivery_tag(row: WebhookDelivery) -> Tag:
    """Return how a delivery stands."""
    return Tag(str(DeliveryState(row.state).label), DELIVERY_TONES[DeliveryState(row.state)])


def reason(row: WebhookDelivery | WebhookAttempt) -> str:
    """Return why a call came to nothing, in the reader's language where it is one of ours."""
    text = row.reason if isinstance(row, WebhookDelivery) else row.failure
    if text.startswith("The receiver answered"):
        return _("The receiver answered %(status)s.") % {"status": row.status}
    return _(text) if text else ""


def delivery_line(row: WebhookDelivery) -> dict[str, Any]:
    """Return a delivery for a list."""
    return {"row": row, "tag": delivery_tag(row)}


def readable(body: str) -> str:
    """Return a body that is JSON with a line for each value, any other as it is."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body
